"""A task's mazes, made from its settings: those to train on and those to be evaluated in."""

from __future__ import annotations

import inspect
from dataclasses import replace

import torch

from rlbench.core.bundled import bundled
from rlbench.core.errors import SpecError, closest
from rlbench.core.files import file_digest
from rlbench.suites.ued.families import GENERATORS, Family, generator, of_maze, procedural
from rlbench.suites.ued.generate import Generate
from rlbench.suites.ued.levelfile import read_levels
from rlbench.suites.ued.maze import Maze
from rlbench.suites.ued.settings import TaskSettings


class TaskWorld:
    """What a trial plays in."""

    def __init__(self, task: TaskSettings, where: str, device: str) -> None:
        """`where` is the file that error messages name.

        Raises:
            SpecError: the settings make no mazes, or name one that there is not.
        """
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
            _check_size(self.draw, self.maze)
        except (TypeError, ValueError) as error:
            raise SpecError(f"{where}: params: {error}") from error
        known = known_families(task.level_file, where)
        for name in task.mazes:
            if name not in known:
                raise SpecError(f"{where}: params.mazes: no maze '{name}'{closest(name, known)}")
        self.families = [
            replace(known[name], horizon=task.maze_horizon or known[name].horizon)
            for name in task.mazes
        ]

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


def known_families(sha256: str, where: str) -> dict[str, Family]:
    """The named mazes of the transfer set and the procedural families.

    Raises:
        SpecError: the transfer set's checksum is another.
    """
    path = bundled("tasks") / "ued" / "levels" / "transfer.txt"
    if file_digest(path) != sha256:
        raise SpecError(f"{where}: params.level_file: not the sha256 of {path.name}")
    mazes = read_levels(path, solvable=False)
    return {maze.name: of_maze(maze) for maze in mazes} | procedural()


def _sized_generator(task: TaskSettings) -> Generate:
    """The task's generator, with those of the task's sizes that it takes."""
    sizes = {"height": task.height, "width": task.width, "n_walls": task.n_walls}
    known = GENERATORS.get(task.generator)
    takes = inspect.signature(known).parameters if known else {}
    sizes = {name: value for name, value in sizes.items() if name in takes}
    return generator(task.generator, **sizes, **task.generator_params)


def _check_size(draw: Generate, maze: Maze) -> None:
    drawn = draw(1, torch.Generator(maze.device).manual_seed(0))
    if (drawn.height, drawn.width) != (maze.height, maze.width):
        raise ValueError(
            f"height, width: the generator makes {drawn.height}x{drawn.width},"
            f" not {maze.height}x{maze.width}"
        )
