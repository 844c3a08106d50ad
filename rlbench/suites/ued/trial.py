"""One trial: train on what the curriculum chooses, then evaluate; the evidence of `metrics`."""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from rlbench.core.algorithm import load_algorithm
from rlbench.core.bundled import bundled
from rlbench.core.context import Context
from rlbench.core.errors import SpecError, UsageError, closest
from rlbench.core.files import file_digest
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
from rlbench.suites.ued.families import GENERATORS, Family, generator, of_maze, procedural
from rlbench.suites.ued.generate import Generate, only_solvable
from rlbench.suites.ued.levelfile import read_levels
from rlbench.suites.ued.levels import Levels
from rlbench.suites.ued.maze import Maze
from rlbench.suites.ued.metrics import COUNTS
from rlbench.suites.ued.progress import Diary, level_arrays
from rlbench.suites.ued.settings import Protocol, TaskSettings, protocol, task_settings
from rlbench.suites.ued.train import STREAMS, Trainer, split_params

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


class TaskWorld:
    """A task's mazes, for training and for evaluation."""

    def __init__(self, task: TaskSettings, where: str, device: str) -> None:
        """Raises `SpecError`, naming `where`, for what makes no mazes."""
        self.task = task
        try:
            self.draw = _sized_generator(task)
            self.maze = Maze(
                task.height,
                task.width,
                horizon=task.horizon,
                view=task.view,
                occluded=task.occluded,
                device=device,
            )
            drawn = self.draw(1, torch.Generator(device).manual_seed(0))
            if (drawn.height, drawn.width) != (task.height, task.width):
                raise ValueError(
                    f"height, width: the generator makes {drawn.height}x{drawn.width},"
                    f" not {task.height}x{task.width}"
                )
        except (TypeError, ValueError) as error:
            raise SpecError(f"{where}: params: {error}") from error
        self.families = [self._family(name, where) for name in task.mazes]

    def _family(self, name: str, where: str) -> Family:
        found = _known_families(self.task.level_file, where)
        if name not in found:
            raise SpecError(f"{where}: params.mazes: no maze '{name}'{closest(name, found)}")
        family = found[name]
        return replace(family, horizon=self.task.maze_horizon or family.horizon)

    def rules(self, family: Family) -> Maze:
        """The rules for an evaluation maze."""
        return Maze(
            family.height,
            family.width,
            horizon=family.horizon,
            view=self.task.view,
            occluded=family.occluded or self.task.occluded,
            device=self.maze.device,
        )


def _sized_generator(task: TaskSettings) -> Generate:
    """The task's generator, with those of the task's sizes that it takes."""
    sizes = {"height": task.height, "width": task.width, "n_walls": task.n_walls}
    known = GENERATORS.get(task.generator)
    takes = inspect.signature(known).parameters if known else {}
    sizes = {name: value for name, value in sizes.items() if name in takes}
    return generator(task.generator, **sizes, **task.generator_params)


def _known_families(sha256: str, where: str) -> dict[str, Family]:
    path = bundled("tasks") / "ued" / "levels" / "transfer.txt"
    if file_digest(path) != sha256:
        raise SpecError(f"{where}: params.level_file: not the sha256 of {path.name}")
    mazes = read_levels(path, solvable=False)
    return {maze.name: of_maze(maze) for maze in mazes} | procedural()


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


def _keep(trainer: Trainer, trial: Trial, ctx: Context) -> str:
    """Store the student as an asset, for `rlbench eval`; its key."""
    about = {
        "trial": trial.identity,
        "view": trainer.maze.view,
        "occluded": trainer.maze.occluded,
        "memory": trainer.training.memory,
    }
    student = trainer.learners[0].module
    return ctx.asset("ued-student", about, lambda: to_arrays(student), seed=trial.seed).key
