"""Curves of training as a picture; imports no torch, and matplotlib only to draw."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlbench.core.errors import CorruptError, MissingError

Array = np.ndarray[Any, Any]
Points = tuple[Array, Array]
"""Environment steps int64 [p] and values float64 [p]."""

MAX_BYTES = 32 * 1024 * 1024
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d5a")
_DASHES = ("-", "--", ":", "-.")
_GRID = 200


def read_points(path: Path, name: str) -> Points | None:
    """What a trial's curve file says of one value; None where it says nothing.

    Raises:
        CorruptError: too big, or no table of numbers with a `step`.
    """
    if path.stat().st_size > MAX_BYTES:
        raise CorruptError(f"{path}: larger than {MAX_BYTES} bytes")
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = [(row["step"], row[name]) for row in csv.DictReader(stream) if row.get(name)]
        steps = np.array([int(step) for step, _ in rows])
        values = np.array([float(value) for _, value in rows])
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise CorruptError(f"{path}: no curve: {error!r:.80}") from error
    return (steps, values) if len(steps) else None


def mean_points(curves: Sequence[Points]) -> Points:
    """The mean over trials on a common grid, as far as all of them go."""
    last = min(int(steps[-1]) for steps, _ in curves)
    first = max(int(steps[0]) for steps, _ in curves)
    grid = np.linspace(min(first, last), last, _GRID)
    return grid, np.mean([np.interp(grid, *curve) for curve in curves], axis=0)


def chart(
    lines: Mapping[str, Points], *, axis: str, levels: Mapping[str, float] | None = None
) -> bytes:
    """The bytes of a PNG.

    Args:
        lines: by label.
        axis: what the values are; a share, from 0 to 1.
        levels: horizontal lines by label.

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
        figure = Figure(figsize=(6.4, 3.4), layout="constrained")
        axes = figure.subplots()
        for i, (label, (steps, values)) in enumerate(lines.items()):
            colour, dash = _COLOURS[i % 7], _DASHES[i // 7 % 4]
            axes.plot(steps, values, dash, color=colour, label=label, lw=1.3)
        for label, level in (levels or {}).items():
            axes.axhline(level, color="#555555", lw=0.8, ls=(0, (4, 3)))
            axes.annotate(
                label, (1, level), xycoords=("axes fraction", "data"), ha="right", va="bottom",
                fontsize=7, color="#555555",
            )  # fmt: skip
        axes.set(xlabel="environment steps", ylabel=axis, ylim=(0, 1.05))
        axes.set_xlim(left=0)
        figure.legend(loc="outside upper center", ncols=4, frameon=False)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=150, metadata={"Software": None})
    return stream.getvalue()
