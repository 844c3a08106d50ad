"""Dynamics learnt from what an expert shows: the next screen from this one, without the actions.

The idea is that of language dynamics distillation (Zhong et al. 2022, arXiv:2210.00066), whose
NetHack model predicts every character of the next screen from people's recordings. Here an expert
of the task plays, and the characters around the hero and of the message are predicted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from rlbench.core.seeding import small_seed
from rlbench.learn.weights import load_arrays, to_arrays
from rlbench.suites.skillhack.experts import Experts, generators
from rlbench.suites.skillhack.eyes import CROP, HEIGHT, MESSAGE, WIDTH, Seen, crop_index
from rlbench.suites.skillhack.interface import ACTIONS, Environments, Observation
from rlbench.suites.skillhack.learners.interface import (
    Dynamics,
    DynamicsTraining,
    Expert,
    sample,
)
from rlbench.suites.skillhack.network import Policy
from rlbench.suites.skillhack.settings import Protocol, task_settings
from rlbench.suites.skillhack.train import workers_for
from rlbench.suites.skillhack.vector import make_vector

if TYPE_CHECKING:
    from rlbench.core.context import Context
    from rlbench.core.spec import TaskSpec

Array = np.ndarray[Any, Any]

KIND = "skillhack-dynamics"
SEED = 0
"""Of every model: all seeds of all students start from the same one."""
HEAD = "next"
SYMBOLS = 128
"""Characters of seven bits."""
CELLS = CROP * CROP + MESSAGE
ROLLOUT = 64
"""Steps in all environments that are learnt from before the expert plays on."""
PASSES = 4
"""Over each of these."""
BATCH = 256


ModelMaker = Callable[[DynamicsTraining], Dynamics]


class Shown(NamedTuple):
    """m moments of demonstrations after which the episode went on."""

    seen: Seen
    """[m, ...] each."""
    now: Tensor
    """uint8 [m, 145], see `screen`."""
    after: Tensor
    """uint8 [m, 145], one action later."""


def screen(observation: Observation) -> Array:
    """What is predicted: 9x9 characters around the hero (0 beyond the map), 64 of the message.

    Returns:
        uint8 [n, 145], below 128.
    """
    n, edge = len(observation.chars), CROP // 2
    framed = np.zeros((n, HEIGHT + 2 * edge, WIDTH + 2 * edge), np.uint8)
    framed[:, edge:-edge, edge:-edge] = observation.chars
    where = crop_index(observation.blstats[:, 0], observation.blstats[:, 1])
    near = np.take_along_axis(framed.reshape(n, -1), where, 1)
    return np.concatenate([near, observation.message[:, :MESSAGE]], 1) & 127


def dynamics_for(ctx: Context, limits: Protocol, experts: Experts) -> ModelMaker:
    """What `World.dynamics` of a trial is; `experts` is what its `World.experts` is."""
    task, device = ctx.trial.task, torch.device(ctx.device)

    def dynamics(training: DynamicsTraining) -> Dynamics:
        expert = experts([task.name], training.of_expert())[0]
        about = {
            "task": task.id,
            "spec_sha256": task.sha256,
            "network": limits.network,
            "environments": limits.environments,
            "expert": expert.key,
            **asdict(training),
        }
        make = partial(train_dynamics, task, expert, training, limits, device)
        asset = ctx.asset(KIND, about, make, seed=SEED)
        policy = Policy(limits.network, len(ACTIONS))
        load_arrays(policy, {name: asset[f"weights.{name}"] for name in policy.state_dict()})
        policy.requires_grad_(False).to(device)
        right = (float(asset["right"][0]), float(asset["right"][1]))
        return Dynamics(policy, int(asset["frames"].sum()), right, asset.key)

    return dynamics


def train_dynamics(
    task: TaskSpec,
    expert: Expert,
    training: DynamicsTraining,
    limits: Protocol,
    device: torch.device,
) -> dict[str, Array]:
    """Let the expert play, and learn to predict what it sees next.

    Returns:
        The network's weights but those of the prediction, `frames` int64 [1], and `right` float32
        [2] of the last moments before they were learnt from: the share of characters predicted, of
        all and of those that changed.
    """

    def seed(purpose: str) -> int:
        return small_seed(KIND, task.name, SEED, purpose)

    rngs, n = generators(seed, device), limits.environments
    model = new_model(limits, rngs["weights"]).to(device)
    optimiser = torch.optim.Adam(model.parameters(), lr=training.dynamics_lr)
    rounds = -(-training.demonstrations // (ROLLOUT * n))
    right = (0.0, 0.0)
    with make_vector(
        task_settings(task), purpose="train", seed=seed("levels"), n=n, workers=workers_for(n)
    ) as env:
        observation = env.reset()
        for _ in range(rounds):
            shown = watch(expert, env, observation, rngs["actions"])
            right = foreseen(model, shown)
            learn(model, optimiser, shown, rngs["minibatches"])
    weights = {k: v for k, v in to_arrays(model).items() if not k.startswith("extra.")}
    return {
        **{f"weights.{name}": value for name, value in weights.items()},
        "frames": np.array([rounds * ROLLOUT * n], np.int64),
        "right": np.array(right, np.float32),
    }


def new_model(limits: Protocol, rng: torch.Generator) -> Policy:
    """A student's network with one head more, which predicts."""
    model = Policy(limits.network, len(ACTIONS), extra={HEAD: CELLS * SYMBOLS})
    model.initialise(rng)
    return model


