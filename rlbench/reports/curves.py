"""Sample-efficiency curves: what trials logged over their steps, brought to common checkpoints."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rlbench.core.errors import CorruptError
from rlbench.core.stats import Array, Band, curve_band
from rlbench.reports.coverage import Line, usable
from rlbench.reports.families import Column, FamilyTable, Row

MAX_BYTES = 32 * 1024 * 1024
MAX_POINTS = 200
MAX_VALUES = 4
"""Panels for a task that logs much but not its primary metric."""
MAX_PANELS = 24
"""Panels of a family: more would not be read, and the picture would grow without end."""

Logged = dict[str, dict[int, float]]
"""A value's name to its points, step by step."""


@dataclass(frozen=True)
class Series:
    """One row's curve in one panel."""

    row: Row
    steps: Array
    band: Band


@dataclass(frozen=True)
class Panel:
    """One logged value of one task."""

    column: Column
    value: str
    series: tuple[Series, ...]


def read_curve(path: Path) -> Logged:
    """The curve file of a trial.

    Raises:
        CorruptError: unreadable, too big, or not a table of finite numbers with a `step` first.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CorruptError(f"{path}: larger than {MAX_BYTES} bytes")
        with path.open(encoding="utf-8", newline="") as stream:
            return _parse(csv.reader(stream))
    except OSError as error:
        raise CorruptError(f"{path}: cannot read: {error.strerror or error}") from error
    except (ValueError, csv.Error) as error:
        raise CorruptError(f"{path}: no curve: {error}") from error


def _parse(rows: Iterator[list[str]]) -> Logged:
    header = next(rows, [])
    if header[:1] != ["step"] or len(set(header)) < len(header):
        raise ValueError(f"expected a header of distinct names, 'step' first, found {header!r:.60}")
    logged: Logged = {name: {} for name in header[1:]}
    for fields in rows:
        step = int(fields[0])
        for name, text in zip(header[1:], fields[1:], strict=True):
            if text:
                value = float(text)
                if not usable(value):
                    raise ValueError(f"step {step}: {name} is {text:.20}")
                logged[name][step] = value
    return logged


def panels(table: FamilyTable, lines: Sequence[Line]) -> tuple[list[Panel], list[str]]:
    """The panels that the curve files of a table's records allow, and notes on what is left out.

    The primary metric is shown where it was logged, else what was. A row needs all of its
    cell's seeds, and at least two steps that all of them logged.

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
            series = [
                one
                for row in table.rows
                if (one := _series(row, [logged.get(name, {}) for logged in curves[row.label]]))
            ]
            if series:
                found.append(Panel(column, name, tuple(series)))
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


def _series(row: Row, curves: Sequence[Mapping[int, float]]) -> Series | None:
    if not curves:
        return None
    steps = sorted(set.intersection(*(set(curve) for curve in curves)))
    if len(steps) < 2:
        return None
    if len(steps) > MAX_POINTS:
        picks = np.linspace(0, len(steps) - 1, MAX_POINTS).round().astype(int)
        steps = [steps[pick] for pick in picks]
    scores = np.array([[[curve[step] for step in steps]] for curve in curves])
    return Series(row, np.array(steps, dtype=float), curve_band(scores))
