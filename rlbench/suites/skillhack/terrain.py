"""What a hero can walk on, from the glyphs of NetHack's map; paths over it."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt
from nle.nethack import (
    GLYPH_CMAP_OFF,
    GLYPH_OBJ_OFF,
    MAX_GLYPH,
    NUM_OBJECTS,
)

from rlbench.suites.skillhack.interface import MAP

Grid = npt.NDArray[np.bool_]
Cell = tuple[int, int]
"""Row and column of the map."""

_NO_DOOR, _OPEN_DOORS, _CLOSED_DOORS = 12, (13, 14), (15, 16)
_FLOOR = (19, 20, 21, 22)
_UP, _DOWN = 23, 24
_WATER, _ICE, _LAVA = (32, 41), 33, 34

STEPS: tuple[Cell, ...] = (
    (-1, 0), (0, 1), (1, 0), (0, -1), (-1, 1), (1, 1), (1, -1), (-1, -1),
)  # fmt: skip
"""Rows and columns that the first eight actions move."""


def _table(symbols: tuple[int, ...]) -> Grid:
    """Whether a glyph is one of these map symbols."""
    table = np.zeros(MAX_GLYPH + 1, np.bool_)
    table[[GLYPH_CMAP_OFF + symbol for symbol in symbols]] = True
    return table


STAIRS_DOWN = _table((_DOWN,))
DOORS = _table((*_OPEN_DOORS, *_CLOSED_DOORS))
CLOSED = _table(_CLOSED_DOORS)
LAVA = _table((_LAVA,))
WATER = _table(_WATER)
OBJECTS = np.zeros(MAX_GLYPH + 1, np.bool_)
OBJECTS[GLYPH_OBJ_OFF : GLYPH_OBJ_OFF + NUM_OBJECTS] = True
WALKABLE = _table((_NO_DOOR, *_OPEN_DOORS, *_FLOOR, _UP, _DOWN, _ICE)) | OBJECTS


def hero(blstats: npt.NDArray[np.int64]) -> Cell:
    """Where the hero is."""
    return int(blstats[1]), int(blstats[0])


def distances(
    glyphs: npt.NDArray[np.int16], start: Cell, walkable: Grid | None = None
) -> npt.NDArray[np.int64]:
    """Steps from `start` to every cell, [21, 79]; -1 where no visible floor leads.

    Doors are not passed diagonally. `walkable` [21, 79] replaces what the glyphs say.
    """
    width = MAP[1] + 2  # a border that is not free saves asking for the map's edge
    free = np.pad(WALKABLE[glyphs] if walkable is None else walkable, 1).ravel().tolist()
    doors = np.pad(DOORS[glyphs], 1).ravel().tolist()
    straight = (-width, 1, width, -1)
    diagonal = (1 - width, 1 + width, width - 1, -1 - width)
    first = (start[0] + 1) * width + start[1] + 1
    found, queue = {first: 0}, deque([first])
    while queue:
        cell = queue.popleft()
        reached = found[cell] + 1
        for step in straight:
            if free[cell + step] and cell + step not in found:
                found[cell + step] = reached
                queue.append(cell + step)
        for step in () if doors[cell] else diagonal:
            if free[cell + step] and cell + step not in found and not doors[cell + step]:
                found[cell + step] = reached
                queue.append(cell + step)
    grid = np.full((MAP[0] + 2) * width, -1)
    grid[list(found)] = list(found.values())
    return grid.reshape(-1, width)[1:-1, 1:-1]


def beside(cells: Grid) -> Grid:
    """Which cells have one of `cells` to their north, east, south or west."""
    padded = np.pad(cells, 1)
    return padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
