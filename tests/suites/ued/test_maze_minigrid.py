"""The maze world against the minigrid package's own objects, step for step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from rlbench.suites.ued.generate import scattered
from rlbench.suites.ued.levels import Levels
from rlbench.suites.ued.maze import N_ACTIONS, Maze
from rlbench.suites.ued.solver import ShortestPath

minigrid_env = pytest.importorskip("minigrid.minigrid_env")

from minigrid.core.grid import Grid  # noqa: E402
from minigrid.core.mission import MissionSpace  # noqa: E402
from minigrid.core.world_object import Goal, Wall  # noqa: E402


class Slow(minigrid_env.MiniGridEnv):  # type: ignore[misc, name-defined]
    """One maze at a time, built from MiniGrid's grid, walls and goal."""

    def __init__(self, levels: Levels, horizon: int, view: int, occluded: bool) -> None:
        self.levels, self.index = levels, 0
        super().__init__(
            mission_space=MissionSpace(mission_func=lambda: "reach the goal"),
            width=levels.width + 2,
            height=levels.height + 2,
            max_steps=horizon,
            agent_view_size=view,
            see_through_walls=not occluded,
        )

    def _gen_grid(self, width: int, height: int) -> None:
        i, columns = self.index, self.levels.width
        self.grid = Grid(width, height)
        self.grid.wall_rect(0, 0, width, height)
        for y, x in self.levels.walls[i].nonzero().tolist():
            self.grid.set(x + 1, y + 1, Wall())
        goal, agent = int(self.levels.goal[i]), int(self.levels.agent[i])
        self.grid.set(goal % columns + 1, goal // columns + 1, Goal())
        self.agent_pos = (agent % columns + 1, agent // columns + 1)
        self.agent_dir = int(self.levels.direction[i])
        self.mission = ""

    def play(self, index: int) -> dict[str, Any]:
        self.index = index
        observation: dict[str, Any] = self.reset()[0]
        return observation


def images(observations: list[dict[str, Any]]) -> torch.Tensor:
    """MiniGrid's object codes as ours: [n, v²], rows first."""
    stack = np.stack([observation["image"][:, :, 0].T for observation in observations])
    return torch.from_numpy(stack).flatten(1)


def compare(maze: Maze, levels: Levels, n: int, steps: int, seed: int) -> tuple[int, int]:
    """Play `n` environments of both kinds; returns how many goals and time-outs there were."""
    rng = torch.Generator().manual_seed(seed)
    pool = maze.pool(levels)
    oracle = ShortestPath(pool)
    state = maze.start(pool, torch.arange(n))
    slow = [Slow(levels, maze.horizon, maze.view, maze.occluded) for _ in range(n)]
    seen = [env.play(i) for i, env in enumerate(slow)]
    eager = torch.linspace(0, 0.9, n)  # from a random walk to one that nearly always arrives
    goals = timeouts = 0
    for _ in range(steps):
        assert torch.equal(maze.observe(pool, state), images(seen))
        assert state.direction.tolist() == [item["direction"] for item in seen]
        action = torch.randint(N_ACTIONS, (n,), generator=rng)
        action = torch.where(torch.rand(n, generator=rng) < eager, oracle(state), action)
        state, reward, done = maze.step(pool, state, action)
        results = [env.step(int(a)) for env, a in zip(slow, action, strict=True)]
        seen = [result[0] for result in results]
        assert torch.equal(reward, torch.tensor([float(r[1]) for r in results]))
        assert done.tolist() == [r[2] or r[3] for r in results]
        solved = torch.tensor([r[2] for r in results])
        assert torch.equal(maze.observe(pool, state)[~solved], images(seen)[~solved])
        goals, timeouts = goals + int(solved.sum()), timeouts + int((done & ~solved).sum())
        following = (state.level + n) % len(levels)
        state = maze.restart(pool, state, done, following)
        for i in done.nonzero()[:, 0].tolist():
            seen[i] = slow[i].play(int(following[i]))
    return goals, timeouts


@pytest.mark.slow
def test_a_hundred_thousand_steps_equal_minigrid_in_everything_but_the_view_on_arrival() -> None:
    settings = [(13, 13, 60, 5), (7, 7, 14, 5), (5, 9, 12, 3), (9, 6, 15, 7)]
    steps, goals, timeouts = 0, 0, 0
    for occluded in (False, True):
        for number, (height, width, n_walls, view) in enumerate(settings):
            rng = torch.Generator().manual_seed(number)
            levels = scattered(400, rng, height=height, width=width, n_walls=n_walls)
            maze = Maze(height, width, horizon=40, view=view, occluded=occluded)
            found = compare(maze, levels, n=64, steps=200, seed=number)
            steps, goals, timeouts = steps + 64 * 200, goals + found[0], timeouts + found[1]
    assert steps >= 100_000
    assert goals >= 1_000
    assert timeouts >= 1_000


def test_the_view_on_arrival_is_from_before_the_goal_here_and_from_on_it_in_minigrid() -> None:
    walls = torch.zeros(1, 1, 3, dtype=torch.bool)
    levels = Levels(walls, torch.tensor([0]), torch.tensor([0]), torch.tensor([1]))
    maze = Maze(1, 3)
    pool = maze.pool(levels)
    slow = Slow(levels, 250, 5, occluded=False)
    slow.play(0)
    theirs = images([slow.step(2)[0]]).reshape(5, 5)
    state, reward, _ = maze.step(pool, maze.start(pool, torch.tensor([0])), torch.tensor([2]))
    ours = maze.observe(pool, state).reshape(5, 5)
    assert reward.item() > 0
    assert ours[:, 2].tolist() == [2, 2, 1, 8, 1]
    assert theirs[:, 2].tolist() == [2, 2, 2, 1, 1]
