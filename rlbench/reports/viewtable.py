"""A view's table: its frame as a grid that people read, and as CSV with numbers as computed."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING, Any

from rlbench.core.stats import Interval
from rlbench.reports.escape import for_csv
from rlbench.reports.grid import MISSING, Entry, Grid, decimals, interval_text, number_text

if TYPE_CHECKING:
    import pandas as pd


def frame_grid(frame: pd.DataFrame) -> Grid:
    """A frame as a grid: a named index becomes columns, and a column has one precision."""
    names, columns = _parts(frame)
    numeric = [all(map(_is_number, column)) for column in columns]
    header = [
        Entry(name, kind="number" if number else "text")
        for name, number in zip(names, numeric, strict=True)
    ]
    shown = [_column(column, n) for column, n in zip(columns, numeric, strict=True)]
    return Grid(tuple(header), tuple(zip(*shown, strict=True)))


def frame_csv(frame: pd.DataFrame) -> str:
    """A frame as CSV; an interval takes three columns, and what is unknown is empty."""
    names, columns = _parts(frame)
    header: list[str] = []
    fields: list[list[str]] = []
    for name, column in zip(names, columns, strict=True):
        header.append(name)
        fields.append([_raw(value.point if _is_interval(value) else value) for value in column])
        if any(map(_is_interval, column)):
            for end in ("low", "high"):
                header.append(f"{name} {end}")
                fields.append([_raw(getattr(value, end, None)) for value in column])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(for_csv, header))
    writer.writerows(zip(*fields, strict=True))
    return text.getvalue()


def _parts(frame: pd.DataFrame) -> tuple[list[str], list[list[Any]]]:
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    columns = [frame.iloc[:, index].tolist() for index in range(frame.shape[1])]
    return [str(name) for name in frame.columns], columns


def _column(values: list[Any], numeric: bool) -> list[Entry]:
    if not numeric:
        return [Entry(str(value), str(value), "text") for value in values]
    if all(isinstance(value, int) for value in values):
        return [Entry(str(value), float(value)) for value in values]
    digits = decimals(point for point in map(_point, values) if math.isfinite(point))
    return [_entry(value, digits) for value in values]


def _entry(value: Any, digits: int) -> Entry:
    point = _point(value)
    if not math.isfinite(point):
        return Entry(MISSING, kind="missing")
    text = interval_text(value, digits) if _is_interval(value) else number_text(point, digits)
    return Entry(text, point)


def _raw(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return repr(value) if _is_number(value) else for_csv(str(value))


def _point(value: Any) -> float:
    return float(value.point if _is_interval(value) else value)


def _is_interval(value: object) -> bool:
    return isinstance(value, Interval)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Interval) and not isinstance(value, bool)
