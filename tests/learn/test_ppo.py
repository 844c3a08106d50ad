"""Advantages and the PPO loss against slow versions and worked numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlbench.learn.ppo import PpoSettings, Sample, gae, normalise, ppo_loss


def test_advantages_are_those_of_minimax_on_its_own_example() -> None:
    reward = torch.tensor([0, 0, 0.8, 0, 0, 0.6, 0, 0])
    done = torch.tensor([0, 0, 1, 0, 0, 1, 0, 0], dtype=torch.bool)
    value = torch.arange(1, 9) / 10

    found = gae(reward, done, value, torch.tensor(0.9), gamma=0.995, gae_lambda=0.98)

    expected = [0.670457, 0.58605, 0.5, 0.192085, 0.097, 0, 0.189122, 0.0955]
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-6, rtol=0)


@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.floats(0, 1), st.integers(1, 12))
def test_advantages_are_weighted_sums_of_k_step_errors(
    seed: int, gamma: float, gae_lambda: float, steps: int
) -> None:
    """The definition: sum over k of (gamma lambda)^k delta_(t+k), up to the episode's end."""
    rng = np.random.default_rng(seed)
    reward, value = rng.normal(size=(2, steps))
    done, last = rng.random(steps) < 0.3, rng.normal()
    following = np.append(value[1:], last)
    delta = reward + gamma * np.where(done, 0, following) - value
    expected = []
    for t in range(steps):
        ends = [k for k in range(t, steps) if done[k]]
        stop = ends[0] if ends else steps - 1
        terms = [(gamma * gae_lambda) ** (k - t) * delta[k] for k in range(t, stop + 1)]
        expected.append(sum(terms))

    found = gae(
        torch.from_numpy(reward),
        torch.from_numpy(done),
        torch.from_numpy(value),
        torch.tensor(last, dtype=torch.float64),
        gamma=gamma,
        gae_lambda=gae_lambda,
    )

    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def test_normalised_advantages_have_mean_zero_and_deviation_one() -> None:
    x = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)) * 3 + 2

    found = normalise(x).numpy()

    assert abs(found.mean()) < 1e-6
    assert found.std() == pytest.approx(1, abs=1e-4)


def _slow_loss(  # one sample after another, in plain floats
    logits: np.ndarray, value: np.ndarray, old: Sample, settings: PpoSettings
) -> dict[str, float]:
    sums = dict.fromkeys(("policy", "value", "entropy", "kl"), 0.0)
    real = [i for i in range(len(value)) if old.weight[i] > 0]
    for i in real:
        odds = [math.exp(x) for x in logits[i]]
        chance = [x / sum(odds) for x in odds]
        ratio = chance[int(old.action[i])] / math.exp(float(old.log_prob[i]))
        gain = float(old.advantage[i])
        limited = min(max(ratio, 1 - settings.clip), 1 + settings.clip)
        sums["policy"] -= min(ratio * gain, limited * gain)
        before, target = float(old.value[i]), float(old.target[i])
        change = min(max(value[i] - before, -settings.clip), settings.clip)
        sums["value"] += 0.5 * max((value[i] - target) ** 2, (before + change - target) ** 2)
        sums["entropy"] -= sum(p * math.log(p) for p in chance)
        sums["kl"] += ratio - 1 - math.log(ratio)
    found = {name: total / len(real) for name, total in sums.items()}
    found["total"] = (
        found["policy"]
        + settings.value_coef * found["value"]
        - settings.entropy_coef * found["entropy"]
    )
    return found


@given(st.integers(0, 2**32 - 1))
def test_the_loss_is_the_mean_over_real_samples_one_by_one(seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    n, actions = 9, 5
    settings = PpoSettings(entropy_coef=0.05)
    draws = torch.randn(6, n, generator=rng, dtype=torch.float64)
    logits = torch.randn(n, actions, generator=rng, dtype=torch.float64)
    real = torch.arange(n) < 6
    old = Sample(
        torch.randint(actions, (n,), generator=rng),
        -draws[0].abs() - 0.1,
        draws[1],
        draws[2],
        draws[3],
        real.double() / real.sum(),
    )

    found = ppo_loss(logits, draws[4], old, settings)

    slow = _slow_loss(logits.numpy(), draws[4].numpy(), old, settings)
    for name, expected in slow.items():
        assert float(getattr(found, name)) == pytest.approx(expected, rel=1e-9), name


def test_clipping_stops_the_gradient_of_an_action_that_became_likely_enough() -> None:
    logits = torch.tensor([[2.0, 0.0]], requires_grad=True)
    old = Sample(
        torch.tensor([0]),
        torch.tensor([math.log(0.5)]),
        torch.zeros(1),
        torch.ones(1),
        torch.zeros(1),
        torch.ones(1),
    )
    ppo_loss(logits, torch.zeros(1), old, PpoSettings(entropy_coef=0.0)).total.backward()  # type: ignore[no-untyped-call]

    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize(
    ("field", "value"), [("lr", 0.0), ("epochs", 0), ("minibatches", 0), ("gamma", 1.1)]
)
def test_impossible_settings_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{field}: expected"):
        PpoSettings(**{field: value})  # type: ignore[arg-type]
