"""Exact shortest paths, against plain breadth-first search and by playing them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlbench.suites.ued.generate import scattered
from rlbench.suites.ued.levelfile import parse_levels
from rlbench.suites.ued.levels import Levels
from rlbench.suites.ued.maze import Maze
from rlbench.suites.ued.perfect import depth_first
from rlbench.suites.ued.solver import (
    ShortestPath,
    best_return,
    shortest_actions,
    shortest_moves,
    solvable,
)

STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))
Node = tuple[int, ...]


def search(level: Levels, *, turns: bool) -> int:
    """Plain breadth-first search over (y, x) or (y, x, direction) from the agent."""
    walls, width = level.walls[0].tolist(), level.width
    goal = divmod(level.goal.item(), width)
    agent = divmod(int(level.agent.item()), width)
    start: Node = (*agent, int(level.direction.item())) if turns else agent
    distance = {start: 0}
    queue = deque([start])

    def after(node: Node) -> Iterator[Node]:
        for look in [node[2]] if turns else range(4):
            y, x = node[0] + STEPS[look][0], node[1] + STEPS[look][1]
            if 0 <= y < level.height and 0 <= x < width and not walls[y][x]:
                yield (y, x, look) if turns else (y, x)
        if turns:
            yield from ((*node[:2], (node[2] + side) % 4) for side in (1, 3))

    while queue:
        node = queue.popleft()
        if node[:2] == goal:
            return distance[node]
        for other in after(node):
            if other not in distance:
                distance[other] = distance[node] + 1
                queue.append(other)
    return -1


@given(
    seed=st.integers(0, 2**32),
    height=st.integers(1, 7),
    width=st.integers(2, 7),
    share=st.floats(0, 0.6),
)
def test_distances_equal_plain_breadth_first_search(
    seed: int, height: int, width: int, share: float
) -> None:
    rng = torch.Generator().manual_seed(seed)
    n_walls = int(share * (height * width - 2))
    levels = scattered(4, rng, height=height, width=width, n_walls=n_walls)
    each = [levels[i : i + 1] for i in range(4)]
    assert shortest_moves(levels).tolist() == [search(level, turns=False) for level in each]
    assert shortest_actions(levels).tolist() == [search(level, turns=True) for level in each]
    assert solvable(levels).tolist() == [search(level, turns=False) >= 0 for level in each]


def test_playing_the_shortest_path_takes_as_many_actions_as_it_says() -> None:
    horizon = 60
    levels = scattered(500, torch.Generator().manual_seed(0))
    maze = Maze(13, 13, horizon=horizon)
    pool = maze.pool(levels)
    policy, state = ShortestPath(pool), maze.start(pool, torch.arange(500))
    expected = shortest_actions(levels)
    assert torch.equal(policy.remaining(state), expected)
    returns, lengths = torch.zeros(500), torch.zeros(500, dtype=torch.int64)
    running = torch.ones(500, dtype=torch.bool)
    for _ in range(horizon):
        state, reward, done = maze.step(pool, state, policy(state))
        lengths += running
        returns += reward * running
        running &= ~done
        state = maze.restart(pool, state, done, state.level)
    assert torch.equal(returns, best_return(expected, horizon))
    solved = returns > 0
    assert torch.equal(lengths[solved], expected[solved])
    assert 300 < int(solved.sum()) < 500


def test_a_path_that_does_not_fit_into_the_time_limit_is_worth_nothing() -> None:
    values = best_return(torch.tensor([10, 11, -1, 1]), horizon=10)
    assert values.tolist() == pytest.approx([0.1, 0, 0, 0.91])


def test_where_the_goal_cannot_be_reached_the_policy_still_acts() -> None:
    (maze_file,) = parse_levels("maze shut\n>#G\n", "test")
    maze = Maze(1, 3)
    pool = maze.pool(maze_file.levels())
    state = maze.start(pool, torch.tensor([0]))
    policy = ShortestPath(pool)
    assert policy(state).tolist() == [2]
    assert policy.remaining(state).tolist() == [-1]


def test_the_largest_published_mazes_are_solved() -> None:
    levels = depth_first(4, torch.Generator().manual_seed(0), size=101)
    moves, actions = shortest_moves(levels), shortest_actions(levels)
    assert (moves > 50).all()
    assert (actions > moves).all()


@pytest.mark.data
def test_a_thousand_published_levels_have_the_published_path_lengths() -> None:
    path = Path(os.environ.get("RLBENCH_DATA", "")) / "ued_levels/random_mazes_13x13_1000.npz"
    if not path.is_file():
        pytest.skip("no ued_levels under RLBENCH_DATA")
    with np.load(path, allow_pickle=False) as data:
        arrays = {name: torch.from_numpy(data[name].astype(np.int64)) for name in data.files}
    cells = {k: arrays[f"{k}_pos_xy"] @ torch.tensor([1, 13]) for k in ("agent", "goal")}
    walls = arrays["wall_map"].bool()
    levels = Levels(walls, cells["agent"], arrays["agent_dir"], cells["goal"])
    assert torch.equal(shortest_moves(levels), arrays["shortest_path_moves"])
