"""A view's table: how its frame is printed, and what its CSV holds."""

from __future__ import annotations

import math

import pandas as pd

from rlbench.core.stats import Interval
from rlbench.reports.viewtable import frame_csv, frame_grid

FRAME = pd.DataFrame(
    {
        "row": ["knn", "=cmd()"],
        "pairs": [3, 12],
        "auroc": [0.5, math.nan],
        "regret": [Interval(0.25, 0.125, 0.5), Interval(1.0, None, None)],
    }
)


def test_numbers_and_intervals_are_printed_and_sorted_by_their_point() -> None:
    grid = frame_grid(FRAME)

    assert [entry.kind for entry in grid.header] == ["text", "number", "number", "number"]
    assert [[entry.text for entry in row] for row in grid.rows] == [
        ["knn", "3", "0.500", "0.250 [0.125, 0.500]"],
        ["=cmd()", "12", "–", "1.000"],
    ]
    assert [row[3].sort for row in grid.rows] == [0.25, 1.0]


def test_csv_holds_raw_numbers_three_columns_an_interval_and_no_formula() -> None:
    assert frame_csv(FRAME) == (
        "row,pairs,auroc,regret,regret low,regret high\n"
        "knn,3,0.5,0.25,0.125,0.5\n"
        "'=cmd(),12,,1.0,,\n"
    )


def test_a_named_index_becomes_a_column() -> None:
    frame = FRAME.set_index("row")[["pairs"]]

    assert [entry.text for entry in frame_grid(frame).header] == ["row", "pairs"]
    assert frame_csv(frame).startswith("row,pairs\n")
