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
from rlbench.suites.skillhack.evaluate import Act, evaluate, learnt
from rlbench.suites.skillhack.experts import Experts, experts_for, generators
from rlbench.suites.skillhack.interface import ACTIONS
from rlbench.suites.skillhack.learners.interface import (
    Expert,
    ExpertTraining,
    Learner,
    World,
)
from rlbench.suites.skillhack.metrics import COUNTS
from rlbench.suites.skillhack.progress import Diary
from rlbench.suites.skillhack.settings import Protocol, TaskSettings, protocol, task_settings
from rlbench.suites.skillhack.train import Counts, Trainer
from rlbench.suites.skillhack.vector import make_vector

Arrays = dict[str, np.ndarray[Any, Any]]

CHECKPOINT_EVERY = 30.0
"""Seconds between checkpoints, at least."""
CHECKPOINT_COST = 20.0
"""And this many times as long as one takes to write."""


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
    counts, diary = Counts(), Diary()
    act: Act
    if hasattr(algorithm, "begin"):
        world = _world(trial, settings, limits, teachers.listen(experts_for(ctx, limits)), ctx)
        learner: Learner = algorithm.begin(world)
        ready = time.perf_counter()
        if learner.unroll:
            counts, diary = _train(learner, world, settings, ctx)
        steps = learner.gradient_steps
        rng = torch.Generator(world.device).manual_seed(ctx.seed("evaluate-actions"))
        act = learnt(learner, limits.environments, rng)
    else:
        ready = began
        act = algorithm.policy(settings, ctx.rng("evaluate-actions")).act
    trained = time.perf_counter()
    seed, n = ctx.seed("levels"), limits.environments
    with make_vector(settings, purpose="evaluate", seed=seed, n=n) as env:
        evidence = evaluate(act, env, limits.episodes)
    done = time.perf_counter()
    known = {**vars(counts), "gradient_steps": steps, "teacher_steps": teachers.frames}
    evidence["counts"] = np.array([known[name] for name in COUNTS], np.int64)
    evidence |= diary.evidence() | teachers.evidence()
    volatile = {
        "prepare_s": round(ready - began, 3),
        "train_s": round(trained - ready, 3),
        "evaluate_s": round(done - trained, 3),
    }
    return Outcome(evidence, teachers.notes(), volatile)


class _Teachers:
    """The experts that a learner asked for."""

    def __init__(self) -> None:
        self.heard: list[Expert] = []

    def listen(self, make: Experts) -> Experts:
        """The same function; whom it gives is remembered."""

        def experts(names: Sequence[str], training: ExpertTraining) -> list[Expert]:
            found = make(names, training)
            self.heard += found
            return found

        return experts

    @property
    def frames(self) -> int:
        """Environment steps that their training took, over all of them."""
        return sum(expert.frames for expert in self.heard)

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
        """The assets' keys by skill."""
        return {"experts": {expert.skill: expert.key for expert in self.heard}}


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
    trial: Trial, settings: TaskSettings, limits: Protocol, experts: Experts, ctx: Context
) -> World:
    device = torch.device(ctx.device)
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
    )


def _train(
    learner: Learner, world: World, settings: TaskSettings, ctx: Context
) -> tuple[Counts, Diary]:
    """Train to the end, from the checkpoint if there is one."""
    seed = ctx.seed("levels")
    with make_vector(settings, purpose="train", seed=seed, n=world.environments) as env:
        trainer = Trainer(learner, env, world.rngs, world.env_steps, published=settings.published)
        diary = Diary(trainer.updates)
        saved = ctx.load_checkpoint()
        if saved is not None:
            trainer.restore(saved.arrays)
            diary.restore(saved.arrays)
        due = time.monotonic() + CHECKPOINT_EVERY
        while not trainer.over:
            cycle = trainer.cycle()
            diary.note(cycle, trainer.counts, ctx, last=trainer.over)
            if time.monotonic() >= due and not trainer.over:
                began = time.monotonic()
                ctx.save_checkpoint(trainer.state() | diary.state(), {})
                took = time.monotonic() - began
                due = time.monotonic() + max(CHECKPOINT_EVERY, CHECKPOINT_COST * took)
    return trainer.counts, diary
