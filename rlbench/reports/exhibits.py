"""Figures of a suite's view: heat maps, dots with intervals, lines, average ranks on an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rlbench.core.suite import DotPlot, HeatMap, LinePlot, RankAxis
from rlbench.reports.drawing import (
    COLOURS,
    INK,
    LETTER,
    WIDTH,
    Plot,
    label_inches,
    new_figure,
    saved,
    short,
    style,
)
from rlbench.reports.lines import line_plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A field keeps its colour in dark mode, so its text must too: neither is the page's ink or paper.
_DARK, _LIGHT = "#010101", "#fefefe"
_EVEN = 0.18
"""The luminance on which both are equally easy to read."""
_RAMP = ("#e6edf5", "#7fb0d8", "#0b5a94", "#06345a")
_CENTRED = ("#b34a00", "#eba96f", "#eceef0", "#7fb0d8", "#0b5a94")
_FIELD = (0.36, 0.27)  # inches
_GAP = 0.3  # between groups of columns, in fields
_MARKS = "osD^v"


def draw(exhibit: HeatMap | DotPlot | LinePlot | RankAxis) -> Plot:
    """The exhibit's figure.

    Raises:
        ValueError: its parts differ in length, or there is no line in a line plot.
        MissingError: matplotlib is not installed.
    """
    with style():
        if isinstance(exhibit, HeatMap):
            figure = _heat_map(exhibit)
        elif isinstance(exhibit, DotPlot):
            figure = _dot_plot(exhibit)
        elif isinstance(exhibit, LinePlot):
            figure = line_plot(exhibit)
        else:
            figure = _rank_axis(exhibit)
        wide = isinstance(exhibit, HeatMap) or bool(figure.get_figwidth() > WIDTH)
        return saved(exhibit.name, exhibit.title, exhibit.doc, figure, wide=wide)


def _check(name: str, expected: Sequence[int], found: Sequence[int]) -> None:
    if tuple(expected) != tuple(found):
        raise ValueError(
            f"{name}: expected {tuple(expected)} for its rows and columns, got {found}"
        )


# -- heat maps ------------------------------------------------------------------------------------


def _heat_map(exhibit: HeatMap) -> Figure:
    shape = len(exhibit.rows), len(exhibit.columns)
    _check(f"{exhibit.name}: values", shape, exhibit.values.shape)
    _check(f"{exhibit.name}: texts", [shape[1]] * shape[0], [len(row) for row in exhibit.texts])
    groups = exhibit.groups or [""] * shape[1]
    _check(f"{exhibit.name}: groups", shape[1:], (len(groups),))
    places, spans = _places(groups)
    right = places[-1] + 1
    # Slanted labels rise by sin 60° of their length, and the last one leans out by cos 60°.
    slant = label_inches(exhibit.columns)
    width = label_inches(exhibit.rows) + _FIELD[0] * right + 0.5 * slant
    height = 0.87 * slant + _FIELD[1] * (shape[0] + 1) + 0.15
    figure, axes = new_figure(width, height)
    ax: Axes = axes[0, 0]
    _fields(ax, exhibit, places)
    ax.set_xlim(0, right)
    ax.set_ylim(shape[0] + (0.9 if any(groups) else 0.05), -0.05)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set_yticks([y + 0.5 for y in range(shape[0])], [short(label) for label in exhibit.rows])
    ax.xaxis.tick_top()
    ax.set_xticks(
        [x + 0.5 for x in places], [short(label) for label in exhibit.columns], rotation=60,
        ha="left", va="center", rotation_mode="anchor",
    )  # fmt: skip
    for label, left, end in spans:
        if label:
            ax.plot([left + 0.1, end - 0.1], [shape[0] + 0.15] * 2, color=INK, linewidth=0.8)
            ax.text((left + end) / 2, shape[0] + 0.55, short(label), ha="center", va="center")
    return figure


def _places(groups: Sequence[str]) -> tuple[list[float], list[tuple[str, float, float]]]:
    """Where each column begins, in fields, and each group's label, begin and end."""
    places: list[float] = []
    spans = []
    for label, members in groupby(groups):
        left = places[-1] + 1 + _GAP if places else 0.0
        places += [left + index for index, _ in enumerate(members)]
        spans.append((label, left, places[-1] + 1))
    return places, spans


def _fields(ax: Axes, exhibit: HeatMap, places: Sequence[float]) -> None:
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    ramp = LinearSegmentedColormap.from_list("", _CENTRED if exhibit.centred else _RAMP)
    faint, strong = exhibit.ends
    span = strong - faint or 1.0
    for y, (values, texts) in enumerate(zip(exhibit.values, exhibit.texts, strict=True)):
        for x, value, text in zip(places, values, texts, strict=True):
            ink = INK
            if not math.isnan(value):
                colour = ramp((value - faint) / span)
                field = Rectangle((x + 0.03, y + 0.04), 0.94, 0.92, color=colour, linewidth=0)
                field.set_in_layout(False)  # measuring a thousand of them takes a second
                ax.add_artist(field)  # and so does fitting the axes to them
                ink = _DARK if _luminance(colour) > _EVEN else _LIGHT
            ax.text(
                x + 0.5, y + 0.52, short(text), ha="center", va="center", size=8, color=ink,
                in_layout=False,
            )  # fmt: skip


