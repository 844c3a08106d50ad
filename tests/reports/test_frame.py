"""`load_results`: one row a record, in an order of its own, from whoever's folder."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rlbench.core.errors import CorruptError, MissingError, UsageError
from rlbench.reports.frame import load_results

Write = Callable[..., Path]


def test_a_row_says_what_the_record_says(tmp_path: Path, write: Write) -> None:
    path = write(tmp_path, row="knn+k=5", seed=3, value=0.25, points=(0.0, 0.5), metrics={"x": 2})

    row = load_results(tmp_path).iloc[0]

    assert (row["suite"], row["task"], row["baseline"]) == ("toy", "toy/alpha", "toy/knn")
    assert (row["row"], row["variant"], row["seed"], row["where"]) == ("knn+k=5", "k=5", 3, "local")
    assert (row["value"], row["normalised"], row["metric.x"], row["wall_s"]) == (0.25, 0.5, 2, 1.5)
    assert (row["official_seeds"], row["official"]) == ((0, 1, 2, 3, 4), True)
    assert row["path"] == str(path)


def test_the_order_depends_on_the_records_alone(tmp_path: Path, write: Write) -> None:
    for name, rows in (("one", ["b", "a"]), ("two", ["a", "b"])):
        for row in rows:
            for seed in (1, 0):
                write(tmp_path / name, row=row, seed=seed)

    one, two = load_results(tmp_path / "one"), load_results(tmp_path / "two")

    assert list(zip(one["row"], one["seed"], strict=True)) == [
        ("a", 0), ("a", 1), ("b", 0), ("b", 1)
    ]  # fmt: skip
    assert one.drop(columns="path").equals(two.drop(columns="path"))


def test_reference_records_are_marked_and_can_be_left_out(
    tmp_path: Path, reference: Path, write: Write
) -> None:
    write(tmp_path / "own", row="mine")
    write(reference, row="theirs")

    assert list(load_results(tmp_path / "own")["where"]) == ["local", "reference"]
    assert list(load_results(tmp_path / "own", reference=False)["row"]) == ["mine"]


def test_the_reference_folder_given_by_hand_is_not_the_users_own(
    reference: Path, write: Write
) -> None:
    write(reference)

    assert list(load_results(reference, reference=False)["where"]) == ["reference"]


def test_a_folder_named_twice_counts_once(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "own")

    assert len(load_results(tmp_path / "own", tmp_path / "own" / ".." / "own")) == 1


@pytest.mark.parametrize(
    ("tasks", "baselines", "rows"),
    [
        ("toy/*", "*", ["a", "b", "b+k=1"]),
        ("alpha", "b", ["b", "b+k=1"]),
        ("*", "b+k=1,a", ["a", "b+k=1"]),
        ("toy/alpha", "toy/b*", ["b", "b+k=1"]),
    ],
)
def test_globs_choose_records(
    tmp_path: Path, write: Write, tasks: str, baselines: str, rows: list[str]
) -> None:
    for row in ("a", "b", "b+k=1"):
        write(tmp_path, row=row)

    assert list(load_results(tmp_path, tasks=tasks, baselines=baselines)["row"]) == rows


def test_a_pattern_that_matches_nothing_is_a_usage_error(tmp_path: Path, write: Write) -> None:
    write(tmp_path, row="energy")

    with pytest.raises(UsageError, match="a baseline matches 'enrgy'; did you mean 'energy'"):
        load_results(tmp_path, baselines="enrgy")


def test_a_missing_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere: no such results folder"):
        load_results(tmp_path / "nowhere")


def test_no_results_are_an_empty_frame_with_all_columns(tmp_path: Path) -> None:
    frame = load_results(tmp_path)

    assert frame.empty
    assert {"task", "value", "path"} <= set(frame.columns)


def test_a_value_that_is_not_finite_is_nan(tmp_path: Path, write: Write) -> None:
    write(tmp_path, value=math.inf)

    row = load_results(tmp_path).iloc[0]

    assert math.isnan(row["value"])
    assert math.isnan(row["normalised"])


def test_a_corrupt_record_raises_or_is_left_out_with_one_line(tmp_path: Path, write: Write) -> None:
    write(tmp_path, seed=0)
    broken = write(tmp_path, seed=1)
    broken.write_bytes(broken.read_bytes()[:100])

    with pytest.raises(CorruptError, match=r"seed-1\.json: not strict JSON"):
        load_results(tmp_path)
    frame = load_results(tmp_path, strict=False)
    assert list(frame["seed"]) == [0]
    assert len(frame.attrs["problems"]) == 1
    assert str(broken) in frame.attrs["problems"][0]


def test_a_record_in_another_cells_folder_is_corrupt(tmp_path: Path, write: Write) -> None:
    path = write(tmp_path, row="good")
    path.parent.parent.rename(path.parent.parent.with_name("better"))

    with pytest.raises(CorruptError, match="the record inside belongs in"):
        load_results(tmp_path)


def test_without_pandas_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(MissingError, match=r'pip install "rlbench\[report\]"'):
        load_results(tmp_path)
