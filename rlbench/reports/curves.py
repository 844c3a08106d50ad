"""Sample-efficiency curves of a family: what its trials logged, as panels to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rlbench.core.curves import Logged, read_curve, series
from rlbench.core.errors import CorruptError
from rlbench.core.suite import Panel
from rlbench.reports.coverage import Line
from rlbench.reports.families import Column, FamilyTable
from rlbench.reports.grid import ARROWS

MAX_VALUES = 4
"""Panels for a task that logs much but not its primary metric."""
MAX_PANELS = 24
"""Panels of a family: more would not be read, and the picture would grow without end."""


def panels(table: FamilyTable, lines: Sequence[Line]) -> tuple[list[Panel], list[str]]:
    """The panels that the curve files of a table's records allow, and notes on what is left out.

    The primary metric is shown where it was logged, else what was. A row needs all of its
    cell's seeds, and at least two steps that all of them logged; its label names its line.

    Args:
        table: the family.
        lines: its records, as lines of the frame.
    """
    found: list[Panel] = []
    notes: list[str] = []
    for index, column in enumerate(table.columns):
        curves = _curves(table, index, lines, notes)
        names = _values(column, [logged for seeds in curves.values() for logged in seeds])
        for name in names[:MAX_VALUES]:
            if drawn := series(curves, name):
                arrow = f" {ARROWS[column.direction]}" if name == column.metric else ""
                found.append(Panel(f"{column.label} · {name}{arrow}", drawn))
        if len(names) > MAX_VALUES:
            notes.append(f"{column.label}: {len(names) - MAX_VALUES} more logged values not drawn")
    if len(found) > MAX_PANELS:
        notes.append(f"curves: {len(found) - MAX_PANELS} more panels not drawn")
    return found[:MAX_PANELS], notes


def _curves(
    table: FamilyTable, index: int, lines: Sequence[Line], notes: list[str]
) -> dict[str, list[Logged]]:
    """Per row, the curves of one column's cell; empty where a seed lacks one."""
    protocol = table.columns[index].protocol
    paths = {
        (line["row"], line["where"] == "reference", line["seed"]): line["curve"]
        for line in reversed(lines)  # of two records of a seed the first counts, as in the cell
        if line["protocol"] == protocol
    }
    curves: dict[str, list[Logged]] = {}
    for row in table.rows:
        score = row.cells[index]
        usable = score is not None and (score.complete or not score.expected)
        files = [paths[row.name, row.reference, s] for s in score.seeds] if score and usable else []
        try:
            curves[row.label] = [read_curve(Path(file)) for file in files] if all(files) else []
        except CorruptError as error:
            curves[row.label] = []
            # The file's name is enough: a report holds no path of the machine that made it.
            told = str(error).replace(f"{Path(files[0]).parent}/", "")
            notes.append(f"{row.label} on {table.columns[index].label}: no curve drawn: {told}")
    return curves


def _values(column: Column, curves: Sequence[Mapping[str, object]]) -> list[str]:
    names = sorted({name for logged in curves for name in logged})
    return [column.metric] if column.metric in names else names
