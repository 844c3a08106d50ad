"""V-trace against the paper's sum over products, written out term by term."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlbench.learn.ppo import gae
from rlbench.learn.vtrace import vtrace


def slow_targets(
    ratio: list[float],
    discount: list[float],
    reward: list[float],
    value: list[float],
    *,
    rho_bar: float,
    c_bar: float,
) -> list[float]:
    """Equation 1 for one environment; `value` has one entry more than there are steps."""
    targets = []
    for s in range(len(reward)):
        total = value[s]
        for t in range(s, len(reward)):
            gammas = math.prod(discount[s:t])
            traces = math.prod(min(c_bar, ratio[i]) for i in range(s, t))
            delta = reward[t] + discount[t] * value[t + 1] - value[t]
            total += gammas * traces * min(rho_bar, ratio[t]) * delta
        targets.append(total)
    return targets


@given(
    steps=st.integers(1, 9),
    seed=st.integers(0, 2**32 - 1),
    rho_bar=st.sampled_from([0.7, 1.0, 3.0]),
    c_bar=st.sampled_from([0.5, 1.0]),
)
def test_targets_and_advantages_are_those_of_the_paper(
    steps: int, seed: int, rho_bar: float, c_bar: float
) -> None:
    rng = np.random.default_rng(seed)
    log_ratio = rng.normal(size=(steps, 3))
    discount = 0.95 * (rng.random((steps, 3)) > 0.2)
    reward, value = rng.normal(size=(steps, 3)), rng.normal(size=(steps + 1, 3))
    tensors = [torch.from_numpy(x) for x in (log_ratio, discount, reward, value[:-1], value[-1])]

    found = vtrace(*tensors, clip_rho=rho_bar, clip_c=c_bar)

    for i in range(3):
        ratio = np.exp(log_ratio[:, i])
        column = [x[:, i].tolist() for x in (ratio[:, None].repeat(3, 1), discount, reward, value)]
        target = slow_targets(*column, rho_bar=rho_bar, c_bar=c_bar)
        after = [*target[1:], value[-1, i]]
        advantage = np.minimum(ratio, rho_bar) * (
            reward[:, i] + discount[:, i] * after - value[:-1, i]
        )
        np.testing.assert_allclose(found.target[:, i], target, atol=1e-10)
        np.testing.assert_allclose(found.advantage[:, i], advantage, atol=1e-10)
        np.testing.assert_allclose(found.ratio[:, i], ratio)


def test_without_lag_the_targets_are_lambda_returns() -> None:
    """On-policy V-trace is the n-step Bellman target (the paper's remark 1): GAE with lambda 1."""
    rng = torch.Generator().manual_seed(0)
    reward, value = torch.randn(6, 4, generator=rng), torch.randn(6, 4, generator=rng)
    last, done = torch.randn(4, generator=rng), torch.rand(6, 4, generator=rng) < 0.2

    found = vtrace(torch.zeros(6, 4), 0.9 * (~done).float(), reward, value, last)

    advantage = gae(reward, done, value, last, gamma=0.9, gae_lambda=1.0)
    torch.testing.assert_close(found.target, advantage + value)


def test_nothing_is_carried_over_the_end_of_an_episode() -> None:
    reward, value = torch.tensor([[1.0], [5.0]]), torch.tensor([[0.3], [2.0]])

    found = vtrace(torch.zeros(2, 1), torch.zeros(2, 1), reward, value, torch.tensor([9.0]))

    assert found.target[0].item() == pytest.approx(1.0)
