"""Two baselines against each other, over the cells that both have complete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rlbench.core.errors import RlbenchError, UsageError, closest
from rlbench.core.stats import Array, Interval, Welch, probability_of_improvement, welch
from rlbench.reports.families import Column, FamilyTable, Key, Row, family_tables
from rlbench.reports.grid import ARROWS, Entry, Grid, decimals, number_text

if TYPE_CHECKING:
    import pandas as pd

    from rlbench.reports.cells import Score


@dataclass(frozen=True)
class TaskDifference:
    """Both rows on one task, in its unit."""

    task: str
    metric: str
    unit: str
    direction: str
    runs: tuple[int, int]
    means: tuple[float, float]
    test: Welch | None
    """Welch's test of A - B; None where a side has a single run."""

    @property
    def better(self) -> str:
        """Which of "A" and "B" wins: empty where the interval of the difference holds 0."""
        if self.test is None or self.test.low <= 0 <= self.test.high:
            return ""
        return "A" if (self.test.difference > 0) is (self.direction == "higher") else "B"


@dataclass(frozen=True)
class FamilyComparison:
    """Two rows of one table."""

    key: Key
    a: str
    b: str
    tasks: tuple[TaskDifference, ...]
    improvement: Interval
    """The chance that a run of A beats one of B on a task drawn at random (ties count half)."""


def compare(
    frame: pd.DataFrame, a: str, b: str, *, tier: str | None = None
) -> list[FamilyComparison]:
    """Compare two rows wherever a table holds both and they share complete cells.

    Args:
        frame: from `load_results`.
        a: a row as tables name it: `knn`, `knn+k=5`, `knn (reference)`. A plain name means the
            user's own row, or the reference where there is none of the user's.
        b: the same.
        tier: this tier only.

    Raises:
        UsageError: no row has one of the names, or both are the same.
        RlbenchError: there is nothing that both have complete.
        MissingError: scipy is not installed.
    """
    if a == b:
        raise UsageError(f"'{a}' is named twice; compare two different rows")
    tables = [t for t in family_tables(frame) if tier is None or t.key.tier == tier]
    _check_names(tables, (a, b), tier)
    found = []
    for table in tables:
        first, second = _row(table, a), _row(table, b)
        if first is not None and second is not None and first is not second:
            result = _compare(table, first, second)
            if result is not None:
                found.append(result)
    if not found:
        where = f" at tier {tier}" if tier else ""
        raise RlbenchError(
            f"'{a}' and '{b}' have no task{where} on which both are complete with the same source "
            "(rlbench status shows what is missing)"
        )
    return found


def _check_names(tables: Sequence[FamilyTable], names: Sequence[str], tier: str | None) -> None:
    known = {row.label for table in tables for row in table.rows}
    known |= {row.name for table in tables for row in table.rows}
    for name in names:
        if name not in known:
            where = f" at tier {tier}" if tier else ""
            raise UsageError(f"no results of a baseline '{name}'{where}{closest(name, known)}")


def _row(table: FamilyTable, name: str) -> Row | None:
    """The row of that label; own rows come before reference rows of the same name."""
    rows = sorted(table.rows, key=lambda row: row.reference)
    return next((row for row in rows if name in (row.label, row.name)), None)


def _compare(table: FamilyTable, a: Row, b: Row) -> FamilyComparison | None:
    shared = [
        (column, x, y)
        for column, x, y in zip(table.columns, a.cells, b.cells, strict=True)
        if x is not None and y is not None and x.complete and y.complete
    ]
    if not shared:
        return None
    improvement = probability_of_improvement(
        _matrix([x for _, x, _ in shared]), _matrix([y for _, _, y in shared])
    )
    tasks = tuple(_difference(column, x, y) for column, x, y in shared)
    return FamilyComparison(table.key, a.label, b.label, tasks, improvement)


def _matrix(scores: Sequence[Score]) -> Array:
    """Normalised scores `(runs, tasks)` over the first runs that all tasks have."""
    runs = min(len(score.normalised) for score in scores)
    return np.array([score.normalised[:runs] for score in scores]).T


def _difference(column: Column, x: Score, y: Score) -> TaskDifference:
    runs = len(x.values), len(y.values)
    means = float(np.mean(x.values)), float(np.mean(y.values))
    test = welch(x.values, y.values) if min(runs) > 1 else None
    return TaskDifference(
        column.task, column.metric, column.unit, column.direction, runs, means, test
    )


def comparison_grid(found: FamilyComparison) -> Grid:
    """One family's comparison as people read it."""
    names = ("task", found.a, found.b, "difference", "95 % interval", "p", "Hedges' g", "better")
    header = [Entry(name, kind="number") for name in names]
    header[0] = Entry("task", kind="text")
    header[-1] = Entry("better", kind="text")
    rows = [_grid_row(found, one) for one in found.tasks]
    return Grid(tuple(header), tuple(rows))


def _grid_row(found: FamilyComparison, one: TaskDifference) -> tuple[Entry, ...]:
    digits = decimals(one.means)
    means = [number_text(value, digits) for value in one.means]
    difference = number_text(one.means[0] - one.means[1], digits)
    if one.test is None:
        tail = ["–", "–", "–", "one run, no test"]
    else:
        ends = (number_text(end, digits) for end in (one.test.low, one.test.high))
        winner = {"A": found.a, "B": found.b, "": "not told apart"}[one.better]
        p = f"{one.test.p:.1e}" if 0 < one.test.p < 0.001 else f"{one.test.p:.3f}"
        tail = [f"[{', '.join(ends)}]", p, f"{one.test.hedges_g:+.2f}", winner]
    texts = [f"{one.task} {ARROWS[one.direction]}", *means, difference, *tail]
    return tuple(Entry(text, kind="text") for text in texts)
