"""Small random changes to levels, as ACCEL makes them (Parker-Holder et al. 2022, 2203.01302).

Three versions are in use. minimax flips walls and moves the goal, one change after another, and
never touches the agent. JaxUED and DCD draw different tiles and put a random thing on each; if that
removes goal or agent, it is put on a random free tile in the end; a level in which no tile would be
left for it stays as it was.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rlbench.suites.ued.generate import pick
from rlbench.suites.ued.levels import Levels


def minimax_mutate(levels: Levels, rng: torch.Generator, *, edits: int = 20) -> Levels:
    """`edits` changes, each with equal chance nothing, a wall flipped, or the goal moved.

    A flipped tile is uniform over all but goal and agent; a new goal tile over the free ones.

    Args:
        levels: left as they are.
        rng: chance, on their device.
        edits: number of changes.
    """
    n, device = len(levels), levels.device
    walls, goal, agent = levels.walls.flatten(1), levels.goal[:, None], levels.agent[:, None]
    choice = torch.randint(3, (edits, n, 1), generator=rng, device=device)
    for drawn in choice.unbind(0):
        others = torch.ones_like(walls).scatter_(1, goal, False).scatter_(1, agent, False)
        flipped = torch.zeros_like(walls).scatter_(1, pick(others, rng)[:, None], True)
        free = others & ~walls
        moved = torch.where(free.any(1, keepdim=True), pick(free, rng)[:, None], goal)
        walls = walls ^ (flipped & others & (drawn == 1))
        goal = torch.where(drawn == 2, moved, goal)
    return Levels(walls.view_as(levels.walls), levels.agent, levels.direction, goal[:, 0])


def jaxued_mutate(levels: Levels, rng: torch.Generator, *, edits: int = 5) -> Levels:
    """Different tiles of `edits` draws each become wall, floor, the agent's start, or the goal.

    The agent's direction is drawn anew where it is moved.

    Args:
        levels: left as they are.
        rng: chance, on their device.
        edits: number of tiles drawn.
    """
    drawing = _Drawing(levels)
    for tile, is_new in _tiles(levels, rng, edits):
        thing = torch.randint(4, tile.shape, generator=rng, device=levels.device)
        drawing.clear(tile, is_new)
        drawing.wall(tile, is_new & (thing == 0))
        drawing.put_agent(tile, is_new & (thing == 2), rng)
        drawing.put_goal(tile, is_new & (thing == 3))
    drawing.replace_goal(rng)
    drawing.replace_agent(rng, turn=True)
    return drawing.levels()


def dcd_mutate(levels: Levels, rng: torch.Generator, *, edits: int = 5) -> Levels:
    """Different tiles of `edits` draws each become wall, floor or the goal.

    The agent keeps its direction, also where it is displaced.

    Args:
        levels: left as they are.
        rng: chance, on their device.
        edits: number of tiles drawn.
    """
    drawing = _Drawing(levels)
    for tile, is_new in _tiles(levels, rng, edits):
        thing = torch.randint(3, tile.shape, generator=rng, device=levels.device)
        drawing.clear(tile, is_new)
        drawing.wall(tile, is_new & (thing == 0))
        drawing.put_goal(tile, is_new & (thing == 2))
    drawing.replace_goal(rng)
    drawing.replace_agent(rng, turn=False)
    return drawing.levels()


def _tiles(levels: Levels, rng: torch.Generator, edits: int) -> list[tuple[Tensor, Tensor]]:
    """Per draw: a uniform tile (int64 [n, 1]) and whether it is the first of its kind (bool)."""
    area = levels.height * levels.width
    tiles = torch.randint(area, (len(levels), edits), generator=rng, device=levels.device)
    earlier = (tiles[:, :, None] == tiles[:, None, :]).tril(-1).any(2)
    return [(tiles[:, i : i + 1], ~earlier[:, i : i + 1]) for i in range(edits)]


class _Drawing:
    """Levels while they are edited: -1 stands for a goal or an agent that is nowhere."""

    def __init__(self, levels: Levels) -> None:
        self._parent = levels
        self._walls = levels.walls.flatten(1)
        self._goal, self._agent = levels.goal[:, None], levels.agent[:, None]
        self._direction = levels.direction[:, None]

    def clear(self, tile: Tensor, where: Tensor) -> None:
        """Take away whatever is on a tile."""
        self._set_wall(tile, where, False)
        self._goal = torch.where(where & (self._goal == tile), -1, self._goal)
        self._agent = torch.where(where & (self._agent == tile), -1, self._agent)

    def wall(self, tile: Tensor, where: Tensor) -> None:
        self._set_wall(tile, where, True)

    def put_goal(self, tile: Tensor, where: Tensor) -> None:
        self._goal = torch.where(where, tile, self._goal)

    def put_agent(self, tile: Tensor, where: Tensor, rng: torch.Generator) -> None:
        self._agent = torch.where(where, tile, self._agent)
        self._turn(where, rng)

    def replace_goal(self, rng: torch.Generator) -> None:
        """Put a missing goal on a random free tile."""
        drawn = pick(self._free(self._agent), rng)[:, None]
        self._goal = torch.where(self._goal < 0, drawn, self._goal)

    def replace_agent(self, rng: torch.Generator, *, turn: bool) -> None:
        """Put a missing agent on a random free tile."""
        missing = self._agent < 0
        self._agent = torch.where(missing, pick(self._free(self._goal), rng)[:, None], self._agent)
        if turn:
            self._turn(missing, rng)

    def levels(self) -> Levels:
        """The result, or the parent where agent or goal found no free tile."""
        agent, goal = self._agent, self._goal
        blocked = self._walls.gather(1, agent) | self._walls.gather(1, goal) | (agent == goal)
        old, bad = self._parent, blocked[:, 0]
        walls = torch.where(blocked, old.walls.flatten(1), self._walls)
        return Levels(
            walls.reshape(old.walls.shape),
            torch.where(bad, old.agent, agent[:, 0]),
            torch.where(bad, old.direction, self._direction[:, 0]),
            torch.where(bad, old.goal, goal[:, 0]),
        )

    def _turn(self, where: Tensor, rng: torch.Generator) -> None:
        drawn = torch.randint(4, where.shape, generator=rng, device=rng.device)
        self._direction = torch.where(where, drawn, self._direction)

    def _set_wall(self, tile: Tensor, where: Tensor, value: bool) -> None:
        kept = self._walls.gather(1, tile)
        self._walls = self._walls.scatter(1, tile, torch.where(where, value, kept))

    def _free(self, taken: Tensor) -> Tensor:
        """Tiles without a wall, the taken one (-1: none) left out."""
        tile = torch.arange(self._walls.shape[1], device=taken.device)
        return ~self._walls & (tile != taken)
