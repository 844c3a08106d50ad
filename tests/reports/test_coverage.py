"""Which records count in a complete cell, as `load_results` marks them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from rlbench.reports.frame import load_results

Write = Callable[..., Path]
WriteCell = Callable[..., None]


def complete(root: Path) -> list[bool]:
    return [bool(mark) for mark in load_results(root)["complete"]]


def test_all_official_seeds_make_a_cell_complete_and_others_do_not_count(
    tmp_path: Path, write_cell: WriteCell, write: Write
) -> None:
    write_cell(tmp_path, [0.5] * 5)
    write(tmp_path, seed=100)

    assert complete(tmp_path) == [True] * 5 + [False]


def test_a_missing_or_infinite_seed_leaves_the_whole_cell_incomplete(
    tmp_path: Path, write_cell: WriteCell
) -> None:
    write_cell(tmp_path, [0.5] * 4, row="missing")
    write_cell(tmp_path, [0.5] * 4 + [math.inf], row="infinite")
    write_cell(tmp_path, [0.5] * 5, row="whole")

    frame = load_results(tmp_path)

    assert set(frame[frame["complete"]]["row"]) == {"whole"}


def test_a_cell_of_two_recipes_or_two_sources_is_not_complete(tmp_path: Path, write: Write) -> None:
    for seed in range(5):
        write(tmp_path, row="mixed", seed=seed, params={"k": seed % 2})
        write(tmp_path, row="stale", seed=seed, source="ab"[seed % 2])

    assert not any(complete(tmp_path))


def test_of_a_seed_that_two_folders_hold_one_record_counts(
    tmp_path: Path, write_cell: WriteCell
) -> None:
    for name in ("one", "two"):
        write_cell(tmp_path / name, [0.5] * 5)

    frame = load_results(tmp_path / "one", tmp_path / "two")

    assert list(frame[frame["complete"]]["seed"]) == [0, 1, 2, 3, 4]


def test_tier_custom_is_never_complete(tmp_path: Path, write: Write) -> None:
    write(tmp_path, tier="custom")

    assert complete(tmp_path) == [False]


def test_the_track_of_a_record_is_a_column(tmp_path: Path, write: Write) -> None:
    write(tmp_path, track="uses outliers")

    assert list(load_results(tmp_path)["track"]) == ["uses outliers"]
