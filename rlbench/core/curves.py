"""Curve files read back: what trials logged over their steps, and several trials as one line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rlbench.core.errors import CorruptError
from rlbench.core.stats import curve_band
from rlbench.core.suite import Series

if TYPE_CHECKING:
    import pandas as pd

MAX_BYTES = 32 * 1024 * 1024
MAX_POINTS = 200
LIMIT = 1e100
"""Greater numbers count as infinite: sums of their squares would be."""

Logged = dict[str, dict[int, float]]
"""A value's name to its points, step by step."""


def usable(value: float) -> bool:
    """Whether statistics can be computed with it; NaN and infinities fail."""
    return abs(value) < LIMIT


def read_curve(path: Path) -> Logged:
    """The curve file of a trial, as `rlbench.core.context.Curve` writes it.

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


def curves_by_row(records: pd.DataFrame) -> dict[str, list[Logged]]:
    """The curves of each row of a frame of records, in the frame's order; without some, no row.

    Raises:
        CorruptError: as for `read_curve`.
    """
    found = records[records["curve"] != ""].groupby("row")["curve"]
    return {str(row): [read_curve(Path(file)) for file in files] for row, files in found}


def series(curves: Mapping[str, Sequence[Logged]], value: str) -> list[Series]:
    """A line for each key whose trials can be shown as one: see `one_series`."""
    lines = (one_series(label, trials, value) for label, trials in curves.items())
    return [line for line in lines if line is not None]


def one_series(label: str, trials: Sequence[Logged], value: str) -> Series | None:
    """The IQM over trials of a logged value, with its pointwise 95 % band.

    Nothing is filled in: only steps that all trials logged count, at most `MAX_POINTS` of them,
    both ends kept.

    Returns:
        None where there are fewer than two such steps.
    """
    points = [logged.get(value, {}) for logged in trials] or [{}]
    steps = sorted(set.intersection(*map(set, points)))
    if len(steps) < 2:
        return None
    if len(steps) > MAX_POINTS:
        picks = np.linspace(0, len(steps) - 1, MAX_POINTS).round().astype(int)
        steps = [steps[pick] for pick in picks]
    scores = np.array([[[curve[step] for step in steps]] for curve in points])
    return Series(label, np.array(steps, dtype=float), curve_band(scores))
