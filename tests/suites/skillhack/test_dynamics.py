"""Dynamics from demonstrations: what is predicted, what is learnt, and the student's two debts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from rlbench.core.registry import Registry
from rlbench.suites.skillhack.dynamics import (
    CELLS,
    ROLLOUT,
    Shown,
    foreseen,
    learn,
    new_model,
    screen,
    watch,
)
from rlbench.suites.skillhack.interface import Observation
from rlbench.suites.skillhack.learners.interface import (
    STREAMS,
    Dynamics,
    DynamicsTraining,
    Expert,
    Rollout,
    World,
)
from rlbench.suites.skillhack.learners.ldd import DynamicsDistillation
from rlbench.suites.skillhack.learners.offpolicy import Heard, VtraceLearner
from rlbench.suites.skillhack.network import Output, Policy
from rlbench.suites.skillhack.settings import Protocol, task_settings
from rlbench.suites.skillhack.vector import make_vector

SETTINGS = task_settings(Registry.load().tasks["skillhack/take-off"])
LIMITS = Protocol(env_steps=1, episodes=1)


def policy(seed: int, choices: int = 23) -> Policy:
    drawn = Policy("small", choices)
    drawn.initialise(torch.Generator().manual_seed(seed))
    return drawn.requires_grad_(False)


def dynamics(training: DynamicsTraining) -> Dynamics:
    return Dynamics(policy(7), training.demonstrations, (0.9, 0.1), "key")


def begin(**params: Any) -> VtraceLearner:
    world = World(
        network="small",
        n_actions=23,
        environments=3,
        env_steps=1000,
        skills=(),
        task="take-off",
        rngs={name: torch.Generator().manual_seed(i) for i, name in enumerate(STREAMS)},
        device=torch.device("cpu"),
        experts=lambda names, training: [],
        dynamics=dynamics,
    )
    return DynamicsDistillation(unroll=4, memory="none", **params).begin(world)


def rollout(seed: int) -> Rollout:
    rng = torch.Generator().manual_seed(seed)
    seen = (
        torch.randint(0, 5976, (5, 3, 81), generator=rng).to(torch.int16),
        torch.randint(0, 128, (5, 3, 64), generator=rng).to(torch.uint8),
        torch.rand((5, 3, 6), generator=rng),
    )
    none = torch.zeros((4, 3), dtype=torch.bool)
    chosen = torch.randint(0, 23, (4, 3), generator=rng)
    log_prob, value = torch.full((4, 3), -3.1), torch.zeros(4, 3)
    reward = torch.randn((4, 3), generator=rng)
    return Rollout(seen, (), chosen, log_prob, value, reward, none, none)


def test_what_is_predicted_is_around_the_hero_and_in_the_message() -> None:
    with make_vector(SETTINGS, purpose="train", seed=0, n=2) as env:
        seen: Observation = env.reset()
        found = screen(seen)

    for i in range(2):
        x, y = seen.blstats[i, :2].tolist()
        for k in range(81):
            row, column = y + k // 9 - 4, x + k % 9 - 4
            inside = 0 <= row < 21 and 0 <= column < 79
            assert found[i, k] == (seen.chars[i, row, column] & 127 if inside else 0)
        assert found[i, 40] == ord("@")
        assert bytes(found[i, 81:]) == bytes(seen.message[i, :64] & 127)


def test_demonstrations_follow_one_another_and_never_cross_the_end_of_an_episode() -> None:
    expert = Expert("take-off", policy(1), frames=0, success=0.0, key="")
    rng = torch.Generator().manual_seed(0)
    settings = replace(SETTINGS, max_steps=20)
    with make_vector(settings, purpose="train", seed=0, n=1) as env:
        shown = watch(expert, env, env.reset(), rng)
        ended = int(env.episodes.sum())

    assert ended >= 3
    assert len(shown.now) == len(shown.after) == len(shown.seen[0]) == ROLLOUT - ended
    breaks = int((shown.after[:-1] != shown.now[1:]).any(1).sum())
    assert 1 <= breaks <= ended


def test_a_model_learns_what_follows_what() -> None:
    model = new_model(LIMITS, torch.Generator().manual_seed(0))
    rng = torch.Generator().manual_seed(1)
    seen = tuple(part[:, 0] for part in rollout(0).seen)
    now = torch.randint(0, 128, (5, CELLS), generator=rng).to(torch.uint8)
    after = torch.randint(0, 128, (5, CELLS), generator=rng).to(torch.uint8)
    shown = Shown(seen, now, after)
    before = foreseen(model, shown)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(10):
        learn(model, optimiser, shown, rng)

    assert max(before) < 0.1
    assert min(foreseen(model, shown)) > 0.95


def same_eyes(one: Policy, two: Policy) -> bool:
    pairs = zip(one.eyes.parameters(), two.eyes.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("lag", [0, 2])
def test_a_student_begins_as_the_model_unless_told_otherwise(lag: int) -> None:
    model, student, fresh = policy(7), begin(lag=lag), begin(lag=lag, begin_with_dynamics=False)

    assert same_eyes(student.policy, model)
    assert same_eyes(student._acting, model)
    assert not same_eyes(fresh.policy, model)
    student.learn(rollout(0))
    assert not same_eyes(student.policy, model)
    assert same_eyes(student._acting, model) == (lag > 0)  # what acts is older


def test_distillation_holds_the_student_near_the_model() -> None:
    held, free = begin(distil=100.0, lr=0.003), begin(distil=1e-6, lr=0.003)
    for update in range(15):
        told = held.learn(rollout(update)), free.learn(rollout(update))

    assert told[0]["apart"] < 0.5 * told[1]["apart"]


def test_the_difference_is_a_mean_over_units_and_a_sum_over_samples() -> None:
    student = begin(distil=0.5, begin_with_dynamics=False)
    assert student._addition is not None
    heard, model = rollout(3), policy(7)
    whole = student.policy.unroll(heard.seen, (), heard.done)
    out, last = (
        Output(whole.logits[part], whole.value[part], {}, whole.hidden[part])
        for part in (slice(-1), -1)
    )
    slow = 0.0
    for t in range(4):
        there = model.hidden(model.eyes(tuple(part[t] for part in heard.seen)))
        slow += float((whole.hidden[t].detach() - there).square().sum()) / 128

    loss, told = student._addition.loss(Heard(heard, out, last, heard.log_prob * 0, frames=0))

    assert loss.item() == pytest.approx(0.5 * slow, rel=1e-4)
    assert told["apart"] == pytest.approx(slow / 12, rel=1e-4)


def test_without_distillation_nothing_is_added() -> None:
    told = begin(distil=0.0).learn(rollout(0))

    assert "apart" not in told
    assert np.isfinite(list(told.values())).all()
