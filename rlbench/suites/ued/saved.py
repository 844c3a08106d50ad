"""Trained students, found again: by the record of their trial, or by the asset's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rlbench.core.assets import cache_folder
from rlbench.core.errors import CorruptError, MissingError, UsageError, closest
from rlbench.core.files import read_json
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
    folder = path if path.is_dir() else _folder_of(path)
    about = read_json(folder / "asset.json")
    if about.get("kind") != KIND:
        raise UsageError(f"{folder}: expected an asset of kind '{KIND}', found {about.get('kind')}")
    try:
        params = about["params"]
        student = Student(view=params["view"], memory=params["memory"])
        arrays = {
            name: np.load(folder / f"{name}.npy", allow_pickle=False)
            for name in student.state_dict()
        }
        trained = Trained(student, params["view"], bool(params["occluded"]))
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise CorruptError(f"{folder}: not a whole student: {error}") from error
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


def _folder_of(path: Path) -> Path:
    """Where the student of a record's trial lies."""
    if path.suffix != ".json":
        raise UsageError(f"{path}: expected a record (seed-N.json) or the folder of a student")
    record = read_record(path)
    key = record.notes.get("student")
    if record.suite != "ued" or not isinstance(key, str):
        raise UsageError(f"{path}: a record of {record.baseline.id}, which trained no student")
    folder = cache_folder() / "assets" / KIND / Path(key).name[:32]
    if not folder.is_dir():
        raise MissingError(f"{path}: its student is not in {cache_folder()}; run: {record.command}")
    return folder
