"""Skill experts as assets: trained once, found again by the hash of all they are made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from rlbench.core.assets import Asset
from rlbench.core.checkpoint import AssetCheckpoint
from rlbench.core.errors import UsageError, closest
from rlbench.core.registry import Registry
from rlbench.core.seeding import small_seed
from rlbench.core.spec import TaskSpec
from rlbench.learn.weights import load_arrays, to_arrays
from rlbench.suites.skillhack.evaluate import evaluate, learnt
from rlbench.suites.skillhack.interface import ACTIONS
from rlbench.suites.skillhack.learners.impala import Impala
from rlbench.suites.skillhack.learners.interface import (
    STREAMS,
    Expert,
    ExpertTraining,
    World,
)
from rlbench.suites.skillhack.learners.ppo import Ppo
from rlbench.suites.skillhack.network import NetworkKind, Policy
from rlbench.suites.skillhack.progress import train
from rlbench.suites.skillhack.settings import Protocol, task_settings
from rlbench.suites.skillhack.train import Trainer, workers_for
from rlbench.suites.skillhack.vector import make_vector

if TYPE_CHECKING:
    from rlbench.core.context import Context

SUITE = "skillhack"
KIND = "skillhack-expert"
SEED = 0
"""Of every expert: all seeds of all students learn from the same ones, and pay for them once."""
_WEIGHTS = "weights."

Experts = Callable[[Sequence[str], ExpertTraining], list[Expert]]


def experts_for(ctx: Context, limits: Protocol) -> Experts:
    """What `World.experts` of a trial is; the trial's tier says how experts are played."""
    device = torch.device(ctx.device)

    def experts(names: Sequence[str], training: ExpertTraining) -> list[Expert]:
        found = []
        for task in _skills(names):
            about = {
                "task": task.id,
                "spec_sha256": task.sha256,
                "network": limits.network,
                "environments": limits.environments,
                "episodes": limits.episodes,
                **asdict(training),
            }
            kept = ctx.asset_checkpoint(KIND, about, seed=SEED)
            make = partial(train_expert, task, training, limits, device, kept)
            asset = ctx.asset(KIND, about, make, seed=SEED)
            found.append(_load(task.name, asset, limits.network, device))
        return found

    return experts


def _skills(names: Sequence[str]) -> list[TaskSpec]:
    tasks = {spec.name: spec for spec in Registry.load().tasks.values() if spec.suite == SUITE}
    for name in names:
        if name not in tasks:
            raise UsageError(f"{SUITE}/{name}: no such skill{closest(name, tasks)}")
    return [tasks[name] for name in names]


def _load(name: str, asset: Asset, network: NetworkKind, device: torch.device) -> Expert:
    policy = Policy(network, len(ACTIONS))
    weights = {
        key.removeprefix(_WEIGHTS): value
        for key, value in asset.arrays.items()
        if key.startswith(_WEIGHTS)
    }
    load_arrays(policy, weights)
    policy.requires_grad_(False).to(device)
    success = float(asset["episode_success"].mean())
    return Expert(name, policy, int(asset["frames"].sum()), success, asset.key)


def train_expert(
    task: TaskSpec,
    training: ExpertTraining,
    limits: Protocol,
    device: torch.device,
    kept: AssetCheckpoint,
) -> dict[str, np.ndarray[Any, Any]]:
    """Train an expert of a skill and play it: its weights, its frames and its episodes.

    A training that was killed goes on from what is `kept`.
    """

    def seed(purpose: str) -> int:
        return small_seed(KIND, task.name, SEED, purpose)

    settings, n = task_settings(task), limits.environments
    rngs = generators(seed, device)
    world = World(
        network=limits.network,
        n_actions=len(ACTIONS),
        environments=n,
        env_steps=training.expert_steps,
        skills=(),
        task=task.name,
        rngs=rngs,
        device=device,
        experts=_no_experts,
    )
    learner = _memoryless(training).begin(world)
    workers = workers_for(n)
    with make_vector(settings, purpose="train", seed=seed("levels"), n=n, workers=workers) as env:
        trainer = Trainer(learner, env, rngs, training.expert_steps, published=settings.published)
        train(trainer, kept.load, kept.save, _unheard)
    rng = torch.Generator(device).manual_seed(seed("evaluate-actions"))
    with make_vector(
        settings, purpose="evaluate", seed=seed("levels"), n=n, workers=workers
    ) as env:
        played = evaluate(learnt(learner, n, rng), env, limits.episodes)
    weights = {f"{_WEIGHTS}{k}": v for k, v in to_arrays(learner.policy).items()}
    frames = np.array([trainer.counts.env_steps], np.int64)
    return {**weights, **played, "frames": frames}


def _memoryless(training: ExpertTraining) -> Ppo | Impala:
    return Ppo() if training.expert_method == "ppo" else Impala(memory="none")


def _unheard(step: int, **values: float) -> None:
    """An expert's curve is nobody's."""


def _no_experts(names: Sequence[str], training: ExpertTraining) -> list[Expert]:
    raise UsageError("an expert learns from no experts")


def generators(seed: Callable[[str], int], device: torch.device) -> dict[str, torch.Generator]:
    """A world's streams of chance; `seed` gives a seed for a purpose."""
    cpu = torch.device("cpu")
    places = {"actions": device}
    return {
        name: torch.Generator(places.get(name, cpu)).manual_seed(seed(f"train-{name}"))
        for name in STREAMS
    }
