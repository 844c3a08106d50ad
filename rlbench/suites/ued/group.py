"""Several seeds trained at once: an asset, made by the first of their trials, read by all of them.

The trials keep their own identities, evaluations and records; they share the training only, which
runs in lockstep (see `lockstep`). The asset holds each seed's student, evidence and curve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rlbench.core.checkpoint import AssetCheckpoint, Pace
from rlbench.core.context import Context, Row
from rlbench.core.trial import Trial
from rlbench.learn.weights import load_arrays, to_arrays
from rlbench.suites.ued.lockstep import Lockstep
from rlbench.suites.ued.maze import Maze
from rlbench.suites.ued.progress import Arrays, Diary, training_evidence
from rlbench.suites.ued.student import Student
from rlbench.suites.ued.train import Trainer

KIND = "ued-training"


@dataclass
class _Run:
    """The training of one seed."""

    trainer: Trainer
    diary: Diary
    curve: list[Row] = field(default_factory=list)

    def log(self, step: int, **values: float) -> None:
        """What `Context.log` does; a trial's own curve has room for its own seed only."""
        self.curve.append({"step": step, **values})

    def state(self) -> Arrays:
        return self.trainer.state() | self.diary.state()

    def restore(self, arrays: Mapping[str, np.ndarray[Any, Any]], curve: list[Row]) -> None:
        self.trainer.restore(arrays)
        self.diary.restore(arrays)
        self.curve = curve

    def result(self) -> Arrays:
        """What the seed's trial needs: columns of the curve are NaN where a row has no value."""
        columns = {name for row in self.curve for name in row}
        parts = {
            "weights": to_arrays(self.trainer.learners[0].module),
            "evidence": training_evidence(self.trainer, self.diary),
            "curve": {
                name: np.array([r.get(name, np.nan) for r in self.curve]) for name in columns
            },
        }
        return _merged(parts, ".")


def train_group(
    trial: Trial,
    seeds: Sequence[int],
    build: Callable[[int], Trainer],
    maze: Maze,
    ctx: Context,
) -> tuple[Student, Arrays]:
    """Train all seeds, or read what another of their trials has trained.

    Args:
        trial: one of the group.
        seeds: of all trials of the group.
        build: a seed's training, before its first rollout; its students are `Student`s with an
            LSTM.
        maze: that of the trainings; says how the student sees.
        ctx: the trial's; its curve becomes that of the trial's seed.

    Returns:
        The student of the trial's seed, and what its training adds to the evidence.
    """
    asked = {key: value for key, value in trial.asked.items() if key != "seed"}
    about = {**asked, "seeds": list(seeds)}

    def make() -> Arrays:
        trainers = {seed: build(seed) for seed in seeds}
        runs = {seed: _Run(one, Diary(one.updates)) for seed, one in trainers.items()}
        checkpoint = ctx.asset_checkpoint(KIND, about)
        _train(list(runs.values()), checkpoint, lambda: _tell(ctx, runs[trial.seed].curve))
        return _merged({f"seed{seed}": run.result() for seed, run in runs.items()}, ".")

    mine = _under(ctx.asset(KIND, about, make).arrays, f"seed{trial.seed}.")
    _tell(ctx, _rows(_under(mine, "curve.")))
    student = Student(view=maze.view)
    load_arrays(student, _under(mine, "weights."))
    return student.to(maze.device), _under(mine, "evidence.")


def _train(runs: Sequence[_Run], checkpoint: AssetCheckpoint, told: Callable[[], None]) -> None:
    """Train to the end, from the checkpoint if there is one; `told` is called after each update."""
    group, pace = Lockstep([run.trainer for run in runs]), Pace()
    resumable = all(trainer.resumable for trainer in group.runs)
    saved = checkpoint.load() if resumable else None
    if saved is not None:
        for i, run in enumerate(runs):
            run.restore(_under(saved.arrays, f"run{i}:"), saved.state[i])

    def save() -> None:
        arrays = _merged({f"run{i}": run.state() for i, run in enumerate(runs)}, ":")
        checkpoint.save(arrays, [run.curve for run in runs])

    while not group.over:
        for i, cycle in group.cycle().items():
            runs[i].diary.note(cycle, runs[i].trainer, runs[i].log)
        told()
        if resumable and not group.over:
            pace.save(save)


def _tell(ctx: Context, curve: Sequence[Row]) -> None:
    """Log those points of the trial's curve that it has not got yet."""
    for row in curve[len(ctx.curve.rows) :]:
        ctx.log(int(row["step"]), **{name: value for name, value in row.items() if name != "step"})


def _rows(columns: Arrays) -> list[Row]:
    """The curve again."""
    rows = zip(*columns.values(), strict=True)
    pairs = (zip(columns, row, strict=True) for row in rows)
    return [{name: float(value) for name, value in row if not np.isnan(value)} for row in pairs]


def _merged(parts: Mapping[str, Arrays], mark: str) -> Arrays:
    """Several collections of arrays as one, under their names."""
    return {
        f"{part}{mark}{name}": array for part, own in parts.items() for name, array in own.items()
    }


def _under(arrays: Mapping[str, np.ndarray[Any, Any]], prefix: str) -> Arrays:
    """One collection out of `_merged`; `prefix` is its name and the mark."""
    chosen = {name: array for name, array in arrays.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix): np.array(array) for name, array in chosen.items()}
