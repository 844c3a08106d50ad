"""Families of levels by name: what a student trains on, and the mazes that it has never seen.

A family knows the size of its levels, the time limit that its source gives them, and how to draw
them; a named maze is a family too, which draws the goal where there are several.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from rlbench.core.errors import closest
from rlbench.suites.ued.generate import (
    Generate,
    designed,
    half_scattered,
    scattered,
    scattered_up_to,
)
from rlbench.suites.ued.levelfile import NamedMaze
from rlbench.suites.ued.levels import Levels
from rlbench.suites.ued.maze import default_horizon
from rlbench.suites.ued.perfect import depth_first, kruskal
from rlbench.suites.ued.rooms import four_rooms, minigrid_crossing, minimax_crossing

GENERATORS: Mapping[str, Callable[..., Levels]] = {
    "scattered": scattered,
    "scattered-up-to": scattered_up_to,
    "designed": designed,
    "half-scattered": half_scattered,
    "depth-first": depth_first,
    "kruskal": kruskal,
    "minimax-crossing": minimax_crossing,
    "minigrid-crossing": minigrid_crossing,
    "four-rooms": four_rooms,
}
"""Every generator, by the name that task files use."""


@dataclass(frozen=True)
class Family:
    """Levels of one size that are drawn in one way."""

    name: str
    height: int
    width: int
    horizon: int
    """The time limit of its source."""
    generate: Generate
    occluded: bool = False
    """Whether its source lets walls block the view."""


def generator(name: str, **params: Any) -> Generate:
    """The generator of a name, with its keyword parameters set.

    Raises:
        ValueError: no such generator, or it has no such parameter.
    """
    if name not in GENERATORS:
        raise ValueError(f"generator: no '{name}'{closest(name, GENERATORS)}")
    function = GENERATORS[name]
    known = list(inspect.signature(function).parameters)[2:]
    for key in params:
        if key not in known:
            raise ValueError(f"generator '{name}': no parameter '{key}'{closest(key, known)}")
    return partial(function, **params)


def procedural() -> dict[str, Family]:
    """The procedural evaluation families, by name.

    Sizes are those of the interior; the sources call them 2 larger. `perfect-*`, `crossing` and
    `four-rooms` are minimax's, `kruskal-*` DCD's, `*-minigrid` MiniGrid's, with its occluded view.
    """
    families = [
        *(
            _square(f"perfect-{size}", size, partial(depth_first, size=size))
            for size in (13, 19, 101)
        ),
        *(
            _square(f"kruskal-{size}", size, partial(kruskal, size=size))
            for size in (9, 19, 49, 99)
        ),
        Family("crossing", 9, 9, 484, minimax_crossing),
        Family("crossing-minigrid", 9, 9, 484, minigrid_crossing, occluded=True),
        Family("four-rooms", 17, 17, 250, four_rooms),
        Family(
            "four-rooms-minigrid", 17, 17, 100, partial(four_rooms, in_doors=True), occluded=True
        ),
    ]
    return {family.name: family for family in families}


def of_maze(maze: NamedMaze) -> Family:
    """A named maze as a family: each level drawn has one of its goals, with equal chance."""
    variants = maze.levels()

    def draw(n: int, rng: torch.Generator) -> Levels:
        which = torch.randint(len(variants), (n,), generator=rng, device=rng.device)
        return variants.to(rng.device)[which]

    return Family(maze.name, maze.height, maze.width, maze.horizon, draw)


def _square(name: str, size: int, generate: Generate) -> Family:
    return Family(name, size, size, default_horizon(size, size), generate)
