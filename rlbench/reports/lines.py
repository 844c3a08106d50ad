"""Panels of lines over steps: the curves of a family, and the line plots of a suite's view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rlbench.core.suite import LinePlot, Panel, Series
from rlbench.reports.drawing import INK, WIDTH, label_inches, look, new_figure, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEIGHT = 2.5  # inches, of a panel
_SMALL = 8  # points, in the legend and on levels
_HANDLE = 0.35  # inches, beside a label of the legend
# Of a level's label: its place across the axes, what it is moved by in points, its alignment.
_UNDER_LEFT = (0, (3, -2), "left", "top")
_OVER_RIGHT = (1, (-3, 2), "right", "bottom")
_MARGIN = 0.02  # beyond the limits, so that a line on them keeps its width


def line_plot(exhibit: LinePlot) -> Figure:
    """The figure of a view's line plot.

    Raises:
        ValueError: it has no line, or a line's parts differ in length.
    """
    lines = [one for panel in exhibit.panels for one in panel.series]
    if not lines:
        raise ValueError(f"{exhibit.name}: expected at least one line, found none")
    for one in lines:
        if one.steps.shape != one.band.point.shape:
            raise ValueError(
                f"{exhibit.name}: {one.label}: expected {one.steps.shape} for its values,"
                f" found {one.band.point.shape}"
            )
    return line_figure(exhibit.panels, exhibit.x_label, list(dict.fromkeys(o.label for o in lines)))


def line_figure(panels: Sequence[Panel], x_label: str, labels: Sequence[str]) -> Figure:
    """The figure; two panels stand beside each other.

    Args:
        panels: at least one.
        x_label: what the steps count.
        labels: every line's; their order gives colours and dashes.
    """
    across = min(2, len(panels))
    down = -(-len(panels) // across)
    drawn = {one.label for panel in panels for one in panel.series}
    keys = [label for label in labels if label in drawn]
    room = int(WIDTH / (_HANDLE + label_inches(keys)))
    columns = max(1, min(4, len(keys), room))
    height = _HEIGHT * down + 0.25 * -(-len(keys) // columns)
    figure, axes = new_figure(WIDTH, height, nrows=down, ncols=across)
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    handles: dict[str, Any] = {}
    for ax, panel in zip(axes.flat, panels, strict=False):
        for one in panel.series:
            handles[one.label] = _draw_line(ax, one, look(labels.index(one.label)))
        _finish(ax, panel, x_label)
    figure.legend(
        [handles[label] for label in keys], list(map(short, keys)), loc="outside lower center",
        ncols=columns, fontsize=_SMALL,
    )  # fmt: skip
    return figure


def _draw_line(ax: Axes, one: Series, style: dict[str, Any]) -> Any:
    """Draw a line with its band; returns what stands for it in the legend."""
    (handle,) = ax.plot(one.steps, one.band.point, **style)
    low, high = one.band.low, one.band.high
    if low is not None and high is not None:
        ax.fill_between(one.steps, low, high, color=style["color"], alpha=0.14, linewidth=0)
    return handle


def _finish(ax: Axes, panel: Panel, x_label: str) -> None:
    """Axes, and the horizontal lines; their labels stand where lines that rise leave room."""
    for level in panel.levels.values():
        ax.axhline(level, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    ax.set_ylim(*panel.limits)
    low, high = ax.get_ylim()
    ax.set_ylim(low - _MARGIN * (high - low), high + _MARGIN * (high - low))
    for label, level in panel.levels.items():
        high_up = level > (low + high) / 2
        x, nudge, ha, va = _UNDER_LEFT if high_up else _OVER_RIGHT
        ax.annotate(
            short(label), (x, level), nudge, ax.get_yaxis_transform(), "offset points",
            ha=ha, va=va, fontsize=_SMALL,
        )  # fmt: skip
    ax.set_title(short(panel.y_label))
    ax.set_xlabel(short(x_label))
    ax.xaxis.set_major_formatter(_compact)
    ax.locator_params(axis="x", nbins=5, integer=True)


def _compact(value: float, _position: object = None) -> str:
    """`20k`, `1.5M`."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
