"""Shooting at monsters: where to stand, and what may be a mimic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rlbench.suites.skillhack.interface import MAP
from rlbench.suites.skillhack.scripted import (
    PETS,
    STATUES,
    Script,
    View,
    at,
    cells,
    next_move,
    sweep,
    toward,
)
from rlbench.suites.skillhack.terrain import DOORS, LAVA, OBJECTS, STAIRS_DOWN, WATER, Cell

Shot = tuple[Cell, Cell]
"""Where to stand, and what to hit from there."""

REACH = 7
"""Cells that a thrown dagger flies, and a ray goes at least."""


def aim(view: View, shots: Callable[[], list[Shot]], keys: tuple[str, ...]) -> Script:
    """Go to the nearest place from where something can be shot, and shoot, again and again.

    Looks round while there is nothing to shoot at.

    Args:
        view: what is seen.
        shots: where to stand and what to hit from there, as it is seen then.
        keys: the actions before the direction.
    """
    looking = sweep(view, view.floor())
    for _ in range(200):
        possible = dict(shots())
        if view.here in possible:
            yield from keys
            yield toward(view.here, possible[view.here])
            continue
        places = np.zeros(MAP, np.bool_)
        for row, column in possible:
            places[row, column] = 0 <= row < MAP[0] and 0 <= column < MAP[1]
        places &= view.floor()
        move = next_move(view, places, view.floor()) or next(looking, None)
        if move is None:
            return
        yield move


def in_row(view: View, near: int, far: int) -> Callable[[], list[Shot]]:
    """From where to shoot east at what: in a monster's row, neither too near nor too far."""

    def shots() -> list[Shot]:
        return [
            ((row, column - distance), (row, column))
            for row, column in view.monsters()
            for distance in range(near, far + 1)
        ]

    return shots


def suspects(view: View) -> list[Shot]:
    """From where to throw at what: in the eight directions of whatever is no floor."""
    odd = view.monsters()
    if not odd:
        strange = STATUES[view.glyphs] | OBJECTS[view.glyphs] | DOORS[view.glyphs]
        strange |= STAIRS_DOWN[view.glyphs] | (view.chars == ord("`")) | (view.chars == ord("]"))
        strange &= ~PETS[view.glyphs] & ~at(view.here)
        odd = cells(strange)
    return [
        ((row - down * far, column - right * far), (row, column))
        for row, column in odd
        for down in (-1, 0, 1)
        for right in (-1, 0, 1)
        if down or right
        for far in range(2, REACH + 1)
        if _clear(view, (row, column), (down, right), far)
    ]


def _clear(view: View, target: Cell, step: Cell, far: int) -> bool:
    """Whether nothing but floor, lava and water is between a target and the thrower."""
    for i in range(1, far):
        row, column = target[0] - step[0] * i, target[1] - step[1] * i
        if not (0 <= row < MAP[0] and 0 <= column < MAP[1]):
            return False
        glyph = view.glyphs[row, column]
        if not (view.floor()[row, column] or LAVA[glyph] or WATER[glyph]):
            return False
    return True
