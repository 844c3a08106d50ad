"""Perfect mazes: between any two free tiles there is exactly one path.

Rooms are the tiles with even coordinates; a spanning tree of their grid says which walls between
neighbours are opened. minimax grows the tree by a depth-first walk (long winding corridors), DCD by
Kruskal's algorithm on shuffled edges (many short dead ends).
"""

from __future__ import annotations

import torch
from torch import Tensor

from rlbench.suites.ued.generate import place_ends
from rlbench.suites.ued.levels import RIGHT, Levels
from rlbench.suites.ued.view import FORWARD


def depth_first(n: int, rng: torch.Generator, *, size: int = 13) -> Levels:
    """Minimax's perfect mazes, with agent and goal uniform over the free tiles.

    The walk starts in a room on the diagonal, goes on to a random unvisited neighbour, opening the
    wall between, and returns along its path where there is none.

    Args:
        n: how many levels.
        rng: chance, and the device.
        size: rows and columns, odd.

    Raises:
        ValueError: `size` is even or below 3.
    """
    return place_ends(_walk(n, rng, _rooms_per_side(size)), rng)


def kruskal(n: int, rng: torch.Generator, *, size: int = 13) -> Levels:
    """DCD's perfect mazes: agent and goal in two different corners, the agent looks right.

    Args:
        n: how many levels.
        rng: chance, and the device.
        size: rows and columns, odd.

    Raises:
        ValueError: `size` is even or below 3.
    """
    walls = _merge(n, rng, _rooms_per_side(size))
    corners = torch.tensor([0, size - 1, size * (size - 1), size * size - 1], device=rng.device)
    order = torch.rand(n, 4, generator=rng, device=rng.device).argsort(1)
    ends = corners[order]
    look = torch.full((n,), RIGHT, device=rng.device)
    return Levels(walls, ends[:, 0].contiguous(), look, ends[:, 1].contiguous())


def _rooms_per_side(size: int) -> int:
    if size % 2 == 0 or size < 3:
        raise ValueError(f"size: expected an odd number from 3, found {size}")
    return size // 2 + 1


def _blank(n: int, side: int, device: torch.device) -> Tensor:
    """Walls everywhere but in the rooms: bool [n, size²]."""
    size = 2 * side - 1
    walls = torch.ones(n, size, size, dtype=torch.bool, device=device)
    walls[:, ::2, ::2] = False
    return walls.flatten(1)


def _walk(n: int, rng: torch.Generator, side: int) -> Tensor:
    """Walls of depth-first mazes: bool [n, size, size]."""
    device, size, rooms = rng.device, 2 * side - 1, side * side
    walls = _blank(n, side, device)
    every = torch.arange(n, device=device)
    # visited carries a frame of visited rooms, so that no walk leaves the grid
    stride = side + 2
    visited = torch.ones(n, stride * stride, dtype=torch.bool, device=device)
    visited.view(n, stride, stride)[:, 1:-1, 1:-1] = False
    moves = torch.tensor([dy * stride + dx for dy, dx in FORWARD], device=device)
    between = torch.tensor([dy * size + dx for dy, dx in FORWARD], device=device)
    here = (torch.randint(side, (n,), generator=rng, device=device) + 1) * (stride + 1)
    visited[every, here] = True
    path = torch.zeros(n, rooms + 1, dtype=torch.int64, device=device)
    depth = torch.zeros(n, dtype=torch.int64, device=device)
    lots = torch.empty(n, 4, device=device)
    for _ in range(2 * rooms):
        open_sides = ~visited.gather(1, here[:, None] + moves)
        forward = open_sides.any(1)
        lots.uniform_(generator=rng)
        side_taken = lots.masked_fill(~open_sides, -1).argmax(1)
        tile = (here // stride - 1) * 2 * size + (here % stride - 1) * 2
        opened = torch.where(forward, tile + between[side_taken], tile)
        walls[every, opened] = False
        path[every, depth] = here  # what lies above `depth` is never read before it is written
        depth = (depth + torch.where(forward, 1, -1)).clamp_(min=0)
        here = torch.where(forward, here + moves[side_taken], path[every, depth])
        visited[every, here] = True
    return walls.reshape(n, size, size)


def _merge(n: int, rng: torch.Generator, side: int) -> Tensor:
    """Walls of Kruskal mazes: bool [n, size, size]."""
    device, size, rooms = rng.device, 2 * side - 1, side * side
    walls = _blank(n, side, device)
    first, second, tile = _edges(side, device)
    order = torch.rand(n, len(tile), generator=rng, device=device).argsort(1)
    every = torch.arange(n, device=device)
    group = torch.arange(rooms, device=device).repeat(n, 1)
    for edge in order.unbind(1):
        one, other = group[every, first[edge]], group[every, second[edge]]
        walls[every, tile[edge]] &= one == other
        group = torch.where(group == other[:, None], one[:, None], group)
    return walls.reshape(n, size, size)


def _edges(side: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Per pair of neighbours: the two rooms, and the tile of the wall between them."""
    rows = [
        (y * side + x, (y + dy) * side + x + dx, (2 * y + dy) * (2 * side - 1) + 2 * x + dx)
        for y in range(side)
        for x in range(side)
        for dy, dx in ((0, 1), (1, 0))
        if y + dy < side and x + dx < side
    ]
    first, second, tile = torch.tensor(rows, device=device).unbind(1)
    return first, second, tile
