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
from rlbench.suites.ued.levelfile import NamedMaze
from rlbench.suites.ued.levels import Levels
from rlbench.suites.ued.maze import Maze
from rlbench.suites.ued.student import ActorCritic

COLUMNS = 8
_PARTS = ("walls", "agent", "direction", "goal")


def render_mazes(mazes: Sequence[NamedMaze], folder: Path) -> list[Path]:
    """One PNG per maze, named after it; of several goals the first is drawn."""
    paths = []
    for maze in mazes:
        path = folder / f"{safe(maze.name)}.png"
        write_png(path, draw(maze.levels()[:1])[0])
        paths.append(path)
    return paths


def render_curriculum(evidence: Mapping[str, np.ndarray[Any, Any]], folder: Path) -> list[Path]:
    """`curriculum.png`, a row of levels for each snapshot in time, and `hardest.png`.

    Raises:
        UsageError: the trial trained nobody.
    """
    if "seen_walls" not in evidence:
        raise UsageError("the record holds no levels: its baseline trained nobody")
    paths = [folder / "curriculum.png"]
    seen = levels_of(evidence, "seen")
    per_row = len(seen) // len(evidence["seen_update"])
    write_png(paths[0], sheet(draw(seen, tile=8), columns=per_row))
    if "found_walls" in evidence:
        paths.append(folder / "hardest.png")
        write_png(paths[1], sheet(draw(levels_of(evidence, "found")), columns=COLUMNS))
    return paths


def levels_of(evidence: Mapping[str, np.ndarray[Any, Any]], mark: str) -> Levels:
    """The levels that a record's evidence keeps under `mark`."""
    parts = (torch.from_numpy(np.array(evidence[f"{mark}_{part}"])) for part in _PARTS)
    return Levels(*parts)


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
