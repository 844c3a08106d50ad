"""Random levels: the distributions that the published generators have."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlbench.suites.ued.families import GENERATORS, generator
from rlbench.suites.ued.generate import (
    designed,
    half_scattered,
    only_solvable,
    pick,
    scattered,
    scattered_up_to,
)
from rlbench.suites.ued.levels import Levels, check_levels
from rlbench.suites.ued.solver import shortest_moves, solvable

N = 5000


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def n_walls(levels: Levels) -> torch.Tensor:
    return levels.walls.flatten(1).sum(1)


@pytest.mark.parametrize("name", GENERATORS)
def test_every_generator_gives_playable_levels_and_repeats_with_its_seed(name: str) -> None:
    make = generator(name)
    levels = make(200, rng(3))
    check_levels(levels)
    assert len(levels) == 200
    keys = levels.keys(direction=True)
    assert torch.equal(keys, make(200, rng(3)).keys(direction=True))
    assert not torch.equal(keys, make(200, rng(4)).keys(direction=True))


def test_sixty_walls_with_replacement_are_as_minimax_makes_them() -> None:
    levels = scattered(N, rng())
    moves = shortest_moves(levels)
    assert n_walls(levels).float().mean().item() == pytest.approx(
        169 * (1 - (168 / 169) ** 60), abs=0.2
    )
    assert (moves >= 0).float().mean().item() == pytest.approx(0.846, abs=0.015)
    assert moves[moves >= 0].float().mean().item() == pytest.approx(10.6, abs=0.3)


def test_twenty_five_different_walls_are_as_minimax_makes_them() -> None:
    levels = scattered(N, rng(), n_walls=25, replacement=False)
    moves = shortest_moves(levels)
    assert (n_walls(levels) == 25).all()
    assert (moves >= 0).float().mean().item() == pytest.approx(0.995, abs=0.004)
    assert moves[moves >= 0].float().mean().item() == pytest.approx(9.2, abs=0.25)


def test_a_sampled_number_of_walls_is_uniform_but_never_zero() -> None:
    counts = n_walls(scattered_up_to(N, rng(), n_walls=10)).bincount(minlength=11)
    assert counts[0] == counts[10] == 0
    assert counts[1].item() / N == pytest.approx(0.2, abs=0.025)
    assert (counts[2:10] / N).tolist() == pytest.approx([0.1] * 8, abs=0.02)


def test_a_random_designer_loses_walls_to_repeats_goal_and_agent() -> None:
    placed = n_walls(designed(N, rng(), n_walls=60)).float().mean().item()
    assert placed == pytest.approx(169 * (1 - (168 / 169) ** 60) * (167 / 169), abs=0.2)


def test_a_designer_with_a_budget_plans_zero_to_fifty_nine_walls() -> None:
    # on 61 x 100 tiles few walls coincide, so that the number placed is nearly the number planned
    counts = n_walls(designed(N, rng(), height=61, width=100, n_walls=60, budget=True))
    assert counts.max() == 59
    assert counts.min() == 0
    assert counts.float().mean().item() == pytest.approx(29.5, abs=1)


def test_half_scattered_places_half_the_walls_on_different_tiles() -> None:
    assert (n_walls(half_scattered(200, rng(), n_walls=25)) == 12).all()


def test_agent_goal_and_direction_are_uniform() -> None:
    levels = scattered(40_000, rng(), height=2, width=2, n_walls=0)
    pairs = (levels.agent * 4 + levels.goal).bincount(minlength=16) / 40_000
    off_diagonal = ~torch.eye(4, dtype=torch.bool).flatten()
    assert pairs[off_diagonal].tolist() == pytest.approx([1 / 12] * 12, abs=0.008)
    assert (levels.direction.bincount() / 40_000).tolist() == pytest.approx([0.25] * 4, abs=0.012)


def test_only_solvable_levels_are_kept() -> None:
    levels = only_solvable(300, rng(), scattered)
    assert len(levels) == 300
    assert solvable(levels).all()


def test_a_generator_of_unsolvable_levels_is_given_up() -> None:
    def shut(n: int, _: torch.Generator) -> Levels:
        walls = torch.tensor([[[False, True, False]]]).repeat(n, 1, 1)
        zero = torch.zeros(n, dtype=torch.int64)
        return Levels(walls, zero, zero, zero + 2)

    with pytest.raises(ValueError, match="too few solvable levels: 0 of 5"):
        only_solvable(5, rng(), shut)


@given(seed=st.integers(0, 2**32), k=st.integers(1, 9))
def test_picking_takes_only_what_is_allowed(seed: int, k: int) -> None:
    allowed = torch.rand(20, k, generator=rng(seed)) < 0.5
    allowed[:, k // 2] = True
    assert allowed.gather(1, pick(allowed, rng(seed))[:, None]).all()


@pytest.mark.parametrize("make", [scattered, scattered_up_to, designed])
def test_more_walls_than_fit_are_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match="n_walls: expected 0 to 7 on 9 tiles, found 8"):
        make(1, rng(), height=3, width=3, n_walls=8)


def test_unknown_generators_and_parameters_are_named() -> None:
    with pytest.raises(ValueError, match="no 'scatered'; did you mean 'scattered'"):
        generator("scatered")
    with pytest.raises(ValueError, match="no parameter 'walls'; did you mean 'n_walls'"):
        generator("scattered", walls=3)
