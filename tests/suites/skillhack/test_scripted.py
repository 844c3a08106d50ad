"""The hand-written solver wins, and chance mostly does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from nethack_levels import OURS, PUBLISHED, settings_of

from rlbench.suites.skillhack.agents import Random, Scripted
from rlbench.suites.skillhack.interface import ACTIONS, Agent
from rlbench.suites.skillhack.vector import make_vector

Array = np.ndarray[Any, Any]


def wins(agent: Agent, name: str, n: int) -> Array:
    """Whether the first episode of each of n slots is won."""
    settings, rng = settings_of(name), np.random.default_rng(0)
    player, step = agent.policy(settings, rng), None
    won, over = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    with make_vector(settings, purpose="evaluate", seed=0, n=n) as env:
        observation = env.reset()
        while not over.all():
            step = env.step(player.act(observation, step))
            observation = step.observation
            won |= step.success & ~over
            over |= step.terminated | step.truncated
    return won


@pytest.mark.parametrize("name", OURS)
def test_the_solver_wins_every_task(name: str) -> None:
    assert wins(Scripted(), name, 5).sum() >= 4


@pytest.mark.long
@pytest.mark.parametrize("name", OURS + PUBLISHED)
def test_the_solver_wins_on_twenty_levels_of_every_task(name: str) -> None:
    assert wins(Scripted(), name, 40).sum() >= 20


def test_chance_does_not_win_a_task_of_several_skills() -> None:
    assert not wins(Random(), "frozen-lava-cross", 3).any()


def test_chance_presses_every_key() -> None:
    settings = settings_of("fight")
    player = Random().policy(settings, np.random.default_rng(0))
    with make_vector(settings, purpose="train", seed=0, n=4) as env:
        observation = env.reset()
        pressed = {int(a) for _ in range(80) for a in player.act(observation, None)}

    assert pressed == set(range(len(ACTIONS)))
