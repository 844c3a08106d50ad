"""A curriculum over time, as pictures: the levels that were chosen, and how hard they were.

Reads a record's evidence and curve; imports no torch, and Pillow and matplotlib only to draw.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlbench.core.errors import CorruptError, MissingError
from rlbench.suites.ued.draw import Picture, captioned, draw_level, sheet, stack

Arrays = Mapping[str, np.ndarray[Any, Any]]
Curve = Mapping[str, Mapping[int, float]]
"""A logged value's name to its points: student updates to number."""

PANELS = {
    "walls": "walls of a level",
    "path": "shortest path, moves",
    "solvable": "share of levels that can be solved",
    "solved": "share of training episodes solved",
}
"""What is drawn of a curve, averaged over the levels that the student learnt from."""
MAX_BYTES = 32 * 1024 * 1024
_PARTS = ("walls", "agent", "direction", "goal")
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d5a")
_DASHES = ("-", "--", ":", "-.")


def pictures(evidence: Arrays, mark: str, *, tile: int) -> list[Picture]:
    """The levels that evidence keeps under `mark` (`seen`, `found`), drawn; none without any."""
    if f"{mark}_walls" not in evidence:
        return []
    levels = zip(*(evidence[f"{mark}_{part}"] for part in _PARTS), strict=True)
    return [
        draw_level(walls, int(agent), int(look), int(goal), tile)
        for walls, agent, look, goal in levels
    ]


def snapshots(evidence: Arrays, *, tile: int) -> dict[int, list[Picture]]:
    """The levels that the student learnt from, by the number of its updates so far."""
    drawn = pictures(evidence, "seen", tile=tile)
    if not drawn:
        return {}
    updates = evidence["seen_update"].tolist()
    each = len(drawn) // len(updates)
    return {now: drawn[i * each : (i + 1) * each] for i, now in enumerate(updates)}


def by_rows(evidence: Arrays, *, tile: int = 8) -> Picture | None:
    """Every level of every snapshot: a row for each, under the number of updates."""
    seen = snapshots(evidence, tile=tile)
    rows = [
        captioned(sheet(levels, columns=len(levels)), f"update {now:,}")
        for now, levels in seen.items()
    ]
    return stack(rows) if rows else None


def by_columns(evidence: Arrays, *, levels: int = 3, tile: int = 5) -> Picture | None:
    """A few levels of each snapshot below one another, time going to the right."""
    seen = snapshots(evidence, tile=tile)
    if not seen:
        return None
    shown = [found[:levels] for found in seen.values()]
    line = [column[i] for i in range(len(shown[0])) for column in shown]
    return sheet(line, columns=len(shown))


def read_curve(path: Path) -> Curve:
    """The part of a trial's curve file that `PANELS` names.

    Raises:
        CorruptError: too big, or no table of numbers with a `step`.
    """
    if path.stat().st_size > MAX_BYTES:
        raise CorruptError(f"{path}: larger than {MAX_BYTES} bytes")
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        return {
            name: {int(row["step"]): float(row[name]) for row in rows if row.get(name)}
            for name in PANELS
        }
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise CorruptError(f"{path}: no curve: {error!r:.80}") from error


def mean_curve(curves: Sequence[Curve], name: str) -> tuple[list[int], list[float]]:
    """Updates, and the mean over the curves that have a point there."""
    points: dict[int, list[float]] = defaultdict(list)
    for curve in curves:
        for step, value in curve.get(name, {}).items():
            points[step].append(value)
    steps = sorted(points)
    return steps, [sum(points[step]) / len(points[step]) for step in steps]


def chart(curves: Mapping[str, Sequence[Curve]]) -> bytes:
    """The bytes of a PNG: a panel for each of `PANELS`, a line for each key, mean over its curves.

    Raises:
        MissingError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingError('charts need matplotlib: pip install "rlbench[report]"') from error
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({"font.size": 8, "text.parse_math": False, "axes.grid": True})
        mpl.rcParams.update({"grid.alpha": 0.2, "axes.spines.top": False})
        figure = Figure(figsize=(7.2, 4.8), layout="constrained")
        axes = list(figure.subplots(2, 2, sharex=True).flat)
        for axis, (name, title) in zip(axes, PANELS.items(), strict=True):
            for i, (label, found) in enumerate(curves.items()):
                colour, dash = _COLOURS[i % 7], _DASHES[i // 7 % 4]
                steps, values = mean_curve(found, name)
                axis.plot(steps, values, dash, color=colour, label=label, marker=".", ms=3, lw=1.2)
            axis.set_title(title, loc="left", fontsize=9)
            axis.set_ylim(bottom=0, top=1.03 if title.startswith("share") else None)
        for axis in axes[2:]:
            axis.set_xlabel("updates of the student")
            axis.xaxis.get_major_locator().set_params(integer=True)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=150, metadata={"Software": None})
    return stream.getvalue()
