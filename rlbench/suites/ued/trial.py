"""One trial: train on what the curriculum chooses, then evaluate; the evidence of `metrics`."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from rlbench.core.algorithm import load_algorithm
from rlbench.core.checkpoint import Pace
from rlbench.core.context import Context
from rlbench.core.errors import UsageError
from rlbench.core.seeding import small_seed
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
from rlbench.suites.ued.group import train_group
from rlbench.suites.ued.metrics import COUNTS
from rlbench.suites.ued.progress import Arrays, Diary, training_evidence
from rlbench.suites.ued.settings import Protocol, protocol, seeds_together, task_settings
from rlbench.suites.ued.student import ActorCritic, Student
from rlbench.suites.ued.train import STREAMS, Trainer, Training, split_params
from rlbench.suites.ued.world import TaskWorld


class Recipe(NamedTuple):
    """What a trial's baseline comes to."""

    make: Callable[[], Any]
    """A new curriculum or agent."""
    training: Training
    fixed: bool
    """Whether it is an agent, which nobody trains."""
    own_student: bool
    """Whether its curriculum brings a network of its own."""


def run_trial(trial: Trial, ctx: Context) -> Outcome:
    """Train (or go on training) and evaluate.

    Raises:
        UsageError: the algorithm is no curriculum and no agent, takes other parameters, or cannot
            be trained with several seeds at once where the tier asks for it.
        SpecError: the task names a generator or a maze that there is not.
    """
    task, limits = task_settings(trial.task), protocol(trial.task, trial.protocol)
    world = TaskWorld(task, trial.task.file, ctx.device)
    recipe = _recipe(trial, limits)
    began = time.perf_counter()
    student: ActorCritic | None = None
    evidence: Arrays = {"counts": np.zeros(len(COUNTS), np.int64)}
    if recipe.fixed:
        player = agent_player(recipe.make())
    else:
        student, evidence = _train(trial, recipe, world, ctx)
        player = student_player(student)
    trained = time.perf_counter()
    evidence |= _evaluate(player, world, limits, ctx)
    done = time.perf_counter()
    notes: dict[str, Any] = {"student": None}
    if isinstance(student, Student):  # networks of one's own are not kept
        notes["student"] = _keep(student, recipe, world, ctx)
    volatile = {"train_s": round(trained - began, 3), "evaluate_s": round(done - trained, 3)}
    return Outcome(evidence, notes, volatile)


def _recipe(trial: Trial, limits: Protocol) -> Recipe:
    word = trial.baseline.algorithm
    cls = load_algorithm(word)
    fixed = hasattr(cls, "policy")
    missing = [name for name in ("begin", "propose", "receive") if not hasattr(cls, name)]
    if missing and not fixed:
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

    def make() -> Any:
        try:
            return cls(**rest)
        except ValueError as error:
            raise UsageError(f"{where}: {error}") from error

    return Recipe(make, training, fixed, hasattr(cls, "student"))


def _train(
    trial: Trial, recipe: Recipe, world: TaskWorld, ctx: Context
) -> tuple[ActorCritic, Arrays]:
    """The trained student, and what its training adds to the evidence."""
    limits = protocol(trial.task, trial.protocol)

    def build(seed: int) -> Trainer:
        words = (trial.task.suite, trial.task.name, seed)  # those of `Context.seed`
        return Trainer(
            recipe.make(),
            recipe.training,
            world.maze,
            world.draw,
            {name: small_seed(*words, f"train-{name}") for name in STREAMS},
            updates=limits.updates,
            environments=limits.environments,
            steps=limits.steps,
            n_walls=world.task.n_walls,
        )

    if limits.seeds_at_once == 1:
        return _train_alone(build(trial.seed), ctx)
    memory = "a network of its own" if recipe.own_student else f"'{recipe.training.memory}'"
    if memory != "'lstm'":
        raise UsageError(
            f"{trial.baseline.id} on {trial.task.id}: memory: tier {trial.base_tier} has"
            f" seeds_at_once = {limits.seeds_at_once}, which takes 'lstm', found {memory}"
        )
    return train_group(trial, seeds_together(trial, limits), build, world.maze, ctx)


def _train_alone(trainer: Trainer, ctx: Context) -> tuple[ActorCritic, Arrays]:
    """Train to the end, from the checkpoint if there is one."""
    diary, pace = Diary(trainer.updates), Pace()
    saved = ctx.load_checkpoint() if trainer.resumable else None
    if saved is not None:
        trainer.restore(saved.arrays)
        diary.restore(saved.arrays)
    while not trainer.over:
        diary.note(trainer.cycle(), trainer, ctx.log)
        if trainer.resumable and not trainer.over:
            pace.save(lambda: ctx.save_checkpoint(trainer.state() | diary.state(), {}))
    return trainer.student, training_evidence(trainer, diary)


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


def _keep(student: Student, recipe: Recipe, world: TaskWorld, ctx: Context) -> str:
    """Store the student as an asset, for `rlbench eval`; its key."""
    about = {
        "trial": ctx.trial.identity,
        "view": world.maze.view,
        "occluded": world.maze.occluded,
        "memory": recipe.training.memory,
    }
    return ctx.asset("ued-student", about, lambda: to_arrays(student), seed=ctx.trial.seed).key
