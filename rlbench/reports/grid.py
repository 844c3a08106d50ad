"""A table before it has a format: entries with a text, a value to sort by and what they mean.

One rule for numbers: three decimals in a column of values up to 1, one less for each power of
ten above, one more for each below; so a column lines up. Normalised scores have three.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rlbench.core.stats import Interval, RankInterval
from rlbench.reports.cells import Score
from rlbench.reports.families import Column, FamilyTable, Row

Kind = Literal["text", "number", "reference", "incomplete", "missing", "code"]

ARROWS = {"higher": "↑", "lower": "↓"}
MISSING = "–"


@dataclass(frozen=True)
class Entry:
    """One field of a table; `text` is not escaped yet."""

    text: str
    sort: float | str | None = None
    kind: Kind = "number"
    hint: str = ""


@dataclass(frozen=True)
class Grid:
    """A header and rows of entries, all of one length."""

    header: tuple[Entry, ...]
    rows: tuple[tuple[Entry, ...], ...]


def family_grid(table: FamilyTable) -> Grid:
    """A family as people read it: baselines down, tasks and then aggregates across.

    The aggregates are left out of a tier that is never ranked.
    """
    places = [_decimals_of(table, index) for index in range(len(table.columns))]
    header = [Entry("baseline", kind="text"), *map(_column_header, table.columns)]
    aggregates = table.key.tier != "custom"
    if aggregates:
        header += _AGGREGATES
    rows = []
    for row in table.rows:
        cells = [
            _score(score, column, digits)
            for score, column, digits in zip(row.cells, table.columns, places, strict=True)
        ]
        rows.append((_name(row), *cells, *(_summary(row) if aggregates else ())))
    return Grid(tuple(header), tuple(rows))


def metrics_line(table: FamilyTable) -> str:
    """What the tasks measure, in which unit, and which way is better (not escaped)."""
    kinds: dict[str, list[str]] = {}
    for column in table.columns:
        unit = f" ({column.unit})" if column.unit else ""
        kind = f"{column.metric}{unit}, {column.direction} is better"
        kinds.setdefault(kind, []).append(column.label)
    if len(kinds) == 1:
        return f"Tasks: {next(iter(kinds))}."
    return " ".join(f"{', '.join(labels)}: {kind}." for kind, labels in kinds.items())


def decimals(values: Iterable[float]) -> int:
    """How many decimals a column of `values` gets: 3 up to 1, 2 up to 10, … (0 to 6)."""
    greatest = max((abs(value) for value in values), default=0.0)
    if not greatest > 0:
        return 3
    return min(6, max(0, 3 - math.ceil(math.log10(greatest))))


def interval_text(interval: Interval, digits: int = 3) -> str:
    """`0.834 [0.801, 0.861]`, without the bracket when there is no interval."""
    point = number_text(interval.point, digits)
    if interval.low is None or interval.high is None:
        return point
    return f"{point} [{number_text(interval.low, digits)}, {number_text(interval.high, digits)}]"


def rank_text(rank: RankInterval) -> str:
    """`1–3`; a lone rank without an interval carries a question mark."""
    if rank.low is None or rank.high is None:
        return f"{rank.point}?"
    return f"{rank.low}" if rank.low == rank.high else f"{rank.low}–{rank.high}"


def number_text(value: float, digits: int) -> str:
    """Fixed decimals; very great numbers in scientific form, and never a negative zero."""
    if abs(value) >= 1e7:
        return f"{value:.3g}"
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text


_AGGREGATES = (
    Entry("IQM ↑", hint="interquartile mean of normalised scores"),
    Entry("mean ↑", hint="mean of normalised scores"),
    Entry("median ↑", hint="median over tasks of normalised scores"),
    Entry("optimality gap ↓", hint="how far runs fall short of a normalised score of 1"),
    Entry("rank", hint="95 % interval of the rank by IQM"),
)


def _column_header(column: Column) -> Entry:
    unit = f", {column.unit}" if column.unit else ""
    hint = f"{column.title}: {column.metric}{unit}, {column.direction} is better"
    return Entry(f"{column.label} {ARROWS[column.direction]}", hint=hint)


def _decimals_of(table: FamilyTable, index: int) -> int:
    scores = [row.cells[index] for row in table.rows]
    return decimals(score.interval.point for score in scores if score and score.interval)


def _name(row: Row) -> Entry:
    return Entry(row.label, sort=row.label, kind="reference" if row.reference else "text")


def _score(score: Score | None, column: Column, digits: int) -> Entry:
    if score is None or score.interval is None:
        tail = f" (0/{score.expected})" if score is not None and score.expected else ""
        return Entry(f"{MISSING}{tail}", kind="missing", hint="no result")
    interval = score.interval
    text = number_text(interval.point, digits)
    if interval.high is not None:
        text += f" ± {number_text(interval.high - interval.point, digits)}"
    if not score.complete:
        text += _coverage(score)
    hint = f"{len(score.seeds)} seeds" + "".join(f"; {note}" for note in score.notes)
    return Entry(text, interval.point, "number" if score.complete else "incomplete", hint)


def _coverage(score: Score) -> str:
    """How much of an unranked cell is there, or that its recipes differ."""
    if not score.expected:
        return f" (n={len(score.seeds)})"
    full = len(score.seeds) == score.expected
    return " (mixed)" if full else f" ({len(score.seeds)}/{score.expected})"


def _summary(row: Row) -> Sequence[Entry]:
    summary = row.summary
    if summary is None:
        return [Entry(MISSING, kind="missing", hint="not complete, so not ranked")] * 5
    intervals = (summary.iqm, summary.mean, summary.median, summary.gap)
    rank = Entry(rank_text(summary.rank), float(summary.rank.point))
    return [*(Entry(interval_text(each), each.point) for each in intervals), rank]
