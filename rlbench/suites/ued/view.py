"""What the agent sees: MiniGrid's square view, transparent or occluded, for many agents at once.

A view of size v is v x v object codes, row 0 farthest ahead, row v-1 the agent's own, column v//2
the agent's own. (MiniGrid's `image[x][y]` is the transpose.) The agent's own cell shows as empty.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

UNSEEN, EMPTY, WALL, GOAL, AGENT = 0, 1, 2, 8, 10
"""MiniGrid's object codes."""
COLOURS = {WALL: 5, GOAL: 1}
"""MiniGrid's colour codes of what is not red: grey walls, a green goal."""
MAX_VIEW = 9

FORWARD = ((0, 1), (1, 0), (0, -1), (-1, 0))
"""Per direction, the (dy, dx) of a step ahead."""


def check_view(size: int) -> None:
    """Refuse view sizes that MiniGrid has no meaning for.

    Raises:
        ValueError: not an odd number from 3 to `MAX_VIEW`.
    """
    if size % 2 == 0 or not 3 <= size <= MAX_VIEW:
        raise ValueError(f"view: expected an odd number from 3 to {MAX_VIEW}, found {size}")


def view_offsets(size: int, row_stride: int) -> Tensor:
    """Where the cells of the view lie in a flat map, relative to the agent: int64 [4, size²].

    Args:
        size: side of the view.
        row_stride: cells in a row of the map, its padding included.
    """
    rows = []
    for dy, dx in FORWARD:
        ry, rx = dx, -dy  # the right hand of a person who looks along (dy, dx), y pointing down
        for ahead in range(size - 1, -1, -1):
            for right in range(-(size // 2), size // 2 + 1):
                rows.append((ahead * dy + right * ry) * row_stride + ahead * dx + right * rx)
    return torch.tensor(rows, dtype=torch.int64).reshape(4, size * size)


class Sight:
    """Which cells of a view are seen when walls block sight: MiniGrid's `Grid.process_vis`.

    That works row by row from the agent outwards, and a row's part depends only on which of its
    cells are seen so far and which are walls; so all cases fit a table.
    """

    def __init__(self, size: int, device: torch.device | str) -> None:
        """Build the table for views of `size`, on `device`."""
        column = torch.arange(size)
        self._size = size
        self._agent = 1 << size // 2
        self._powers = (1 << column).to(device)
        self._spread = _sight_table(size).to(device)
        seen = torch.arange(1 << size)
        self._unpacked = (seen[:, None] >> column & 1).to(torch.uint8).to(device)

    def __call__(self, walls: Tensor) -> Tensor:
        """From the walls in view, bool [n, v, v], to 1 where a cell is seen, uint8 [n, v, v]."""
        size = self._size
        wall_rows = (walls * self._powers).sum(2).unbind(1)
        key = wall_rows[-1] | self._agent << size
        rows = [self._spread.index_select(0, key)]
        for wall_row in wall_rows[-2::-1]:
            key = rows[-1] >> size << size | wall_row
            rows.append(self._spread.index_select(0, key))
        seen = torch.stack(rows[::-1], 1).reshape(-1) & (1 << size) - 1
        return self._unpacked.index_select(0, seen).reshape(-1, size, size)


@cache
def _sight_table(size: int) -> Tensor:
    """How sight spreads within a row of the view and to the row ahead.

    Returns:
        int64 [4^size]: at `seen << size | walls` (bit i is column i), the seen cells of the row,
        and, shifted left by `size`, the cells of the row ahead that become seen.
    """
    case = torch.arange(1 << 2 * size)
    walls, seen = case & (1 << size) - 1, case >> size
    ahead = torch.zeros_like(case)
    rightward = [(i, 1) for i in range(size - 1)]
    leftward = [(i, -1) for i in range(size - 1, 0, -1)]
    for i, side in rightward + leftward:
        passes = (seen >> i) & ~(walls >> i) & 1
        reached = (passes << i) | (passes << i + side)
        seen, ahead = seen | reached, ahead | reached
    return ahead << size | seen


@cache
def feature_table(device: torch.device | str) -> Tensor:
    """Per object code, MiniGrid's (object, colour, state) divided by 10: float32 [11, 3].

    One tensor per device, shared: not to be written to.
    """
    table = torch.zeros(AGENT + 1, 3)
    for code in (EMPTY, WALL, GOAL, AGENT):
        table[code] = torch.tensor([code, COLOURS.get(code, 0), 0]) / 10
    return table.to(device)


def features(codes: Tensor) -> Tensor:
    """Object codes as the image that the published networks take.

    Args:
        codes: uint8 or int64 [n, h, w], or [n, v²] for a square view.

    Returns:
        float32 [n, 3, h, w]: object, colour and state, each divided by 10; state is 0.
    """
    if codes.ndim == 2:
        side = round(codes.shape[1] ** 0.5)
        codes = codes.reshape(-1, side, side)
    image = torch.zeros(codes.shape[0], 3, *codes.shape[1:], device=codes.device)
    index = codes.reshape(-1).to(torch.int64)
    for channel, values in enumerate(feature_table(codes.device)[:, :2].unbind(1)):
        image[:, channel] = values.gather(0, index).view(codes.shape)
    return image
