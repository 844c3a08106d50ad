"""Family tables: which cells may stand side by side, and what may be averaged over them.

One table holds one suite, tier, source, task version, family and origin: numbers from other code
or another budget never meet in it, and self-made tasks are never averaged with real ones. The
user's rows and the reference rows stand together where the source is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rlbench.core.spec import TIERS
from rlbench.core.stats import (
    Array,
    Interval,
    RankInterval,
    bootstrap_interval,
    iqm,
    mean,
    median,
    optimality_gap,
    rank_intervals,
)
from rlbench.reports.cells import Score, score_cell
from rlbench.reports.coverage import Line
from rlbench.reports.frame import lines_of

if TYPE_CHECKING:
    import pandas as pd

TIER_ORDER = (*reversed(TIERS), "custom")
"""As reports show them: the most costly first."""
REFERENCE_MARK = " (reference)"
"""Behind the name of a row of the records that come with rlbench."""
REPS = 10_000
"""Bootstrap replicates of each interval: the ends then move by about 1 % of the width."""


class Key(NamedTuple):
    """What everything in one table shares."""

    suite: str
    tier: str
    family: str
    origin: str
    version: int
    source: str


@dataclass(frozen=True)
class Column:
    """A task of the family."""

    task: str
    """The id, with a mark where one task needs two columns."""
    label: str
    """Short, for a header: the task's name without the family's."""
    title: str
    group: str
    metric: str
    unit: str
    direction: str
    low: float
    high: float
    protocol: str


@dataclass(frozen=True)
class Summary:
    """A row's aggregates over all tasks of the table, on normalised scores."""

    scores: Array
    """`(runs, tasks)`."""
    iqm: Interval
    mean: Interval
    median: Interval
    gap: Interval
    rank: RankInterval


@dataclass(frozen=True)
class Row:
    """A baseline with its variant, the user's own or the reference."""

    label: str
    name: str
    reference: bool
    cells: tuple[Score | None, ...]
    """One per column; None where there is no record."""
    summary: Summary | None = None
    """None for a row that is not complete on every task of the table."""


@dataclass(frozen=True)
class FamilyTable:
    """One family's results: columns are tasks, rows are baselines, best first."""

    key: Key
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def ranked(self) -> tuple[Row, ...]:
        """The rows that are complete, best first."""
        return tuple(row for row in self.rows if row.summary is not None)


def family_tables(frame: pd.DataFrame) -> list[FamilyTable]:
    """All tables that the records of a frame make, in a fixed order.

    Suites and families go by name, tiers from paper down to smoke and custom, and of several
    sources those with rows of the user's own come first.

    Raises:
        MissingError: scipy is not installed.
    """
    lines = lines_of(frame)
    grouped: dict[Key, list[Line]] = {}
    for line in lines:
        grouped.setdefault(key_of(line), []).append(line)

    def order(key: Key) -> tuple[object, ...]:
        only_reference = all(line["where"] == "reference" for line in grouped[key])
        tier = TIER_ORDER.index(key.tier)
        return (key.suite, tier, key.family, key.origin, only_reference, -key.version, key.source)

    return [_table(key, grouped[key]) for key in sorted(grouped, key=order)]


def key_of(line: Line) -> Key:
    """The table that a record belongs to."""
    return Key(*(line[name] for name in Key._fields))


def _table(key: Key, lines: list[Line]) -> FamilyTable:
    columns = _columns(lines)
    notes = _column_notes(lines)
    place = {column.protocol: index for index, column in enumerate(columns)}
    lines = sorted(lines, key=_row_key)  # stable: seeds and roots keep their order
    rows = []
    for (name, where), found in groupby(lines, key=_row_key):
        cells: list[list[Line]] = [[] for _ in columns]
        for line in found:
            cells[place[line["protocol"]]].append(line)
        reference = where == "reference"
        label = name + REFERENCE_MARK * reference
        scores = tuple(score_cell(cell) if cell else None for cell in cells)
        rows.append(Row(label, name, reference, scores))
        notes += [
            f"{label} on {column.label}: {note}"
            for column, score in zip(columns, scores, strict=True)
            for note in (score.notes if score else ())
        ]
    if key.tier == "custom":
        notes.append("tier custom: budgets differ from the official ones, so nothing is ranked")
    ranked, more = _rank(rows)
    return FamilyTable(key, columns, ranked, (*notes, *more))


