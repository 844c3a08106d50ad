"""Mutation operators: what they may change, and how often they do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlbench.suites.ued.generate import scattered
from rlbench.suites.ued.levels import Levels, check_levels
from rlbench.suites.ued.mutate import dcd_mutate, jaxued_mutate, minimax_mutate

Mutate = Callable[..., Levels]
ALL = [minimax_mutate, jaxued_mutate, dcd_mutate]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def empty(n: int) -> Levels:
    return scattered(n, rng(9), n_walls=0)


def flipped(before: Levels, after: Levels) -> torch.Tensor:
    return (before.walls ^ after.walls).sum((1, 2))


@pytest.mark.parametrize("mutate", ALL)
@given(
    seed=st.integers(0, 2**32),
    edits=st.integers(0, 30),
    side=st.sampled_from([(1, 2), (2, 2), (3, 4), (13, 13)]),
)
def test_a_mutant_is_playable_and_its_parent_is_left_alone(
    mutate: Mutate, seed: int, edits: int, side: tuple[int, int]
) -> None:
    height, width = side
    parents = scattered(8, rng(seed), height=height, width=width, n_walls=height * width // 3)
    before = parents.keys(direction=True)
    mutants = mutate(parents, rng(seed), edits=edits)
    check_levels(mutants)
    assert (flipped(parents, mutants) <= edits).all()
    assert torch.equal(parents.keys(direction=True), before)
    assert torch.equal(mutate(parents, rng(seed), edits=edits).keys(), mutants.keys())


@pytest.mark.parametrize("mutate", ALL)
def test_no_edits_change_nothing(mutate: Mutate) -> None:
    parents = scattered(50, rng())
    mutants = mutate(parents, rng(), edits=0)
    assert torch.equal(mutants.keys(direction=True), parents.keys(direction=True))


def test_minimax_flips_a_third_moves_the_goal_a_third_and_leaves_the_agent() -> None:
    parents = empty(6000)
    mutants = minimax_mutate(parents, rng(), edits=1)
    wall, goal = flipped(parents, mutants) == 1, mutants.goal != parents.goal
    assert not (wall & goal).any()
    assert wall.float().mean().item() == pytest.approx(1 / 3, abs=0.03)
    assert goal.float().mean().item() == pytest.approx(1 / 3, abs=0.03)
    assert torch.equal(mutants.agent, parents.agent)
    assert torch.equal(mutants.direction, parents.direction)


def test_minimax_twenty_edits_of_an_empty_level_flip_about_seven_tiles() -> None:
    parents = empty(3000)
    mutants = minimax_mutate(parents, rng(), edits=20)
    # 20/3 flips on 167 tiles, of which few coincide; 4,000 mutants of minimax 0.2.0: 6.42
    assert flipped(parents, mutants).float().mean().item() == pytest.approx(6.4, abs=0.25)


def test_minimax_keeps_the_goal_where_no_tile_is_free() -> None:
    walls = torch.tensor([[[False, True, False]]])
    parents = Levels(walls, torch.tensor([0]), torch.tensor([0]), torch.tensor([2]))
    check_levels(minimax_mutate(parents.repeat(200), rng(), edits=1))


def test_jaxued_edits_are_a_quarter_each_and_turn_a_moved_agent() -> None:
    parents = empty(8000)
    mutants = jaxued_mutate(parents, rng(), edits=1)
    moved, goal = mutants.agent != parents.agent, mutants.goal != parents.goal
    assert flipped(parents, mutants).float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert moved.float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert goal.float().mean().item() == pytest.approx(0.25, abs=0.02)
    turned = mutants.direction != parents.direction
    assert turned[moved].float().mean().item() == pytest.approx(0.75, abs=0.04)
    assert turned[~moved].float().mean().item() < 0.02


def test_dcd_edits_are_a_third_each_and_never_turn_the_agent() -> None:
    parents = empty(8000)
    mutants = dcd_mutate(parents, rng(), edits=1)
    assert flipped(parents, mutants).float().mean().item() == pytest.approx(1 / 3, abs=0.02)
    goal = (mutants.goal != parents.goal).float().mean().item()
    assert goal == pytest.approx(1 / 3, abs=0.02)
    assert (mutants.agent != parents.agent).float().mean().item() < 0.02
    assert torch.equal(mutants.direction, parents.direction)


@pytest.mark.parametrize("mutate", [jaxued_mutate, dcd_mutate])
def test_a_covered_goal_goes_to_a_uniform_free_tile(mutate: Mutate) -> None:
    walls = torch.zeros(1, 1, 5, dtype=torch.bool)
    parent = Levels(walls, torch.tensor([0]), torch.tensor([0]), torch.tensor([4]))
    parents = parent.repeat(6000)
    mutants = mutate(parents, rng(), edits=1)
    covered = mutants.walls[:, 0, 4]
    share = mutants.goal[covered].bincount(minlength=5) / covered.sum()
    assert share.tolist() == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3, 0], abs=0.1)
