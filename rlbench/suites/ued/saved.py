"""Trained students, found again: by the record of their trial, or by the asset's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rlbench.core.errors import CorruptError, UsageError, closest
from rlbench.core.kept import find_kept
from rlbench.core.record import read_record
from rlbench.core.registry import Registry
from rlbench.learn.weights import load_arrays
from rlbench.suites.ued.families import Family
from rlbench.suites.ued.maze import Maze
from rlbench.suites.ued.settings import task_settings
from rlbench.suites.ued.student import Student
from rlbench.suites.ued.world import TaskWorld

KIND = "ued-student"


@dataclass(frozen=True)
class Trained:
    """A student and how it sees."""

    student: Student
    view: int
    occluded: bool

    def rules(self, family: Family) -> Maze:
        """The rules for a family's levels; it sees as in training, or less where walls hide."""
        return Maze(
            family.height,
            family.width,
            horizon=family.horizon,
            view=self.view,
            occluded=self.occluded or family.occluded,
        )


def load_student(path: Path) -> Trained:
    """A trained student.

    Args:
        path: a record of this suite (`seed-0.json`), or the folder of an asset of kind
            `ued-student`.

    Raises:
        UsageError: neither of them.
        MissingError: the record's student is not in the cache.
        CorruptError: the asset does not fit together.
    """
    kept = find_kept(path, "ued", KIND)
    try:
        params = kept.about["params"]
        student = Student(view=params["view"], memory=params["memory"])
        arrays = kept.arrays(student.state_dict())
        trained = Trained(student, params["view"], bool(params["occluded"]))
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise CorruptError(f"{kept.folder}: not a whole student: {error}") from error
    load_arrays(student, arrays)
    return trained


def evaluation_families(record: Path) -> list[Family]:
    """The evaluation mazes of a record's task.

    Raises:
        UsageError: no such task here.
    """
    name = read_record(record).task.id
    tasks = Registry.load().tasks
    if name not in tasks:
        raise UsageError(f"{record}: its task {name} is not known here{closest(name, tasks)}")
    return TaskWorld(task_settings(tasks[name]), tasks[name].file, "cpu").families
