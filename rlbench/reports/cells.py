"""Cells: the trials of one task, baseline, variant and tier as one number with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rlbench.core.errors import MissingError
from rlbench.core.stats import Interval, t_interval
from rlbench.reports.coverage import Line, cover
from rlbench.reports.frame import EXTRA


@dataclass(frozen=True)
class Score:
    """What one cell of a table holds."""

    seeds: tuple[int, ...]
    """The official seeds (all seeds, in tier `custom`) with a finite value, in order."""
    values: tuple[float, ...]
    """The primary metric of each, in the task's unit."""
    normalised: tuple[float, ...]
    """The same where the task's reference points are 0 and 1."""
    expected: int
    """How many seeds make it complete; 0 in tier `custom`, which is never ranked."""
    interval: Interval | None
    """Mean of `values` with Student's t interval; None without a value."""
    complete: bool
    notes: tuple[str, ...] = ()
    """What a reader must know of it, for a person."""


def score_cell(lines: Sequence[Line]) -> Score:
    """Judge one cell from its records (lines of the frame, one or more).

    Raises:
        MissingError: scipy, which the t interval needs, is not installed.
    """
    found = cover(lines)
    values = tuple(float(line["value"]) for line in found.counted)
    return Score(
        seeds=tuple(int(line["seed"]) for line in found.counted),
        values=values,
        normalised=tuple(float(line["normalised"]) for line in found.counted),
        expected=len(lines[0]["official_seeds"]),
        interval=_interval(values),
        complete=found.complete,
        notes=found.notes,
    )


def _interval(values: Sequence[float]) -> Interval | None:
    if not values:
        return None
    try:
        return t_interval(values)
    except ImportError as error:
        raise MissingError(f"intervals need scipy: {EXTRA}") from error
