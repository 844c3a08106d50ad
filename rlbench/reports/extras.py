"""What the registry adds to a report: published figures, and the suites' own views.

Neither is needed: records that somebody else produced, for a suite that is not installed here,
still make a whole report.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rlbench.core.errors import RlbenchError
from rlbench.core.registry import Registry
from rlbench.core.suite import View
from rlbench.reports.families import FamilyTable
from rlbench.reports.grid import MISSING, Entry, Grid, decimals, number_text

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ViewTable:
    """A suite's own table over one tier and one source."""

    suite: str
    tier: str
    source: str
    where: str
    name: str
    title: str
    doc: str
    grid: Grid


def load_registry() -> tuple[Registry, list[str]]:
    """The registry, or an empty one and why."""
    try:
        return Registry.load(), []
    except RlbenchError as error:
        return Registry(), [f"published figures are left out: {error}"]


def published(table: FamilyTable, registry: Registry) -> Grid | None:
    """What papers print for the tasks of a family, or None; never mixed with measured numbers."""
    rows = []
    for column in table.columns:
        spec = registry.tasks.get(column.task)
        if spec is None or spec.version != table.key.version:
            continue
        for one in spec.published:
            texts = (column.label, one.baseline, one.metric or column.metric)
            rows.append(
                (
                    *(Entry(text, text, "text") for text in texts),
                    Entry(f"{one.value:g}", one.value),
                    *(Entry(text, text, "text") for text in (one.source, one.note)),
                )
            )
    header = [Entry(name, kind="text") for name in ("task", "method", "metric")]
    header += [Entry("value"), Entry("source", kind="text"), Entry("note", kind="text")]
    return Grid(tuple(header), tuple(rows)) if rows else None


def view_tables(frame: pd.DataFrame, registry: Registry) -> tuple[list[ViewTable], list[str]]:
    """The views of every suite, for each tier, source and origin of records apart.

    The user's own records and the reference never meet in one view, and tier `custom` has none.

    Returns:
        The tables, and one line for each view or suite that could not be used.
    """
    found: list[ViewTable] = []
    problems: list[str] = []
    official = frame[frame["tier"] != "custom"]
    for suite in sorted(set(official["suite"])):
        if suite not in registry.suite_names:
            problems.append(f"views of suite '{suite}' are left out: it is not installed here")
            continue
        try:
            views = registry.suite(suite).views()
        except RlbenchError as error:
            problems.append(f"views of suite '{suite}' are left out: {error}")
            continue
        own = official[official["suite"] == suite]
        for (tier, source, where), part in own.groupby(["tier", "source", "where"]):
            for view in views:
                grid, problem = _build(view, part.reset_index(drop=True))
                if problem:
                    problems.append(f"view '{view.name}' of suite '{suite}' failed: {problem}")
                if grid is not None:
                    key = (suite, str(tier), str(source), str(where))
                    found.append(ViewTable(*key, view.name, view.title, view.doc, grid))
    return found, problems


def _build(view: View, frame: pd.DataFrame) -> tuple[Grid | None, str]:
    try:
        table = view.build(frame)
    except Exception as error:  # a third party's code must not cost the rest of the report
        return None, f"{type(error).__name__}: {error}"
    return (None if table is None or table.empty else frame_grid(table)), ""


def frame_grid(frame: pd.DataFrame) -> Grid:
    """A frame as a grid: a named index becomes columns, and a column has one precision."""
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    columns = [frame.iloc[:, index].tolist() for index in range(frame.shape[1])]
    numeric = [all(map(_is_number, column)) for column in columns]
    header = [
        Entry(str(name), kind="number" if number else "text")
        for name, number in zip(frame.columns, numeric, strict=True)
    ]
    shown = [_column(column, n) for column, n in zip(columns, numeric, strict=True)]
    return Grid(tuple(header), tuple(zip(*shown, strict=True)))


def _column(values: list[Any], numeric: bool) -> list[Entry]:
    if not numeric:
        return [Entry(str(value), str(value), "text") for value in values]
    if all(isinstance(value, int) for value in values):
        return [Entry(str(value), float(value)) for value in values]
    digits = decimals(value for value in values if math.isfinite(value))
    return [
        Entry(number_text(value, digits), float(value))
        if math.isfinite(value)
        else Entry(MISSING, kind="missing")
        for value in values
    ]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