@torch.no_grad()
def watch(
    expert: Expert, env: Environments, observation: Observation, rng: torch.Generator
) -> Shown:
    """The next `ROLLOUT` steps of an expert; `observation` is the environments' own, now."""
    looks, nows, afters = [], [], []
    for _ in range(ROLLOUT):
        seen, now = expert.policy.see(observation), screen(observation)
        action, _ = sample(expert.policy.step(seen, ())[0].logits, rng)
        step = env.step(action.cpu().numpy())
        on = torch.from_numpy(~(step.terminated | step.truncated))
        looks.append(tuple(part[on.to(part.device)] for part in seen))
        nows.append(torch.from_numpy(now)[on])
        afters.append(torch.from_numpy(screen(step.observation))[on])
    device = looks[0][0].device
    seen = tuple(torch.cat(part) for part in zip(*looks, strict=True))
    return Shown(seen, torch.cat(nows).to(device), torch.cat(afters).to(device))


def learn(
    model: Policy, optimiser: torch.optim.Optimizer, shown: Shown, rng: torch.Generator
) -> None:
    """Some passes over what was shown, in shuffled batches."""
    for _ in range(PASSES):
        order = torch.randperm(len(shown.now), generator=rng).to(shown.now.device)
        for first in range(0, len(order), BATCH):
            part = order[first : first + BATCH]
            logits = predict(model, tuple(x[part] for x in shown.seen))
            loss = nn.functional.cross_entropy(logits, shown.after[part].to(torch.int64))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()


def predict(model: Policy, seen: Seen) -> Tensor:
    """Logits of the next screen: seen [m, ...] to float [m, 128, 145]."""
    out, _ = model.step(seen, ())
    return out.extra[HEAD].view(-1, SYMBOLS, CELLS)


@torch.no_grad()
def foreseen(model: Policy, shown: Shown) -> tuple[float, float]:
    """Shares of the characters that are predicted: of all, and of those that change."""
    parts = range(0, len(shown.now), BATCH)
    guesses = [predict(model, tuple(x[i : i + BATCH] for x in shown.seen)).argmax(1) for i in parts]
    hit = torch.cat(guesses) == shown.after
    changed = shown.now != shown.after
    return float(hit.float().mean()), float(hit[changed].float().sum()) / max(int(changed.sum()), 1)
