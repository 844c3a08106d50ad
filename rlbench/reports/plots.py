"""Figures of a family: interval estimates, rank intervals, performance profiles, curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rlbench.core.stats import iqm, performance_profile
from rlbench.core.suite import Panel
from rlbench.reports.drawing import (
    COLOURS,
    INK,
    PAPER,
    WIDTH,
    Plot,
    look,
    new_figure,
    saved,
    short,
    style,
)
from rlbench.reports.families import FamilyTable, Row
from rlbench.reports.lines import line_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def family_plots(table: FamilyTable, panels: Sequence[Panel]) -> list[Plot]:
    """The figures that a family's results allow, in a fixed order.

    Args:
        table: the family; only its ranked rows are drawn, except in curves.
        panels: its curves, from `curves.panels`.

    Raises:
        MissingError: matplotlib is not installed.
    """
    found = []
    with style():
        if table.ranked:
            found.append(saved("intervals", *_INTERVALS, _intervals(table)))
            found.append(saved("ranks", *_RANKS, _ranks(table)))
            found.append(saved("profiles", *_PROFILES, _profiles(table)))
        if panels:
            labels = [row.label for row in table.rows]
            found.append(saved("curves", *_CURVES, line_figure(panels, "step", labels)))
    return found


_INTERVALS = (
    "IQM of normalised scores",
    "Point and 95 % interval of the interquartile mean over seeds and tasks; each small dot is "
    "the IQM of one seed.",
)
_RANKS = (
    "Rank by IQM",
    "Point and 95 % bootstrap interval of the rank; 1 is best. Rows whose bars overlap are not "
    "told apart by these seeds.",
)
_PROFILES = (
    "Performance profile",
    "Share of runs (seeds of all tasks) whose normalised score exceeds τ, with pointwise 95 % "
    "bands. Higher is better; curves that cross have no single winner.",
)
_CURVES = (
    "Curves over steps",
    "IQM over seeds of what was logged during the trial, with pointwise 95 % bands where there "
    "is more than one seed.",
)


def _look(table: FamilyTable, row: Row) -> dict[str, Any]:
    """Colour and dashes of a row, the same in all figures of its family."""
    return look(table.rows.index(row))


def _rows_axes(rows: Sequence[Row]) -> tuple[Figure, Axes]:
    """Axes with a line for each row, best on top, and room for its name."""
    figure, axes = new_figure(WIDTH, 0.75 + 0.3 * len(rows))
    ax: Axes = axes[0, 0]
    ax.set_yticks(range(len(rows)), [short(row.label) for row in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(visible=False, axis="y")
    return figure, ax


def _mark(ax: Axes, y: int, point: float, ends: tuple[float, float] | None, row: Row) -> None:
    """A point with its bar; hollow for reference rows. Ranked rows come first, so y tells all."""
    colour = COLOURS[y % len(COLOURS)]
    if ends is not None:
        ax.plot(ends, (y, y), color=colour, linewidth=5, alpha=0.45, solid_capstyle="butt")
    face = PAPER if row.reference else colour
    ax.plot(
        [point], [y], marker="o", markersize=6.5, markerfacecolor=face, markeredgecolor=colour,
        markeredgewidth=1.6, linestyle="none",
    )  # fmt: skip


def _intervals(table: FamilyTable) -> Figure:
    figure, ax = _rows_axes(table.ranked)
    for y, row in enumerate(table.ranked):
        if row.summary is None:
            continue
        interval, scores = row.summary.iqm, row.summary.scores
        dots = iqm(scores[:, None, :])
        ax.plot(dots, np.full(len(dots), y + 0.27), ".", color=INK, alpha=0.55, markersize=4)
        _mark(ax, y, interval.point, _pair(interval.low, interval.high), row)
    ax.set_xlabel("IQM of normalised scores →")
    return figure


def _ranks(table: FamilyTable) -> Figure:
    figure, ax = _rows_axes(table.ranked)
    for y, row in enumerate(table.ranked):
        if row.summary is None:
            continue
        rank = row.summary.rank
        # Half a rank to each side, so that a certain rank is a visible bar as well.
        low, high = _pair(rank.low, rank.high) or (rank.point, rank.point)
        known = rank.low is not None
        _mark(ax, y, rank.point, (low - 0.25, high + 0.25) if known else None, row)
    ax.set_xlim(0.5, len(table.ranked) + 0.5)
    ax.set_xticks(range(1, len(table.ranked) + 1, 1 + len(table.ranked) // 15))
    ax.set_xlabel("← rank by IQM")
    return figure


def _profiles(table: FamilyTable) -> Figure:
    rows = table.ranked
    figure, axes = new_figure(WIDTH, max(3.2, 0.9 + 0.2 * len(rows)))
    ax: Axes = axes[0, 0]
    scores = np.concatenate([row.summary.scores.ravel() for row in rows if row.summary])
    taus = np.linspace(min(0.0, float(scores.min())), max(1.0, float(scores.max())), 101)
    for row in rows:
        if row.summary is None:
            continue
        band = performance_profile(row.summary.scores, taus)
        look = _look(table, row)
        ax.plot(taus, band.point, label=short(row.label), **look)
        if band.low is not None and band.high is not None:
            ax.fill_between(taus, band.low, band.high, color=look["color"], alpha=0.12, linewidth=0)
    ax.set_ylim(-0.02, 1.02)
    ax.set_xlabel("normalised score τ")
    ax.locator_params(axis="x", nbins=6)
    ax.set_ylabel("share of runs above τ")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    return figure


def _pair(low: float | None, high: float | None) -> tuple[float, float] | None:
    return None if low is None or high is None else (low, high)
