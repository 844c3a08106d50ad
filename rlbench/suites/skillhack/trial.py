"""One trial: train if the baseline learns, then play unseen levels; the evidence of `metrics`."""

from __future__ import annotations

import inspect
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from rlbench.core.algorithm import load_algorithm
from rlbench.core.context import Context
from rlbench.core.errors import UsageError
from rlbench.core.suite import Outcome
from rlbench.core.trial import Trial
from rlbench.suites.skillhack.dynamics import ModelMaker, dynamics_for
from rlbench.suites.skillhack.evaluate import Act, evaluate, learnt
from rlbench.suites.skillhack.experts import Experts, experts_for, generators
from rlbench.suites.skillhack.interface import ACTIONS
from rlbench.suites.skillhack.learners.interface import (
    Dynamics,
    DynamicsTraining,
    Expert,
    ExpertTraining,
    Learner,
    World,
)
from rlbench.suites.skillhack.metrics import COUNTS
from rlbench.suites.skillhack.network import Policy
from rlbench.suites.skillhack.progress import train
from rlbench.suites.skillhack.saved import keep_student
from rlbench.suites.skillhack.settings import Protocol, TaskSettings, protocol, task_settings
from rlbench.suites.skillhack.train import Counts, Trainer, workers_for
from rlbench.suites.skillhack.vector import make_vector

Arrays = dict[str, np.ndarray[Any, Any]]


def run_trial(trial: Trial, ctx: Context) -> Outcome:
    """Train (or go on training) and evaluate.

    Raises:
        UsageError: the algorithm neither learns nor acts, or takes other parameters.
        SpecError: the task or the tier is ill-formed.
    """
    settings, limits = task_settings(trial.task), protocol(trial.task, trial.protocol)
    algorithm = _algorithm(trial)
    began = time.perf_counter()
    teachers, steps = _Teachers(), 0
    counts = Counts()
    notes: dict[str, Any] = {}
    act: Act
    if hasattr(algorithm, "begin"):
        world = _world(trial, settings, limits, teachers, ctx)
        learner: Learner = algorithm.begin(world)
        ready = time.perf_counter()
        if learner.unroll:
            counts = _train(learner, world, settings, ctx)
            notes |= _keep(learner, limits, ctx)
        steps = learner.gradient_steps
        rng = torch.Generator(world.device).manual_seed(ctx.seed("evaluate-actions"))
        act = learnt(learner, limits.environments, rng)
    else:
        ready = began
        act = algorithm.policy(settings, ctx.rng("evaluate-actions")).act
    trained = time.perf_counter()
    seed, n = ctx.seed("levels"), limits.environments
    workers = workers_for(n)
    with make_vector(settings, purpose="evaluate", seed=seed, n=n, workers=workers) as env:
        evidence = evaluate(act, env, limits.episodes)
    done = time.perf_counter()
    known = {**vars(counts), "gradient_steps": steps, "teacher_steps": teachers.frames}
    evidence["counts"] = np.array([known[name] for name in COUNTS], np.int64)
    evidence |= teachers.evidence()
    volatile = {
        "prepare_s": round(ready - began, 3),
        "train_s": round(trained - ready, 3),
        "evaluate_s": round(done - trained, 3),
    }
    return Outcome(evidence, notes | teachers.notes(), volatile)


def _keep(learner: Learner, limits: Protocol, ctx: Context) -> dict[str, str]:
    """The student's asset, where it is a policy of ours."""
    policy = getattr(learner, "policy", None)
    if not isinstance(policy, Policy):
        return {}
    return {"student": keep_student(policy, limits.network, ctx)}


class _Teachers:
    """The experts and the dynamics that a learner asked for."""

    def __init__(self) -> None:
        self.heard: list[Expert] = []
        self.shown: list[Dynamics] = []

    def listen(self, make: Experts) -> Experts:
        """The same function; whom it gives is remembered."""

        def experts(names: Sequence[str], training: ExpertTraining) -> list[Expert]:
            found = make(names, training)
            self.heard += found
            return found

        return experts

    def look(self, make: ModelMaker) -> ModelMaker:
        """The same function; what it gives is remembered."""

        def dynamics(training: DynamicsTraining) -> Dynamics:
            found = make(training)
            self.shown.append(found)
            return found

        return dynamics

    @property
    def frames(self) -> int:
        """Environment steps that their training and their demonstrations took, over all."""
        trained = sum(expert.frames for expert in self.heard)
        return trained + sum(model.frames for model in self.shown)

    def evidence(self) -> Arrays:
        """Names, frames and own scores, if there are any."""
        if not self.heard:
            return {}
        return {
            "teacher_name": np.array([expert.skill for expert in self.heard]),
            "teacher_frames": np.array([expert.frames for expert in self.heard], np.int64),
            "teacher_success": np.array([expert.success for expert in self.heard], np.float32),
        }

    def notes(self) -> dict[str, Any]:
        """The assets' keys, the experts' by skill, and what the dynamics foresee."""
        notes: dict[str, Any] = {"experts": {expert.skill: expert.key for expert in self.heard}}
        for model in self.shown:
            everywhere, changed = model.right
            notes["dynamics"] = {"key": model.key, "right": everywhere, "right_changed": changed}
        return notes


def _algorithm(trial: Trial) -> Any:
    """The method or agent, constructed with the recipe's parameters."""
    word = trial.baseline.algorithm
    cls = load_algorithm(word)
    if not hasattr(cls, "begin") and not hasattr(cls, "policy"):
        raise UsageError(
            f"{word}: no method 'begin' and no 'policy'; a learner has the first, an agent without"
            " learning the second"
        )
    try:
        inspect.signature(cls).bind(**trial.params)
    except TypeError as error:
        raise UsageError(
            f"{word}: parameters {sorted(trial.params)} do not fit: {error}"
        ) from error
    try:
        return cls(**trial.params)
    except ValueError as error:
        raise UsageError(f"{trial.baseline.id} on {trial.task.id}: {error}") from error


def _world(
    trial: Trial, settings: TaskSettings, limits: Protocol, teachers: _Teachers, ctx: Context
) -> World:
    device = torch.device(ctx.device)
    experts = teachers.listen(experts_for(ctx, limits))
    return World(
        network=limits.network,
        n_actions=len(ACTIONS),
        environments=limits.environments,
        env_steps=limits.env_steps,
        skills=tuple(settings.skills),
        task=trial.task.name,
        rngs=generators(ctx.seed, device),
        device=device,
        experts=experts,
        dynamics=teachers.look(dynamics_for(ctx, limits, experts)),
    )


def _train(learner: Learner, world: World, settings: TaskSettings, ctx: Context) -> Counts:
    """Train to the end, from the checkpoint if there is one."""
    seed, n = ctx.seed("levels"), world.environments
    workers = workers_for(n)
    with make_vector(settings, purpose="train", seed=seed, n=n, workers=workers) as env:
        trainer = Trainer(learner, env, world.rngs, world.env_steps, published=settings.published)
        train(trainer, ctx.load_checkpoint, ctx.save_checkpoint, ctx.log)
    return trainer.counts
