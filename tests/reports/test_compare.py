"""Two baselines side by side, over the cells that both have complete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rlbench.core.errors import RlbenchError, UsageError
from rlbench.core.stats import welch
from rlbench.reports.compare import compare
from rlbench.reports.frame import load_results

WriteCell = Callable[..., None]


def test_each_task_gets_welchs_test_in_its_own_unit(results: Path) -> None:
    (found,) = compare(load_results(results), "good", "base+k=3")

    alpha, beta = found.tasks
    assert beta.test == welch([21.25, 24.5, 19.25, 26.0, 22.5], [62.0, 55.5, 71.25, 58.0, 60.75])
    assert (alpha.better, beta.better) == ("A", "A")  # beta is a loss, and its difference negative
    assert found.improvement.point == 1.0


def test_the_other_way_round_says_the_opposite(results: Path) -> None:
    (found,) = compare(load_results(results), "base+k=3", "good")

    assert [one.better for one in found.tasks] == ["B", "B"]
    assert found.improvement.point == 0.0


def test_only_cells_that_both_have_complete_are_compared(results: Path) -> None:
    (found,) = compare(load_results(results), "part", "good")

    assert [one.task for one in found.tasks] == ["toy/toys-alpha"]


def test_ones_own_row_can_be_compared_with_the_reference_of_the_same_name(results: Path) -> None:
    (found,) = compare(load_results(results), "good", "good (reference)")

    assert (found.a, found.b) == ("good", "good (reference)")
    assert [one.better for one in found.tasks] == ["", ""]


def test_a_single_run_has_a_difference_but_no_test(tmp_path: Path, write_cell: WriteCell) -> None:
    write_cell(tmp_path, [0.5], row="one", official=[0])
    write_cell(tmp_path, [0.75], row="two", official=[0])

    (found,) = compare(load_results(tmp_path), "one", "two")

    assert found.tasks[0].means == (0.5, 0.75)
    assert found.tasks[0].test is None
    assert found.tasks[0].better == ""


def test_rows_of_different_sources_are_never_compared(
    tmp_path: Path, write_cell: WriteCell
) -> None:
    write_cell(tmp_path, [0.5] * 5, row="one")
    write_cell(tmp_path, [0.6] * 5, row="two", source="newer")

    with pytest.raises(RlbenchError, match="no task on which both are complete"):
        compare(load_results(tmp_path), "one", "two")


def test_a_tier_can_be_chosen(tmp_path: Path, write_cell: WriteCell) -> None:
    for tier in ("smoke", "small"):
        write_cell(tmp_path, [0.5, 0.6, 0.5, 0.6, 0.5], row="one", tier=tier)
        write_cell(tmp_path, [0.7, 0.8, 0.7, 0.8, 0.7], row="two", tier=tier)
    frame = load_results(tmp_path)

    assert [one.key.tier for one in compare(frame, "one", "two")] == ["small", "smoke"]
    assert [one.key.tier for one in compare(frame, "one", "two", tier="smoke")] == ["smoke"]


def test_a_row_is_not_compared_with_itself(results: Path) -> None:
    with pytest.raises(UsageError, match="'good' is named twice"):
        compare(load_results(results), "good", "good")


def test_an_unknown_name_is_a_usage_error_with_the_closest_one(results: Path) -> None:
    with pytest.raises(UsageError, match="no results of a baseline 'goood'; did you mean 'good'"):
        compare(load_results(results), "goood", "part")
