"""A batch of mazes: shapes, keys, values."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlbench.suites.ued.generate import scattered
from rlbench.suites.ued.levels import Levels, check_levels, find, is_repeat, join


def some(n: int, seed: int = 0, *, height: int = 5, width: int = 7, n_walls: int = 12) -> Levels:
    rng = torch.Generator().manual_seed(seed)
    return scattered(n, rng, height=height, width=width, n_walls=n_walls)


@given(seed=st.integers(0, 2**32), cell=st.integers(0, 168))
def test_keys_differ_when_one_wall_differs_and_not_otherwise(seed: int, cell: int) -> None:
    level = some(1, seed, height=13, width=13)
    walls = level.walls.clone()
    walls.view(-1)[cell] ^= True
    changed = dataclasses.replace(level, walls=walls)
    assert not torch.equal(level.keys(), changed.keys())
    assert torch.equal(level.keys(), dataclasses.replace(level, walls=level.walls.clone()).keys())


@pytest.mark.parametrize("name", ["agent", "goal"])
def test_keys_differ_when_agent_or_goal_differs(name: str) -> None:
    level = some(1)
    moved = dataclasses.replace(level, **{name: getattr(level, name) + 1})
    assert not torch.equal(level.keys(), moved.keys())


def test_the_start_direction_counts_only_when_asked() -> None:
    level = some(1)
    turned = dataclasses.replace(level, direction=(level.direction + 1) % 4)
    assert torch.equal(level.keys(), turned.keys())
    assert not torch.equal(level.keys(direction=True), turned.keys(direction=True))
    assert level.digests() == turned.digests()
    assert level.digests(direction=True) != turned.digests(direction=True)


def test_find_gives_the_first_equal_level_or_minus_one() -> None:
    levels = some(6)
    among = join([levels[2:4], levels[2:4], levels[5:]])
    assert find(levels.keys(), among.keys()).tolist() == [-1, -1, 0, 1, -1, 4]
    assert find(levels.keys(), among.keys()[:0]).tolist() == [-1] * 6


def test_repeats_within_a_batch_are_the_later_ones() -> None:
    levels = some(3)
    assert is_repeat(levels.repeat(2).keys()).tolist() == [False, True] * 3


def test_digests_are_names_that_do_not_change_between_releases() -> None:
    walls = torch.zeros(1, 2, 3, dtype=torch.bool)
    one, two = torch.tensor([1]), torch.tensor([5])
    levels = Levels(walls, one, one, two)
    assert levels.digests() == ["35cf302f9779950e"]
    assert Levels(walls.reshape(1, 3, 2), one, one, two).digests() != levels.digests()


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("agent", 35, "agent outside"),
        ("goal", -1, "goal outside"),
        ("direction", 4, "direction not in 0..3"),
        ("agent", "goal", "agent on the goal"),
        ("agent", "wall", "agent in a wall"),
        ("goal", "wall", "goal in a wall"),
    ],
)
def test_checking_values_names_the_first_bad_level(
    field: str, value: int | str, problem: str
) -> None:
    levels = some(4)
    check_levels(levels)
    cells = {"goal": levels.goal[2], "wall": levels.walls[2].flatten().to(torch.int8).argmax()}
    changed = getattr(levels, field).clone()
    changed[2] = cells[value] if isinstance(value, str) else value
    with pytest.raises(ValueError, match=f"^level 2: {problem}"):
        check_levels(dataclasses.replace(levels, **{field: changed}))


def test_tensors_of_other_shapes_or_types_are_refused() -> None:
    level = some(2)
    with pytest.raises(ValueError, match=r"walls: expected bool .* found uint8 \[2, 5, 7\]"):
        dataclasses.replace(level, walls=level.walls.to(torch.uint8))
    with pytest.raises(ValueError, match=r"goal: expected int64 \[2\], found int64 \[1\]"):
        dataclasses.replace(level, goal=level.goal[:1])
