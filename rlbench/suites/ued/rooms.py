"""Crossings and four rooms, as minimax builds them and as MiniGrid does."""

from __future__ import annotations

import torch
from torch import Tensor

from rlbench.suites.ued.generate import place_ends
from rlbench.suites.ued.levels import RIGHT, Levels

_SIDE = 9  # MiniGrid's SimpleCrossingS11, border not counted
_RIVERS = 5
_LANES = torch.tensor([1, 3, 5, 7])
_ROOM = 8  # a room of MiniGrid's FourRooms


def minimax_crossing(n: int, rng: torch.Generator) -> Levels:
    """Minimax's crossings, 9x9: 2 to 8 rivers, and a random staircase that opens them.

    Five of eight candidate rivers are drawn, v of them columns; then, as in minimax, a row is a
    river when a random permutation of 2v marks among 8 rows marks it and it is odd, and a column
    likewise with 5 - v, so that the number of rivers varies around 5. A walk from the start goes
    right or down at random and straight on after each river; its tiles are cleared.
    """
    device = rng.device
    lots = torch.rand(n, 8, generator=rng, device=device)
    columns = (lots.argsort(1)[:, :_RIVERS] >= 4).sum(1)
    rows_marked = _marks(columns, rng)
    columns_marked = _marks(_RIVERS - columns, rng)
    walls = rows_marked[:, :, None] | columns_marked[:, None, :]
    return _crossing(_staircase(walls.flatten(1), rng))


def _marks(half: Tensor, rng: torch.Generator) -> Tensor:
    """Which of the 9 rows are rivers, when 2 * `half` of the first 8 are marked: bool [n, 9]."""
    lots = torch.rand(half.shape[0], 8, generator=rng, device=rng.device)
    marked = lots.argsort(1).argsort(1) < 2 * half[:, None]
    odd = torch.arange(8, device=rng.device) % 2 == 1
    return torch.nn.functional.pad(marked & odd, (0, 1))


def _staircase(walls: Tensor, rng: torch.Generator) -> Tensor:
    """Clear the tiles of a walk from the first to the last tile: bool [n, 81] of walls."""
    n, device = walls.shape[0], rng.device
    every = torch.arange(n, device=device)
    x, y, down = torch.zeros(3, n, dtype=torch.int64, device=device)
    in_river = torch.zeros(n, dtype=torch.bool, device=device)
    for _ in range(2 * (_SIDE - 1)):
        drawn = torch.randint(2, (n,), generator=rng, device=device)
        down = torch.where(in_river, down, drawn)
        at_border = torch.where(down == 1, y, x) == _SIDE - 1
        down = torch.where(at_border, 1 - down, down)
        x, y = x + 1 - down, y + down
        tile = y * _SIDE + x
        in_river = walls[every, tile]
        walls = walls.scatter(1, tile[:, None], False)
    return walls


def minigrid_crossing(n: int, rng: torch.Generator) -> Levels:
    """MiniGrid's SimpleCrossingS11N5, 9x9: exactly five rivers, each opened once.

    A shuffled list says in which order a path crosses the rivers; each is opened at a random tile
    of the stretch between the rivers that are crossed before and after.
    """
    device = rng.device
    every = torch.arange(n, device=device)
    chosen = torch.rand(n, 8, generator=rng, device=device).argsort(1).argsort(1) < _RIVERS
    is_column, is_row = torch.zeros(2, n, _SIDE, dtype=torch.bool, device=device)
    lanes = _LANES.to(device)
    is_column[:, lanes], is_row[:, lanes] = chosen[:, :4], chosen[:, 4:]
    walls = (is_row[:, :, None] | is_column[:, None, :]).flatten(1)
    x_limits, y_limits = _limits(is_column), _limits(is_row)
    goes_right = torch.arange(_RIVERS, device=device) < is_column.sum(1, keepdim=True)
    shuffle = torch.rand(n, _RIVERS, generator=rng, device=device).argsort(1)
    i, j = torch.zeros(2, n, dtype=torch.int64, device=device)
    for right in goes_right.gather(1, shuffle).unbind(1):
        along = torch.where(right, y_limits[every, j], x_limits[every, i])
        until = torch.where(right, y_limits[every, j + 1], x_limits[every, i + 1])
        lot = torch.rand(n, generator=rng, device=device, dtype=torch.float64)
        gap = along + 1 + (lot * (until - along - 1)).long()
        x = torch.where(right, x_limits[every, i + 1], gap)
        y = torch.where(right, gap, y_limits[every, j + 1])
        walls = walls.scatter(1, (y * _SIDE + x)[:, None], False)
        i, j = i + right.long(), j + 1 - right.long()
    return _crossing(walls)


def _limits(is_river: Tensor) -> Tensor:
    """The border, the rivers in order, and the other border: int64 [n, 7], filled up with 9."""
    place = torch.arange(_SIDE, device=is_river.device)
    rivers = torch.where(is_river, place, _SIDE).sort(1).values[:, :5]
    return torch.nn.functional.pad(
        torch.nn.functional.pad(rivers, (1, 0), value=-1), (0, 1), value=_SIDE
    )


def _crossing(walls: Tensor) -> Levels:
    """From the top left corner, looking right, to the bottom right corner."""
    n = walls.shape[0]
    start = torch.zeros(n, dtype=torch.int64, device=walls.device)
    look, goal = torch.full_like(start, RIGHT), torch.full_like(start, _SIDE * _SIDE - 1)
    return Levels(walls.reshape(n, _SIDE, _SIDE), start, look, goal)


def four_rooms(n: int, rng: torch.Generator, *, in_doors: bool = False) -> Levels:
    """Four rooms of 8x8 with one door in each wall between neighbours, 17x17.

    In minimax the agent starts on the goal in one of 260 levels, by mistake; here it never does.

    Args:
        n: how many levels.
        rng: chance, and the device.
        in_doors: whether agent and goal may be in a door, as in MiniGrid; in minimax they are not.
    """
    side = 2 * _ROOM + 1
    walls = torch.zeros(n, side, side, dtype=torch.bool, device=rng.device)
    walls[:, _ROOM, :] = walls[:, :, _ROOM] = True
    rooms = ~walls
    every = torch.arange(n, device=rng.device)
    doors = torch.randint(_ROOM, (n, 4), generator=rng, device=rng.device)
    for room in (0, 1):
        walls[every, _ROOM, doors[:, room] + room * (_ROOM + 1)] = False
        walls[every, doors[:, 2 + room] + room * (_ROOM + 1), _ROOM] = False
    return place_ends(walls, rng, ~walls if in_doors else rooms)
