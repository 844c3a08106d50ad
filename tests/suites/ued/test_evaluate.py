"""Evaluation: exact for policies whose returns are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from rlbench.suites.ued.curricula.agents import Oracle, Random
from rlbench.suites.ued.evaluate import (
    agent_player,
    episode_returns,
    evaluate_levels,
    evaluate_mazes,
    student_player,
)
from rlbench.suites.ued.families import Family, procedural
from rlbench.suites.ued.generate import only_solvable, scattered
from rlbench.suites.ued.levels import Levels
from rlbench.suites.ued.maze import Maze
from rlbench.suites.ued.solver import best_return, shortest_actions
from rlbench.suites.ued.student import Student


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some_levels(n: int = 30) -> Levels:
    return only_solvable(n, rng(), lambda k, g: scattered(k, g, height=6, width=6, n_walls=9))


def rules(family: Family) -> Maze:
    return Maze(family.height, family.width, horizon=family.horizon, occluded=family.occluded)


def test_the_shortest_path_has_no_regret_in_any_family() -> None:
    families = [replace(f, horizon=200) for f in procedural().values() if f.height < 20]

    found = evaluate_mazes(agent_player(Oracle()), families, rng(), episodes=3, maze_of=rules)

    assert found["maze_name"].tolist() == [family.name for family in families]
    np.testing.assert_array_equal(found["maze_return"], found["maze_best_return"])
    np.testing.assert_array_equal(found["maze_greedy_return"], found["maze_best_return"])
    assert (found["maze_return"] > 0).all()


def test_finished_episodes_are_not_played_on_and_each_return_stays_with_its_level() -> None:
    levels, maze = some_levels(), Maze(6, 6, horizon=60)

    found = episode_returns(agent_player(Oracle()), maze, levels, rng(), "sampled")

    assert torch.equal(found, best_return(shortest_actions(levels), 60))
    assert len(set(found.tolist())) > 5


def test_a_path_longer_than_the_time_limit_returns_nothing() -> None:
    levels = some_levels()
    actions = shortest_actions(levels)
    limit = int(actions.median())

    found = episode_returns(
        agent_player(Oracle()), Maze(6, 6, horizon=limit), levels, rng(), "sampled"
    )

    assert torch.equal(found > 0, actions <= limit)


def test_thinning_out_the_batch_does_not_change_what_a_greedy_student_does() -> None:
    """One level alone is never thinned out while it runs."""
    student = Student()
    student.initialise(rng(5))
    with torch.no_grad():
        student.heads.policy.weight.add_(2 * torch.randn(7, 32, generator=rng(6)))
        student.heads.policy.bias[2] = 1  # it walks ahead and turns now and then
    levels, maze = some_levels(40), Maze(6, 6, horizon=40)
    player = student_player(student)

    together = episode_returns(player, maze, levels, rng(), "greedy")

    alone = [episode_returns(player, maze, levels[i : i + 1], rng(), "greedy") for i in range(40)]
    assert (together > 0).any()
    torch.testing.assert_close(together, torch.cat(alone))


def test_the_halves_of_the_level_evaluation_belong_to_their_levels() -> None:
    levels, maze = some_levels(), Maze(6, 6, horizon=60)

    found = evaluate_levels(agent_player(Oracle()), maze, levels, rng(), episodes=3)

    assert found["level_return"].shape == (30, 2, 3)
    expected = np.broadcast_to(found["level_best_return"][:, None, None], (30, 2, 3))
    np.testing.assert_array_equal(found["level_return"], expected)


def test_chance_solves_some_levels_and_not_others() -> None:
    found = episode_returns(
        agent_player(Random()), Maze(6, 6, horizon=40), some_levels(200), rng(), "sampled"
    )

    assert 0.02 < float((found > 0).float().mean()) < 0.98
