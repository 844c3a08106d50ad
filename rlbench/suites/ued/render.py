"""Pictures of levels, of a curriculum over time, and of a student on its way through mazes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rlbench.core.errors import UsageError
from rlbench.suites.ued.draw import draw, sheet, write_gif, write_png
from rlbench.suites.ued.evaluate import Mode, student_player
from rlbench.suites.ued.evolution import by_rows, pictures
from rlbench.suites.ued.families import Family
from rlbench.suites.ued.levelfile import NamedMaze
from rlbench.suites.ued.levels import Levels
from rlbench.suites.ued.maze import Maze
from rlbench.suites.ued.saved import Trained
from rlbench.suites.ued.student import ActorCritic

COLUMNS = 8


def render_mazes(mazes: Sequence[NamedMaze], folder: Path) -> list[Path]:
    """One PNG per maze, named after it; of several goals the first is drawn."""
    paths = []
    for maze in mazes:
        path = folder / f"{safe(maze.name)}.png"
        write_png(path, draw(maze.levels()[:1])[0])
        paths.append(path)
    return paths


def render_curriculum(evidence: Mapping[str, np.ndarray[Any, Any]], folder: Path) -> list[Path]:
    """What a record's evidence tells of its curriculum.

    `curriculum.png` has a row of levels for each snapshot in time, `hardest.png` the levels that it
    valued most.

    Raises:
        UsageError: the trial trained nobody.
    """
    chosen, found = by_rows(evidence), pictures(evidence, "found", tile=12)
    if chosen is None:
        raise UsageError("the record holds no levels: its baseline trained nobody")
    write_png(folder / "curriculum.png", chosen)
    paths = [folder / "curriculum.png"]
    if found:
        paths.append(folder / "hardest.png")
        write_png(paths[-1], sheet(found, columns=COLUMNS))
    return paths


def render_episodes(
    trained: Trained, families: Sequence[Family], folder: Path, rng: torch.Generator
) -> list[Path]:
    """A GIF per family, named after it, of one episode with sampled actions."""
    paths = []
    for family in families:
        paths.append(folder / f"{safe(family.name)}.gif")
        levels = family.generate(1, rng)
        render_episode(trained.student, trained.rules(family), levels, paths[-1], rng=rng)
    return paths


@torch.no_grad()
def render_episode(
    student: ActorCritic,
    maze: Maze,
    levels: Levels,
    path: Path,
    *,
    rng: torch.Generator,
    mode: Mode = "sampled",
) -> float:
    """A GIF of one episode on the first of `levels`; returns its return."""
    one = levels[:1]
    pool = maze.pool(one)
    actor = student_player(student)(maze, pool, 1, rng, mode)
    state, reached, frames = maze.start(pool, torch.zeros(1, dtype=torch.int64)), 0.0, draw(one)
    for _ in range(maze.horizon):
        action = actor.act(maze.observe(pool, state), state)
        state, reward, done = maze.step(pool, state, action)
        reached += float(reward)
        where = one.goal if reached else maze.position(pool, state)
        # on the goal, the drawing of the agent covers it
        frames += draw(Levels(one.walls, where, state.direction, one.goal))
        if bool(done):
            break
    write_gif(path, frames)
    return reached


def safe(name: str) -> str:
    """A maze's name as a file's name."""
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
    return kept.lstrip(".")[:80] or "maze"
