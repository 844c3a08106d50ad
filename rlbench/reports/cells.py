"""Cells: the trials of one task, baseline, variant and tier, and whether they may be ranked.

Only official seeds enter a cell, and only a cell that has all of them, with finite values and one
recipe, is complete. What is missing stays missing: it is never 0 and never filled in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rlbench.core.errors import MissingError
from rlbench.core.stats import Interval, t_interval
from rlbench.reports.frame import EXTRA, Line

LIMIT = 1e100
"""Greater numbers count as infinite: sums of their squares would be."""


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
    official = tuple(lines[0]["official_seeds"])
    used: dict[int, Line] = {}
    notes: list[str] = []
    extra = []
    for line in lines:
        seed = int(line["seed"])
        if official and seed not in official:
            extra.append(seed)
        elif seed in used:
            notes.append(f"seed {seed} is there twice, the first counts")
        else:
            used[seed] = line
    if extra:
        notes.append(f"{_seeds(extra)} not official, left out")
    finite = [seed for seed in sorted(used) if _finite(used[seed])]
    if len(finite) < len(used):
        notes.append(f"{_seeds(sorted(set(used) - set(finite)))} without a finite value")
    recipes = Counter(used[seed]["recipe"] for seed in finite)
    if len(recipes) > 1:
        notes.append(f"mixes {len(recipes)} recipes, so it is not ranked")
    values = tuple(float(used[seed]["value"]) for seed in finite)
    return Score(
        seeds=tuple(finite),
        values=values,
        normalised=tuple(float(used[seed]["normalised"]) for seed in finite),
        expected=len(official),
        interval=_interval(values),
        complete=bool(official) and set(finite) == set(official) and len(recipes) == 1,
        notes=tuple(notes),
    )


def _finite(line: Line) -> bool:
    return usable(line["value"]) and usable(line["normalised"])


def usable(value: float) -> bool:
    """Whether statistics can be computed with it; NaN and infinities fail."""
    return abs(value) < LIMIT


def _interval(values: Sequence[float]) -> Interval | None:
    if not values:
        return None
    try:
        return t_interval(values)
    except ImportError as error:
        raise MissingError(f"intervals need scipy: {EXTRA}") from error


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