def _luminance(colour: Sequence[float]) -> float:
    """Relative luminance (WCAG 2.1)."""
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# -- dots with intervals --------------------------------------------------------------------------


def _dot_plot(exhibit: DotPlot) -> Figure:
    rows = len(exhibit.rows)
    for label, series in exhibit.series.items():
        _check(f"{exhibit.name}: {label}", (rows,), (len(series),))
    figure, axes = new_figure(WIDTH, 1.0 + 0.27 * rows)
    ax: Axes = axes[0, 0]
    step = 0.5 / max(1, len(exhibit.series))
    for index, (label, series) in enumerate(exhibit.series.items()):
        look: dict[str, Any] = {"color": COLOURS[index % len(COLOURS)]}
        heights = [y + step * (index - (len(exhibit.series) - 1) / 2) for y in range(rows)]
        points = [interval.point for interval in series]
        for y, interval in zip(heights, series, strict=True):
            if interval.low is not None and interval.high is not None:
                ends = [interval.low, interval.high]
                ax.plot(ends, [y, y], linewidth=3.2, alpha=0.45, solid_capstyle="butt", **look)
        mark = _MARKS[index % len(_MARKS)]
        ax.plot(points, heights, mark, markersize=4.6, label=short(label), **look)
    ax.set_yticks(range(rows), [short(row) for row in exhibit.rows])
    ax.set_ylim(rows - 0.5, -0.5)
    ax.set_xlabel(short(exhibit.axis))
    figure.legend(loc="outside upper right", ncols=max(1, len(exhibit.series)), fontsize=8)
    return figure


# -- average ranks --------------------------------------------------------------------------------

_ROW = 0.2  # inches
_BAR = 0.09


def _rank_axis(exhibit: RankAxis) -> Figure:
    """The diagram of Demsar 2006 (JMLR 7, figure 1), best on the left."""
    rows, ranks = len(exhibit.rows), list(exhibit.ranks)
    _check(f"{exhibit.name}: ranks", (rows,), (len(ranks),))
    first, last = 1.0, float(max(2, rows))
    names = [f"{short(row)}  {rank:.1f}" for row, rank in zip(exhibit.rows, ranks, strict=True)]
    side = 0.2 + LETTER * max(map(len, names))
    inner = max(WIDTH - 2 * side, 2.2)
    unit = inner / (last - first)  # inches of one rank
    half = (rows + 1) // 2
    depth = 0.16 + _BAR * len(exhibit.bars)
    height = 0.75 + depth + _ROW * (half + 0.5)
    figure, axes = new_figure(inner + 2 * side, height)
    ax: Axes = axes[0, 0]
    ax.set_axis_off()
    ax.set_xlim(first - side / unit, last + side / unit)
    ax.set_ylim(-(depth + _ROW * (half + 0.5)), 0.75)
    _ruler(ax, first, last, exhibit.distance)
    for level, (start, end) in enumerate(exhibit.bars):
        y = -0.1 - _BAR * level
        ends = [ranks[start] - 0.04 / unit, ranks[end] + 0.04 / unit]
        ax.plot(ends, [y, y], color=COLOURS[0], linewidth=3, solid_capstyle="butt")
    for index, (name, rank) in enumerate(zip(names, ranks, strict=True)):
        left = index < half
        level = index if left else rows - 1 - index
        y = -depth - _ROW * (level + 0.5)
        edge = first - 0.06 / unit if left else last + 0.06 / unit
        ax.plot([rank, rank, edge], [0, y, y], color=INK, linewidth=0.7)
        nudge = -0.04 / unit if left else 0.04 / unit
        ax.text(edge + nudge, y, name, ha="right" if left else "left", va="center", size=8.5)
    return figure


def _ruler(ax: Axes, first: float, last: float, distance: float) -> None:
    """The axis of ranks with the critical difference above it."""
    ax.plot([first, last], [0, 0], color=INK, linewidth=1)
    step = max(1, math.ceil((last - first) / 10))
    for rank in range(int(first), int(last) + 1, step):
        ax.plot([rank, rank], [0, 0.05], color=INK, linewidth=1)
        ax.text(rank, 0.08, str(rank), ha="center", va="bottom", size=8)
    if distance <= last - first:
        ax.plot([first, first + distance], [0.42, 0.42], color=INK, linewidth=1)
        for end in (first, first + distance):
            ax.plot([end, end], [0.38, 0.46], color=INK, linewidth=1)
    ax.text(first, 0.5, f"critical difference {distance:.2f}", ha="left", va="bottom", size=8)
