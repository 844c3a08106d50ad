"""V-trace learners: parameters of a known age, published sums, and what methods add to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rlbench.core.errors import UsageError
from rlbench.core.registry import Registry
from rlbench.learn.vtrace import vtrace
from rlbench.suites.skillhack.learners.impala import Impala
from rlbench.suites.skillhack.learners.interface import (
    STREAMS,
    Dynamics,
    Expert,
    ExpertTraining,
    Method,
    Rollout,
    World,
    sample,
)
from rlbench.suites.skillhack.learners.kickstart import Guidance, HierarchicalKickstart, Kickstart
from rlbench.suites.skillhack.learners.ldd import DynamicsDistillation
from rlbench.suites.skillhack.learners.moments import Moments
from rlbench.suites.skillhack.learners.novelty import RandomDistillation
from rlbench.suites.skillhack.learners.offpolicy import Heard, VtraceLearner
from rlbench.suites.skillhack.learners.options import FrozenOptions
from rlbench.suites.skillhack.learners.ppo import Ppo
from rlbench.suites.skillhack.network import Output, Policy

ACTIONS = 5
SMALL = {
    name: Registry.load().baselines["skillhack/impala"].tiers["small"].get(name, param.value)
    for name, param in Registry.load().baselines["skillhack/impala"].params.items()
}
"""What IMPALA is at tier small."""


def expert(skill: str, action: int) -> Expert:
    """One who always takes the same action."""
    policy = Policy("small", ACTIONS)
    policy.initialise(torch.Generator().manual_seed(action))
    with torch.no_grad():
        policy.policy.weight.zero_()
        policy.policy.bias.copy_(torch.where(torch.arange(ACTIONS) == action, 20.0, 0.0))
    return Expert(skill, policy.requires_grad_(False), frames=100, success=0.5, key=skill)


def experts(names: Sequence[str], training: ExpertTraining) -> list[Expert]:
    return [expert(name, i) for i, name in enumerate(names)]


def world(env_steps: int = 1000) -> World:
    return World(
        network="small",
        n_actions=ACTIONS,
        environments=3,
        env_steps=env_steps,
        skills=("pick-up", "wield"),
        task="battle",
        rngs={name: torch.Generator().manual_seed(i) for i, name in enumerate(STREAMS)},
        device=torch.device("cpu"),
        experts=experts,
        dynamics=lambda training: Dynamics(expert("battle", 0).policy, 10, (0.9, 0.1), "key"),
    )


def seen(rng: torch.Generator, n: int = 3) -> tuple[Tensor, ...]:
    return (
        torch.randint(0, 5976, (n, 81), generator=rng).to(torch.int16),
        torch.randint(0, 128, (n, 64), generator=rng).to(torch.uint8),
        torch.rand((n, 6), generator=rng),
    )


def rollout(learner: Any, seed: int = 0) -> Rollout:
    """What a learner does in a world that answers with chance."""
    rng = torch.Generator().manual_seed(seed)
    memory = learner.start(3)
    looks, turns, state = [seen(rng)], [], memory
    for _ in range(learner.unroll):
        turn = learner.act(looks[-1], state)
        turns.append(turn)
        looks.append(seen(rng))
        state = turn.memory
    reward = torch.randn((learner.unroll, 3), generator=rng)
    return Rollout(
        tuple(torch.stack(part) for part in zip(*looks, strict=True)),
        memory,
        torch.stack([turn.chosen for turn in turns]),
        torch.stack([turn.log_prob for turn in turns]),
        torch.stack([turn.value for turn in turns]),
        reward,
        torch.zeros((learner.unroll, 3), dtype=torch.bool),
        torch.zeros((learner.unroll, 3), dtype=torch.bool),
    )


def impala(**params: Any) -> VtraceLearner:
    return Impala(**{"unroll": 4, "memory": "none", **params}).begin(world())


def vector(policy: Policy) -> Tensor:
    return torch.cat([p.detach().flatten().clone() for p in policy.parameters()])


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_the_acting_parameters_are_as_many_updates_old_as_said(lag: int) -> None:
    learner = impala(lag=lag)
    ages = [vector(learner.policy)]
    for update in range(5):
        torch.testing.assert_close(vector(learner._acting), ages[max(update - lag, 0)])
        learner.learn(rollout(learner, update))
        ages.append(vector(learner.policy))
    torch.testing.assert_close(vector(learner._acting), ages[5 - lag])


def test_lag_makes_ratios_and_no_lag_makes_none() -> None:
    late, fresh = impala(lag=1, lr=0.01), impala(lag=0, lr=0.01)
    for update in range(2):
        told = late.learn(rollout(late, update)), fresh.learn(rollout(fresh, update))

    assert abs(told[0]["ratio"] - 1) > 1e-3
    assert 0 < told[0]["clipped"] < 1
    assert told[1]["ratio"] == pytest.approx(1, abs=1e-5)


def test_the_gradient_is_that_of_the_published_sums() -> None:
    """One update of plain numbers, against the loss written out term by term."""
    learner = impala(lag=0, normalise_reward=False, max_grad_norm=1e9)
    heard = rollout(learner)
    reference = Policy("small", ACTIONS)
    reference.load_state_dict(learner.policy.state_dict())

    whole = reference.unroll(heard.seen, (), heard.done)
    every = whole.logits[:-1].log_softmax(-1)
    traced = vtrace(
        torch.zeros(4, 3), torch.full((4, 3), 0.999), heard.reward,
        whole.value[:-1].detach(), whole.value[-1].detach(),
    )  # fmt: skip
    total = torch.zeros(())
    for t in range(4):
        for b in range(3):
            log_p, v = every[t, b], whole.value[t, b]
            total = total - traced.advantage[t, b] * log_p[heard.chosen[t, b]]
            total = total + 0.5 * 0.5 * (traced.target[t, b] - v) ** 2
            total = total + 0.001 * (log_p.exp() * log_p).sum()
    total.backward()  # type: ignore[no-untyped-call]
    learner.learn(heard)

    for own, other in zip(learner.policy.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(own.grad, other.grad, rtol=1e-3, atol=1e-4)


def test_the_learning_rate_falls_to_zero_over_the_budget() -> None:
    learner = impala(lr=0.1)
    learner._world.__dict__["env_steps"] = 24  # two rollouts of 4 steps in 3 environments
    rates = []
    for update in range(2):
        learner.learn(rollout(learner, update))
        rates.append(learner.optimiser.param_groups[0]["lr"])

    assert rates == pytest.approx([0.05, 0.0])


@given(seed=st.integers(0, 2**32 - 1))
def test_the_running_deviation_is_counted_as_published(seed: int) -> None:
    rng = np.random.default_rng(seed)
    batches, moments = rng.normal(size=(3, 4, 5)), Moments()
    found = [moments.update(torch.from_numpy(batch)) for batch in batches]

    total, squares, count = 0.0, 0.0, 1e-8
    for batch, value in zip(batches, found, strict=True):
        mean, before = batch.sum() / 4, total / count
        squares += sum((x - mean) ** 2 for x in batch.flatten())
        squares += count * 4 / (count + 4) * (mean - before) ** 2
        count, total = count + 4, total + batch.sum()
        assert value == pytest.approx(np.sqrt(squares / count))


@pytest.mark.parametrize("unroll", [2, 6])
def test_guidance_weighs_a_sample_alike_at_any_unroll(unroll: int) -> None:
    """lambda / 80 per sample: the published sum over samples divided by an unroll of 80."""
    params = {"unroll": unroll, "memory": "none", "guidance_floor": 1.0, "guidance": 8.0}
    learner = Kickstart(**params).begin(world())
    assert isinstance(learner._addition, Guidance)
    heard = rollout(learner)
    whole = learner.policy.unroll(heard.seen, (), heard.done)
    out, last = (
        Output(whole.logits[part], whole.value[part], {}, whole.hidden[part])
        for part in (slice(-1), -1)
    )

    loss, told = learner._addition.loss(Heard(heard, out, last, heard.log_prob * 0, frames=0))

    assert loss.item() == pytest.approx(8.0 / 80 * told["divergence"] * unroll * 3, rel=1e-4)


@pytest.mark.parametrize("divergence", ["reverse", "forward"])
def test_a_kickstarted_student_comes_to_do_what_its_teachers_do(divergence: str) -> None:
    method = Kickstart(
        unroll=4, memory="none", lr=0.003, guidance=200.0, guidance_floor=1.0,
        divergence=divergence, normalise_reward=False,
    )  # fmt: skip
    learner = method.begin(world(100_000))
    first = learner.learn(rollout(learner, 0))
    for update in range(30):
        last = learner.learn(rollout(learner, update))

    assert last["divergence"] < 0.3 * first["divergence"]


def test_hierarchical_kickstarting_learns_whom_to_follow() -> None:
    """Its weights start near uniform, and the regulariser keeps them there."""
    method = HierarchicalKickstart(unroll=4, memory="none", uniform=1000.0, uniform_share=100.0)
    learner = method.begin(world(100_000))
    for update in range(20):
        told = learner.learn(rollout(learner, update))
    assert told["weight.pick-up"] == pytest.approx(0.5, abs=0.1)
    assert told["weight.pick-up"] + told["weight.wield"] == pytest.approx(1, abs=1e-5)

    free = HierarchicalKickstart(unroll=4, memory="none", uniform=0.0).begin(world(100_000))
    free.learn(rollout(free))
    gradients = [p.grad for p in free.policy.extra["teachers"].parameters()]
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)


def test_options_can_only_do_what_their_experts_do() -> None:
    learner = FrozenOptions(unroll=4, memory="none").begin(world())
    turn = learner.act(seen(torch.Generator().manual_seed(0), 50), ())

    assert set(turn.chosen.tolist()) == {0, 1}
    torch.testing.assert_close(turn.action, turn.chosen)  # expert i always takes action i


def test_what_has_been_seen_often_is_less_novel() -> None:
    learner = RandomDistillation(unroll=4, memory="none", prediction_coef=1.0).begin(world(100_000))
    same = rollout(learner, 0)
    first = learner.learn(same)["novelty"]
    for _ in range(30):
        last = learner.learn(same)["novelty"]

    assert last < 0.7 * first


def test_the_random_target_is_never_trained() -> None:
    learner = RandomDistillation(unroll=4, memory="none").begin(world())
    assert learner._addition is not None
    target = learner._addition.modules[0]
    before = [p.clone() for p in target.parameters()]
    learner.learn(rollout(learner))

    for p, old in zip(target.parameters(), before, strict=True):
        torch.testing.assert_close(p, old, rtol=0, atol=0)


METHODS: dict[str, Method] = {
    "ppo": Ppo(unroll=4, epochs=2, minibatches=2),
    "impala": Impala(unroll=4, lag=2, memory="lstm"),
    "rnd": RandomDistillation(unroll=4, lag=1, memory="none"),
    "ks": Kickstart(unroll=4, memory="none"),
    "hks": HierarchicalKickstart(unroll=4, memory="lstm"),
    "foc": FrozenOptions(unroll=4, memory="none"),
    "ldd": DynamicsDistillation(unroll=4, lag=2, memory="lstm"),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_restored_learner_goes_on_as_the_saved_one(name: str) -> None:
    one, two = (METHODS[name].begin(world()) for _ in range(2))
    for update in range(3):
        heard = rollout(one, update)
        one.learn(heard)
    saved = one.state()
    two.restore(saved)
    for target, source in zip(two_rngs(two), two_rngs(one), strict=True):
        target.set_state(source.get_state())

    after = [learner.learn(rollout(learner, 9)) for learner in (one, two)]

    assert after[0] == after[1]
    for key, value in one.state().items():
        np.testing.assert_array_equal(two.state()[key], value, err_msg=key)


def two_rngs(learner: Any) -> list[torch.Generator]:
    known = learner._world.rngs if isinstance(learner, VtraceLearner) else learner._rngs
    return list(known.values())


BANDITS: dict[str, tuple[Method, int]] = {
    "ppo": (Ppo(unroll=32, lr=0.003), 15),
    "impala": (Impala(**SMALL), 60),
    "impala-fresh": (Impala(**{**SMALL, "lag": 0}), 60),
    "impala-lstm": (Impala(**{**SMALL, "memory": "lstm"}), 60),
}
"""With the number of rollouts; 60 of them are 3,600 steps."""


@pytest.mark.parametrize("name", BANDITS)
def test_a_learner_finds_out_which_action_pays(name: str) -> None:
    """A bandit: action 2 pays whatever is seen."""
    method, rollouts = BANDITS[name]
    learner = method.begin(world(100_000))
    for update in range(rollouts):
        heard = rollout(learner, update)
        reward = (heard.chosen == 2).float()
        learner.learn(heard._replace(reward=reward, done=torch.ones_like(heard.done)))

    assert (rollout(learner, 99).chosen == 2).float().mean() > 0.9


def test_samples_follow_the_softmax() -> None:
    logits = torch.tensor([0.0, 1.0, 2.0]).expand(20_000, 3)

    chosen, log_prob = sample(logits, torch.Generator().manual_seed(0))

    share = torch.bincount(chosen, minlength=3) / 20_000
    torch.testing.assert_close(share, logits[0].softmax(-1), atol=0.015, rtol=0)
    torch.testing.assert_close(log_prob, logits[0].log_softmax(-1)[chosen])


@pytest.mark.parametrize(
    ("method", "params"),
    [
        (Ppo, {"unroll": 0}),
        (Impala, {"lag": -1}),
        (Kickstart, {"divergence": "both"}),
        (HierarchicalKickstart, {"uniform_share": 0.0}),
        (FrozenOptions, {"teachers": "none"}),
        (RandomDistillation, {"nonsense": 1}),
        (DynamicsDistillation, {"demonstrations": 0}),
    ],
)
def test_a_parameter_that_makes_no_sense_is_one_clear_line(
    method: Any, params: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match=next(iter(params))):
        method(**params)


def test_what_lies_beyond_a_cut_is_worth_the_last_value() -> None:
    """A step that is cut off is learnt from as if it had earned gamma V more."""
    for method in (Ppo(unroll=4, epochs=1, minibatches=1), Impala(unroll=4, lag=0, memory="none")):
        one, two = method.begin(world()), method.begin(world())
        gamma = method.params.gamma
        if isinstance(one, VtraceLearner):
            one, two = (
                Impala(unroll=4, lag=0, memory="none", normalise_reward=False).begin(world())
                for _ in range(2)
            )
        heard = rollout(one)
        rollout(two)  # the same chance is used up
        done = torch.zeros_like(heard.done)
        done[1] = True
        cut = heard._replace(done=done, cut=done)
        paid = heard._replace(done=done, reward=heard.reward + gamma * heard.value * done)
        told = one.learn(cut), two.learn(paid)

        for name, value in told[0].items():
            assert value == pytest.approx(told[1][name], rel=1e-4, abs=1e-6), name
