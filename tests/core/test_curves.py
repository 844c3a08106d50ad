"""Curve files read back, and the trials of a row as one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlbench.core.context import Curve
from rlbench.core.curves import MAX_POINTS, curves_by_row, one_series, read_curve, series
from rlbench.core.errors import CorruptError
from rlbench.core.stats import curve_band

NAMES = st.text("abcxyz_.", min_size=1, max_size=5).filter(lambda name: name != "step")
POINTS = st.dictionaries(NAMES, st.floats(-1e50, 1e50), min_size=1)


@given(st.dictionaries(st.integers(0, 10**9), POINTS, min_size=1))
def test_a_written_curve_reads_back(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[int, dict[str, float]]
) -> None:
    path = tmp_path_factory.mktemp("curve") / "seed-0.csv"
    path.write_bytes(Curve([{"step": step, **row} for step, row in rows.items()]).csv())

    names = {name for row in rows.values() for name in row}
    assert read_curve(path) == {
        name: {step: row[name] for step, row in rows.items() if name in row} for name in names
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "time,score\n1,2\n",
        "score\n1\n",
        "step,score\n1,nan\n",
        "step,score\n1,1e300\n",
        "step,score\n1\n",
        "step,a,a\n1,2,3\n",
        "step,score\nx,1\n",
        "step,score\n1,=1+1\n",
        "step,score\n\xff\xfe",
    ],
)
def test_what_is_no_curve_is_corrupt(tmp_path: Path, text: str) -> None:
    path = tmp_path / "seed-0.csv"
    path.write_bytes(text.encode("latin-1"))

    with pytest.raises(CorruptError, match=r"seed-0\.csv: no curve"):
        read_curve(path)


def test_a_line_is_the_iqm_over_trials_at_the_steps_that_all_logged() -> None:
    trials = [{"walls": {1: 2.0, 2: 4.0, 3: 9.0}}, {"walls": {2: 6.0, 3: 1.0, 4: 7.0}}]

    line = one_series("dr", trials, "walls")

    assert line is not None
    assert (line.label, line.steps.tolist()) == ("dr", [2, 3])
    expected = curve_band(np.array([[[4.0, 9.0]], [[6.0, 1.0]]]))
    np.testing.assert_array_equal(line.band.point, expected.point)
    assert line.band.low is not None
    assert expected.low is not None
    np.testing.assert_array_equal(line.band.low, expected.low)


def test_one_trial_is_its_own_line_without_a_band() -> None:
    line = one_series("dr", [{"walls": {1: 2.0, 2: 4.0}}], "walls")

    assert line is not None
    assert line.band.point.tolist() == [2, 4]
    assert line.band.low is None


@pytest.mark.parametrize(
    "trials", [[], [{}], [{"walls": {1: 2.0}}], [{"walls": {1: 2.0, 2: 3.0}}, {"path": {1: 2.0}}]]
)
def test_without_two_steps_that_all_trials_logged_there_is_no_line(
    trials: list[dict[str, dict[int, float]]],
) -> None:
    assert one_series("dr", trials, "walls") is None
    assert series({"dr": trials}, "walls") == []


def test_a_long_line_is_thinned_and_keeps_both_ends() -> None:
    line = one_series("dr", [{"walls": {10 * k: 0.5 for k in range(1001)}}], "walls")

    assert line is not None
    assert (len(line.steps), line.steps[0], line.steps[-1]) == (MAX_POINTS, 0, 10_000)


def test_curves_are_read_row_by_row_and_rows_without_any_are_left_out(tmp_path: Path) -> None:
    for seed in (0, 1):
        (tmp_path / f"{seed}.csv").write_text(f"step,walls\n1,{seed}\n")
    files = [str(tmp_path / "0.csv"), "", str(tmp_path / "1.csv")]
    frame = pd.DataFrame({"row": ["dr", "random", "dr"], "curve": files})

    assert curves_by_row(frame) == {"dr": [{"walls": {1: 0.0}}, {"walls": {1: 1.0}}]}