def _row_key(line: Line) -> tuple[str, str]:
    return line["row"], line["where"]


def _columns(lines: Sequence[Line]) -> tuple[Column, ...]:
    found: dict[str, Column] = {}
    for line in lines:
        found.setdefault(
            line["protocol"],
            Column(
                task=line["task"],
                label=line["task"].partition("/")[2].removeprefix(f"{line['family']}-"),
                title=line["title"],
                group=line["group"],
                metric=line["metric"],
                unit=line["unit"],
                direction=line["direction"],
                low=line["low"],
                high=line["high"],
                protocol=line["protocol"],
            ),
        )
    columns = sorted(found.values(), key=lambda c: (c.group, c.task, c.protocol))
    tasks = [column.task for column in columns]
    return tuple(_told_apart(c) if tasks.count(c.task) > 1 else c for c in columns)


def _told_apart(column: Column) -> Column:
    mark = f" ({column.protocol[:6]})"
    return replace(column, task=f"{column.task}{mark}", label=f"{column.label}{mark}")


def _column_notes(lines: Sequence[Line]) -> list[str]:
    tasks = [task for task, _ in sorted({(line["task"], line["protocol"]) for line in lines})]
    return [
        f"{task}: the spec or the protocol differs between records of one version, so each has a "
        "column of its own"
        for task in dict.fromkeys(tasks)
        if tasks.count(task) > 1
    ]


def _rank(rows: Sequence[Row]) -> tuple[tuple[Row, ...], list[str]]:
    """Rows with aggregates, best first, the others behind them by name."""
    full = {row.label: row for row in rows if all(c and c.complete for c in row.cells)}
    rest = sorted((row for row in rows if row.label not in full), key=lambda row: row.label)
    shared = _shared_seeds(list(full.values()))
    if not full or not shared:
        notes = ["the tasks share no official seed, so nothing is averaged"] if full else []
        return (*sorted(full.values(), key=lambda row: row.label), *rest), notes
    scores = {label: _matrix(row, shared) for label, row in full.items()}
    ranks = rank_intervals(scores, reps=REPS)
    done = [
        replace(row, summary=_summary(scores[label], ranks[label])) for label, row in full.items()
    ]
    done.sort(key=lambda row: (-row.summary.iqm.point if row.summary else 0.0, row.label))
    most = max(len(cell.seeds) for row in full.values() for cell in row.cells if cell)
    notes = [f"aggregates use the {len(shared)} seeds that all tasks have"]
    return (*done, *rest), notes if len(shared) < most else []


def _shared_seeds(rows: Sequence[Row]) -> list[int]:
    """The official seeds that every task has, so that each weighs the same."""
    seeds = [set(cell.seeds) for row in rows for cell in row.cells if cell]
    return sorted(set.intersection(*seeds)) if seeds else []


def _matrix(row: Row, seeds: Sequence[int]) -> Array:
    """Normalised scores `(runs, tasks)`."""
    columns = [dict(zip(c.seeds, c.normalised, strict=True)) for c in row.cells if c]
    return np.array([[column[seed] for column in columns] for seed in seeds])


def _summary(scores: Array, rank: RankInterval) -> Summary:
    return Summary(
        scores=scores,
        iqm=bootstrap_interval(scores, iqm, reps=REPS),
        mean=bootstrap_interval(scores, mean, reps=REPS),
        median=bootstrap_interval(scores, median, reps=REPS),
        gap=bootstrap_interval(scores, optimality_gap, reps=REPS),
        rank=rank,
    )
