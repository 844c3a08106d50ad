"""One trial: train on what the curriculum chooses, then evaluate; the evidence of `metrics`."""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from rlbench.core.algorithm import load_algorithm
from rlbench.core.context import Context
from rlbench.core.errors import UsageError
from rlbench.core.suite import Outcome
from rlbench.core.trial import Trial
from rlbench.learn.weights import to_arrays
from rlbench.suites.ued.evaluate import (
    Player,
    agent_player,
    evaluate_levels,
    evaluate_mazes,
    student_player,
)
from rlbench.suites.ued.generate import only_solvable
from rlbench.suites.ued.levels import Levels
from rlbench.suites.ued.metrics import COUNTS
from rlbench.suites.ued.progress import Diary, level_arrays
from rlbench.suites.ued.settings import Protocol, protocol, task_settings
from rlbench.suites.ued.student import Student
from rlbench.suites.ued.train import STREAMS, Trainer, split_params
from rlbench.suites.ued.world import TaskWorld

GALLERY = 16
"""Levels in the gallery of the hardest."""
CHECKPOINT_EVERY = 30.0
"""Seconds between checkpoints, or twenty times as long as one takes to write."""


def run_trial(trial: Trial, ctx: Context) -> Outcome:
    """Train (or go on training) and evaluate.

    Raises:
        UsageError: the algorithm is no curriculum and no agent, or takes other parameters.
        SpecError: the task names a generator or a maze that there is not.
    """
    task, limits = task_settings(trial.task), protocol(trial.task, trial.protocol)
    world = TaskWorld(task, trial.task.file, ctx.device)
    algorithm, training = _algorithm(trial, limits)
    began = time.perf_counter()
    if hasattr(algorithm, "policy"):
        player, diary, trainer = agent_player(algorithm), Diary(), None
    else:
        trainer = Trainer(
            algorithm,
            training,
            world.maze,
            world.draw,
            {name: ctx.seed(f"train-{name}") for name in STREAMS},
            updates=limits.updates,
            environments=limits.environments,
            steps=limits.steps,
            n_walls=task.n_walls,
        )
        diary = _train(trainer, ctx)
        player = student_player(trainer.student)
    trained = time.perf_counter()
    evidence = _evaluate(player, world, limits, ctx)
    evidence["counts"] = _counts(trainer)
    evidence |= diary.evidence() | _hardest(trainer)
    done = time.perf_counter()
    notes: dict[str, Any] = {"student": None}
    if trainer is not None:
        notes["student"] = _keep(trainer, trial, ctx)
    volatile = {"train_s": round(trained - began, 3), "evaluate_s": round(done - trained, 3)}
    return Outcome(evidence, notes, volatile)


def _algorithm(trial: Trial, limits: Protocol) -> tuple[Any, Any]:
    """The curriculum or agent, constructed, and the students' settings."""
    word = trial.baseline.algorithm
    cls = load_algorithm(word)
    missing = [name for name in ("begin", "propose", "receive") if not hasattr(cls, name)]
    if missing and not hasattr(cls, "policy"):
        raise UsageError(
            f"{word}: no method '{missing[0]}'; a curriculum has begin, propose and receive,"
            " a fixed agent has policy"
        )
    defaults = {"lr": limits.lr, **getattr(cls, "training", {})}
    own, where = trial.params, f"{trial.baseline.id} on {trial.task.id}"
    if trial.baseline.own:  # its parameters are its constructor's, whatever they are called
        training, rest = split_params({}, where, defaults)[0], dict(own)
    else:
        training, rest = split_params(own, where, defaults)
    try:
        inspect.signature(cls).bind(**rest)
    except TypeError as error:
        raise UsageError(f"{word}: parameters {sorted(rest)} do not fit: {error}") from error
    try:
        return cls(**rest), training
    except ValueError as error:
        raise UsageError(f"{where}: {error}") from error


def _train(trainer: Trainer, ctx: Context) -> Diary:
    """Train to the end, from the checkpoint if there is one."""
    diary = Diary(trainer.updates)
    saved = ctx.load_checkpoint() if trainer.resumable else None
    if saved is not None:
        trainer.restore(saved.arrays)
        diary.restore(saved.arrays)
    due = time.monotonic() + CHECKPOINT_EVERY
    while not trainer.over:
        diary.note(trainer.cycle(), trainer, ctx)
        if trainer.resumable and time.monotonic() >= due and not trainer.over:
            began = time.monotonic()
            ctx.save_checkpoint(trainer.state() | diary.state(), {})
            took = time.monotonic() - began
            due = time.monotonic() + max(CHECKPOINT_EVERY, 20 * took)
    return diary


def _evaluate(
    player: Player, world: TaskWorld, limits: Protocol, ctx: Context
) -> dict[str, np.ndarray[Any, Any]]:
    def rng(purpose: str) -> torch.Generator:
        return torch.Generator(world.maze.device).manual_seed(ctx.seed(purpose))

    mazes = evaluate_mazes(
        player,
        world.families,
        rng("evaluate-mazes"),
        episodes=limits.episodes,
        maze_of=world.rules,
    )
    levels = only_solvable(limits.levels, rng("evaluation-levels"), world.draw)
    return mazes | evaluate_levels(
        player, world.maze, levels, rng("evaluate-levels"), episodes=limits.level_episodes
    )


def _counts(trainer: Trainer | None) -> np.ndarray[Any, Any]:
    if trainer is None:
        return np.zeros(len(COUNTS), np.int64)
    counts: Mapping[str, int] = {
        **vars(trainer.counts),
        "gradient_steps": sum(learner.gradient_steps for learner in trainer.learners),
        "teacher_steps": int(getattr(trainer.curriculum, "teacher_steps", 0)),
    }
    return np.array([counts[name] for name in COUNTS], np.int64)


def _hardest(trainer: Trainer | None) -> dict[str, np.ndarray[Any, Any]]:
    """The levels that the curriculum values most, for the gallery."""
    if trainer is None or not hasattr(trainer.curriculum, "hardest"):
        return {}
    levels: Levels = trainer.curriculum.hardest(GALLERY).to("cpu")
    return level_arrays(levels, "found") if len(levels) else {}


def _keep(trainer: Trainer, trial: Trial, ctx: Context) -> str | None:
    """Store the student as an asset, for `rlbench eval`; its key. Networks of one's own are not."""
    if not isinstance(trainer.student, Student):
        return None
    about = {
        "trial": trial.identity,
        "view": trainer.maze.view,
        "occluded": trainer.maze.occluded,
        "memory": trainer.training.memory,
    }
    student = trainer.learners[0].module
    return ctx.asset("ued-student", about, lambda: to_arrays(student), seed=trial.seed).key
