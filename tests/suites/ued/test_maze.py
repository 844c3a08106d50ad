"""The maze world's rules, apart from MiniGrid's: batches, pools, restarts, rewards."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlbench.suites.ued.generate import scattered
from rlbench.suites.ued.levelfile import parse_levels
from rlbench.suites.ued.levels import Levels
from rlbench.suites.ued.maze import AHEAD, N_ACTIONS, TURN_LEFT, Maze, default_horizon


def corridor() -> Levels:
    return parse_levels("maze corridor\n>..G\n", "test")[0].levels()


def test_the_goal_pays_less_the_later_it_is_reached() -> None:
    maze = Maze(1, 4, horizon=10)
    pool = maze.pool(corridor())
    for waits in range(8):
        state = maze.start(pool, torch.tensor([0]))
        rewards, dones = [], []
        for action in [3] * waits + [AHEAD] * 3:
            state, reward, done = maze.step(pool, state, torch.tensor([action]))
            rewards.append(reward.item())
            dones.append(done.item())
        assert rewards == [0] * (waits + 2) + [np.float32(1 - 0.9 * (waits + 3) / 10)]
        assert dones == [False] * (waits + 2) + [True]
        assert maze.position(pool, state).item() == 2  # before the goal, not on it


def test_time_runs_out_without_reward() -> None:
    maze = Maze(1, 4, horizon=3)
    pool = maze.pool(corridor())
    state = maze.start(pool, torch.tensor([0]))
    for step in range(1, 4):
        state, reward, done = maze.step(pool, state, torch.tensor([TURN_LEFT]))
        assert (reward.item(), done.item()) == (0, step == 3)


def test_only_ended_episodes_restart_on_the_level_that_the_caller_names() -> None:
    levels = scattered(4, torch.Generator().manual_seed(0))
    maze = Maze(13, 13)
    pool = maze.pool(levels)
    state = maze.start(pool, torch.tensor([0, 1]))
    state, _, _ = maze.step(pool, state, torch.tensor([TURN_LEFT, TURN_LEFT]))
    done = torch.tensor([True, False])
    after = maze.restart(pool, state, done, torch.tensor([3, 2]))
    fresh = maze.start(pool, torch.tensor([3]))
    assert [part[0].item() for part in after] == [part.item() for part in fresh]
    assert [part[1].item() for part in after] == [part[1].item() for part in state]


@pytest.mark.parametrize("occluded", [False, True])
def test_an_environment_does_not_depend_on_the_others_of_its_batch(occluded: bool) -> None:
    n, steps = 37, 60
    rng = torch.Generator().manual_seed(1)
    maze = Maze(13, 13, horizon=40, occluded=occluded)
    pool = maze.pool(scattered(n, rng))
    actions = torch.randint(N_ACTIONS, (steps, n), generator=rng)

    def play(envs: torch.Tensor) -> list[torch.Tensor]:
        state, seen = maze.start(pool, envs), []
        for action in actions[:, envs]:
            state, reward, done = maze.step(pool, state, action)
            state = maze.restart(pool, state, done, (state.level + 1) % n)
            seen.append(torch.cat([maze.observe(pool, state), reward[:, None]], 1))
        return seen

    together = torch.stack(play(torch.arange(n)), 1)
    apart = torch.cat([torch.stack(play(torch.tensor([i])), 1) for i in range(n)])
    assert torch.equal(together, apart)


@given(
    seed=st.integers(0, 2**32),
    height=st.integers(1, 8),
    width=st.integers(2, 8),
    view=st.sampled_from([3, 5, 7]),
)
def test_a_pool_gives_back_the_levels_that_were_written(
    seed: int, height: int, width: int, view: int
) -> None:
    rng = torch.Generator().manual_seed(seed)
    old = scattered(6, rng, height=height, width=width, n_walls=height * width // 2 - 1)
    new = scattered(2, rng, height=height, width=width, n_walls=height * width // 2 - 1)
    maze = Maze(height, width, view=view)
    pool = maze.pool(old)
    pool.write(torch.tensor([4, 1]), new)
    expected = old.keys(direction=True)
    expected[[4, 1]] = new.keys(direction=True)
    assert torch.equal(pool.read(torch.arange(6)).keys(direction=True), expected)


def test_levels_of_another_size_do_not_fit_into_a_pool() -> None:
    pool = Maze(13, 13).empty_pool(2)
    with pytest.raises(ValueError, match="expected 13x13, found 1x4"):
        pool.write(torch.tensor([0]), corridor())


@pytest.mark.parametrize("view", [1, 4, 11])
def test_view_sizes_that_have_no_meaning_are_refused(view: int) -> None:
    with pytest.raises(ValueError, match="view: expected an odd number from 3 to 9"):
        Maze(13, 13, view=view)


def test_impossible_mazes_are_refused() -> None:
    with pytest.raises(ValueError, match="found 1x1"):
        Maze(1, 1)
    with pytest.raises(ValueError, match="found 3x3, 0"):
        Maze(3, 3, horizon=0)


def test_published_time_limits() -> None:
    assert [default_horizon(side, side) for side in (13, 19, 101)] == [450, 882, 21218]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
@pytest.mark.parametrize("occluded", [False, True])
def test_cuda_plays_the_same_episodes_and_never_waits(occluded: bool) -> None:
    rng = torch.Generator().manual_seed(2)
    levels = scattered(64, rng)
    actions = torch.randint(N_ACTIONS, (100, 64), generator=rng)
    results = []
    for device in ("cpu", "cuda"):
        maze = Maze(13, 13, horizon=30, occluded=occluded, device=device)
        pool = maze.pool(levels)
        state, seen = maze.start(pool, torch.arange(64, device=device)), []
        chosen = actions.to(device)
        torch.cuda.set_sync_debug_mode("error")
        for action in chosen:
            state, reward, done = maze.step(pool, state, action)
            state = maze.restart(pool, state, done, state.level)
            seen.append(torch.cat([maze.observe(pool, state), reward[:, None]], 1))
        torch.cuda.set_sync_debug_mode("default")
        results.append(torch.stack(seen).cpu())
    assert torch.equal(*results)
