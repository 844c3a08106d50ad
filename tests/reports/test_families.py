"""What may stand in one table, what is complete, and what is ranked."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rlbench.core.stats import iqm, t_interval
from rlbench.reports.families import FamilyTable, Row, family_tables
from rlbench.reports.frame import load_results

Write = Callable[..., Path]
WriteCell = Callable[..., None]


def tables_of(root: Path) -> list[FamilyTable]:
    return family_tables(load_results(root))


def row_of(table: FamilyTable, label: str) -> Row:
    return next(row for row in table.rows if row.label == label)


def test_a_whole_row_is_averaged_over_tasks_on_normalised_scores(results: Path) -> None:
    (table,) = tables_of(results)

    good = row_of(table, "good").summary

    expected = np.array(
        [[0.713, 0.7875], [0.74, 0.755], [0.69, 0.8075], [0.77, 0.74], [0.72, 0.775]]
    )
    assert good is not None
    np.testing.assert_allclose(good.scores, expected)
    assert good.iqm.point == pytest.approx(float(iqm(expected)))
    assert good.gap.point == pytest.approx(1 - expected.mean())


def test_a_cell_holds_the_mean_of_raw_values_with_students_interval(results: Path) -> None:
    (table,) = tables_of(results)

    score = row_of(table, "good").cells[1]

    assert score is not None
    assert score.interval == t_interval([21.25, 24.5, 19.25, 26.0, 22.5])


def test_rows_go_by_iqm_and_those_that_are_not_whole_stand_below_unranked(results: Path) -> None:
    (table,) = tables_of(results)

    assert [row.label for row in table.rows] == ["good", "good (reference)", "base+k=3", "part"]
    assert row_of(table, "part").summary is None
    assert [row.label for row in table.ranked] == ["good", "good (reference)", "base+k=3"]


def test_own_and_reference_rows_of_one_source_share_a_table_and_are_told_apart(
    results: Path,
) -> None:
    (table,) = tables_of(results)

    both = [row for row in table.rows if row.name == "good"]

    assert [row.reference for row in both] == [False, True]
    assert both[0].cells != both[1].cells


def test_a_task_without_any_record_of_a_row_leaves_it_unranked(
    tmp_path: Path, write_cell: WriteCell
) -> None:
    write_cell(tmp_path, [0.5] * 5, task="toy/a", row="half")
    write_cell(tmp_path, [0.5] * 5, task="toy/b", row="other")

    (table,) = tables_of(tmp_path)

    assert not table.ranked
    assert row_of(table, "half").cells[1] is None


@pytest.mark.parametrize(
    "field",
    [
        {"tier": "smoke"},
        {"source": "other code"},
        {"version": 2},
        {"family": "others"},
        {"origin": "real"},
    ],
)
def test_another_tier_source_version_family_or_origin_makes_another_table(
    tmp_path: Path, write_cell: WriteCell, field: dict[str, object]
) -> None:
    write_cell(tmp_path, [0.5] * 5, row="one")
    write_cell(
        tmp_path,
        [0.6] * 2,
        row="two",
        task="toy/b" if "version" not in field else "toy/alpha",
        **field,
    )

    tables = tables_of(tmp_path)

    assert len(tables) == 2
    assert all(len(table.rows) == 1 for table in tables)


def test_reference_rows_of_another_source_do_not_join_the_users(
    tmp_path: Path, reference: Path, write_cell: WriteCell
) -> None:
    write_cell(tmp_path / "own", [0.5] * 5, row="mine", source="z, made later")
    write_cell(reference, [0.9] * 5, row="theirs", source="a")

    tables = tables_of(tmp_path / "own")

    assert [[row.label for row in table.rows] for table in tables] == [
        ["mine"], ["theirs (reference)"]
    ]  # fmt: skip


def test_seeds_that_are_not_official_are_left_out_with_a_note(
    tmp_path: Path, write_cell: WriteCell, write: Write
) -> None:
    write_cell(tmp_path, [0.5] * 5)
    write(tmp_path, seed=100, value=0.9)

    (table,) = tables_of(tmp_path)

    (score,) = table.rows[0].cells
    assert score is not None
    assert score.complete
    assert score.seeds == (0, 1, 2, 3, 4)
    assert table.notes == ("base on alpha: seed 100 not official, left out",)


def test_a_cell_that_mixes_recipes_is_never_ranked(
    tmp_path: Path, write_cell: WriteCell, write: Write
) -> None:
    write_cell(tmp_path, [0.5] * 4, params={"lr": 0.1})
    write(tmp_path, seed=4, params={"lr": 0.2})

    (table,) = tables_of(tmp_path)

    assert not table.ranked
    assert "mixes 2 recipes" in table.notes[0]


@pytest.mark.parametrize("value", [math.nan, -math.inf, 1e308])
def test_a_result_that_is_not_finite_leaves_its_cell_incomplete(
    tmp_path: Path, write_cell: WriteCell, value: float
) -> None:
    write_cell(tmp_path, [0.5, 0.5, value, 0.5, 0.5])

    (table,) = tables_of(tmp_path)

    assert not table.ranked
    assert table.notes == ("base on alpha: seed 2 without a finite value",)


def test_a_task_under_two_protocols_has_a_column_for_each(
    tmp_path: Path, write_cell: WriteCell
) -> None:
    write_cell(tmp_path, [0.5] * 5, row="one", protocol={"steps": 1})
    write_cell(tmp_path, [0.5] * 5, row="two", protocol={"steps": 2})

    (table,) = tables_of(tmp_path)

    assert len({column.task for column in table.columns}) == 2
    assert not table.ranked
    assert "toy/alpha: the spec or the protocol differs" in table.notes[0]


def test_the_same_seed_from_two_folders_counts_once(tmp_path: Path, write_cell: WriteCell) -> None:
    write_cell(tmp_path / "one", [0.5] * 5)
    write_cell(tmp_path / "two", [0.9] * 5)

    (table,) = family_tables(load_results(tmp_path / "one", tmp_path / "two"))

    (score,) = table.rows[0].cells
    assert score is not None
    assert score.values == (0.5,) * 5
    assert "seed 0 is there twice, the first counts" in table.notes[0]


def test_tier_custom_is_shown_and_never_ranked(tmp_path: Path, write_cell: WriteCell) -> None:
    write_cell(tmp_path, [0.5, 0.7], tier="custom")

    (table,) = tables_of(tmp_path)

    (score,) = table.rows[0].cells
    assert score is not None
    assert score.values == (0.5, 0.7)
    assert not score.complete
    assert not table.ranked


def test_with_one_official_seed_there_is_a_rank_but_no_interval(
    tmp_path: Path, write_cell: WriteCell
) -> None:
    write_cell(tmp_path, [0.5], official=[0])

    (table,) = tables_of(tmp_path)

    summary = table.rows[0].summary
    assert summary is not None
    assert (summary.iqm.point, summary.iqm.low, summary.rank.low) == (0.5, None, None)


def test_tasks_with_different_seed_lists_are_averaged_over_the_seeds_they_share(
    tmp_path: Path, write_cell: WriteCell
) -> None:
    write_cell(tmp_path, [0.1, 0.2, 0.3], task="toy/dear", official=[0, 1, 2])
    write_cell(tmp_path, [0.5, 0.6, 0.7, 0.8, 0.9], task="toy/cheap")

    (table,) = tables_of(tmp_path)

    summary = table.rows[0].summary
    assert summary is not None
    assert summary.scores.shape == (3, 2)
    assert table.notes == ("aggregates use the 3 seeds that all tasks have",)


def test_equal_rows_share_the_better_rank(tmp_path: Path, write_cell: WriteCell) -> None:
    for row in ("one", "two"):
        write_cell(tmp_path, [0.5, 0.6, 0.7, 0.8, 0.9], row=row)
    write_cell(tmp_path, [0.1] * 5, row="three")

    (table,) = tables_of(tmp_path)

    assert [row.summary.rank.point for row in table.rows if row.summary] == [1, 1, 3]


def test_costly_tiers_come_first_and_custom_last(tmp_path: Path, write_cell: WriteCell) -> None:
    for tier in ("custom", "smoke", "small"):
        write_cell(tmp_path, [0.5], tier=tier)

    assert [table.key.tier for table in tables_of(tmp_path)] == ["small", "smoke", "custom"]
