"""Estimates of regret: worked numbers of minimax, and a slow version."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlbench.suites.ued.regret import (
    Episodes,
    l1_value_loss,
    max_mc,
    population_regret,
    positive_value_loss,
    relative_regret,
    return_less_value_loss,
)

REWARD = torch.tensor([0, 0, 0.8, 0, 0, 0.6, 0, 0])[:, None]
DONE = torch.tensor([0, 0, 1, 0, 0, 1, 0, 0], dtype=torch.bool)[:, None]
VALUE = (torch.arange(1, 9) / 10)[:, None]
ADVANTAGE = torch.tensor([0.1, -0.2, 0.3, -0.4, 0.5, 0.6, 9, 9])[:, None]


def test_the_worked_example_of_minimax() -> None:
    episodes = Episodes(REWARD, DONE)

    assert float(max_mc(episodes, VALUE, episodes.max_return)) == pytest.approx(0.45)
    assert float(max_mc(episodes, VALUE, torch.tensor([0.9]))) == pytest.approx(0.55)
    assert float(positive_value_loss(episodes, ADVANTAGE)) == pytest.approx(0.25)
    assert float(l1_value_loss(episodes, ADVANTAGE)) == pytest.approx(0.35)
    assert float(episodes.mean_return) == pytest.approx(0.7)
    assert float(episodes.max_return) == pytest.approx(0.8)
    assert episodes.finished.tolist() == [2]
    assert episodes.solved.tolist() == [2]


def _slow(reward: list[float], done: list[bool], x: list[float]) -> tuple[float, float, float]:
    """Mean return, best return and the mean of x, by walking through the episodes."""
    returns, means, start = [], [], 0
    for t, ended in enumerate(done):
        if ended:
            returns.append(sum(reward[start : t + 1]))
            means.append(sum(x[start : t + 1]) / (t + 1 - start))
            start = t + 1
    if not returns:
        return (-math.inf,) * 3
    return sum(returns) / len(returns), max(returns), sum(means) / len(means)


@given(st.integers(0, 2**32 - 1), st.integers(1, 15), st.sampled_from([0.0, 0.2, 1.0]))
def test_every_environment_is_averaged_over_its_own_finished_episodes(
    seed: int, steps: int, share: float
) -> None:
    rng = torch.Generator().manual_seed(seed)
    reward, x = torch.randn(2, steps, 3, generator=rng)
    done = torch.rand(steps, 3, generator=rng) < share
    episodes = Episodes(reward, done)

    mean = episodes.mean(x)

    for i in range(3):
        expected = _slow(reward[:, i].tolist(), done[:, i].tolist(), x[:, i].tolist())
        found = (episodes.mean_return[i], episodes.max_return[i], mean[i])
        assert [float(f) for f in found] == pytest.approx(expected, abs=1e-5)


def test_a_level_without_a_finished_episode_has_no_score() -> None:
    episodes = Episodes(REWARD[:2], DONE[:2])

    assert float(max_mc(episodes, VALUE[:2], torch.tensor([0.9]))) == -math.inf
    assert float(positive_value_loss(episodes, ADVANTAGE[:2])) == -math.inf


def test_dcds_ease_is_the_mean_return_less_the_value_loss_clipped_at_one() -> None:
    """Unfinished steps count in the value loss; the return without an episode is 0."""
    reward = torch.tensor([[0.0, 0.0, 0.5], [0.8, 0.0, 0.1], [0.0, 0.0, 0.3]])
    done = torch.tensor([[False, False, True], [True, False, True], [False, False, False]])
    advantage = torch.tensor([[0.3, -0.6, 4.0], [-0.3, 0.0, -4.0], [0.6, 0.0, 1.0]])

    found = return_less_value_loss(Episodes(reward, done), advantage)

    assert found.tolist() == pytest.approx([0.8 - 0.4, -0.2, 0.3 - 1.0])


def test_relative_regret_is_clipped_at_zero_and_zero_without_episodes() -> None:
    good, poor = Episodes(REWARD, DONE), Episodes(REWARD / 2, DONE)

    assert float(relative_regret(good, poor)) == pytest.approx(0.8 - 0.35)
    assert float(relative_regret(poor, good)) == 0
    assert float(relative_regret(Episodes(REWARD[:2], DONE[:2]), good)) == 0


def test_population_regret_is_the_best_return_minus_the_mean_of_all() -> None:
    good, poor = Episodes(REWARD, DONE), Episodes(REWARD / 2, DONE)

    assert float(population_regret([poor, good])) == pytest.approx(0.8 - (0.7 + 0.35) / 2)
