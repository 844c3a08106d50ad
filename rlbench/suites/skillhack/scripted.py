"""A player that follows hand-written scripts, and the moves that scripts are made of.

A script is a generator: it looks at its `View`, which shows one slot as it is now, yields an
action, and goes on when the action is done. It is begun anew with every episode, and when it comes
to its end without having won.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from nle.nethack import (
    GLYPH_INVISIBLE,
    GLYPH_MON_OFF,
    GLYPH_PET_OFF,
    GLYPH_STATUE_OFF,
    MAX_GLYPH,
)

from rlbench.suites.skillhack.interface import ACTIONS, MAP, Observation, Step
from rlbench.suites.skillhack.terrain import (
    DOORS,
    OBJECTS,
    STEPS,
    WALKABLE,
    Cell,
    Grid,
    distances,
    hero,
)

if TYPE_CHECKING:
    from rlbench.suites.skillhack.settings import TaskSettings

Script = Iterator[str]
Maker = Callable[["View"], Script]

_N_MONSTERS = GLYPH_PET_OFF - GLYPH_MON_OFF
MONSTERS = np.zeros(MAX_GLYPH + 1, np.bool_)
MONSTERS[GLYPH_MON_OFF:GLYPH_PET_OFF] = True
PETS = np.zeros(MAX_GLYPH + 1, np.bool_)
PETS[GLYPH_PET_OFF:GLYPH_INVISIBLE] = True
STATUES = np.zeros(MAX_GLYPH + 1, np.bool_)
STATUES[GLYPH_STATUE_OFF : GLYPH_STATUE_OFF + _N_MONSTERS] = True

YES, NO, LEFT_HAND = "northwest", "southeast", "east"
"""The actions whose keys are `y`, `n` and `l`."""


class View:
    """One slot of an observation, as it is at this moment."""

    def __init__(self, slot: int) -> None:
        self._slot = slot

    def update(self, observation: Observation) -> None:
        """Look again."""
        slot = self._slot
        self.glyphs = observation.glyphs[slot]
        self.chars = observation.chars[slot]
        self.here = hero(observation.blstats[slot])
        self.message = observation.message[slot].tobytes().split(b"\0", 1)[0].decode("latin-1")

    def objects(self, char: str = "") -> Grid:
        """Where objects lie; only those of one class if its character is given."""
        found: Grid = OBJECTS[self.glyphs]
        return found & (self.chars == ord(char)) if char else found

    def monsters(self) -> list[Cell]:
        """Where monsters are that are no pets."""
        found = MONSTERS[self.glyphs].copy()
        found[self.here] = False
        return cells(found)

    def floor(self) -> Grid:
        """What can be walked on without harm, the hero's own cell included."""
        free: Grid = WALKABLE[self.glyphs] | PETS[self.glyphs]
        free[self.here] = True
        return free


def cells(where: Grid) -> list[Cell]:
    """The cells of a grid that are true."""
    rows, columns = where.nonzero()
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def at(cell: Cell) -> Grid:
    """The grid of one cell."""
    where = np.zeros(MAP, np.bool_)
    where[cell] = True
    return where


def toward(start: Cell, goal: Cell) -> str:
    """The action that moves from a cell to the next one, or in the direction of a farther one."""
    step = tuple(int(np.sign(there - here)) for here, there in zip(start, goal, strict=True))
    return ACTIONS[STEPS.index((step[0], step[1]))]


def next_move(view: View, goals: Grid, free: Grid) -> str | None:
    """The first move of a shortest way to a goal over free cells; None when there is none."""
    spread = distances(view.glyphs, view.here, free | goals)
    reached = [cell for cell in cells(goals) if spread[cell] > 0]
    if not reached:
        return None
    goal = min(reached, key=lambda cell: int(spread[cell]))
    back = distances(view.glyphs, goal, free | goals)
    row, column = view.here
    doors = DOORS[view.glyphs]
    ways = []
    for down, right in STEPS:
        cell = row + down, column + right
        if not (0 <= cell[0] < back.shape[0] and 0 <= cell[1] < back.shape[1]) or back[cell] < 0:
            continue
        if down and right and (doors[row, column] or doors[cell]):
            continue
        ways.append((int(back[cell]), bool(down and right), cell))
    return toward(view.here, min(ways)[2]) if ways else None


def walk(view: View, goals: Callable[[], Grid], free: Callable[[], Grid] | None = None) -> Script:
    """Go to the nearest goal, looking for the way anew before each step; stop where none is left.

    Args:
        view: what is seen.
        goals: where to go, as it is seen then; the hero's own cell is one where he stands on it.
        free: what may be walked on; `View.floor` by default.
    """
    while True:
        wanted = goals()
        if wanted[view.here]:
            return
        move = next_move(view, wanted, (free or view.floor)())
        if move is None:
            return
        yield move


def walk_to(view: View, cell: Cell, free: Callable[[], Grid] | None = None) -> Script:
    """Go to one cell."""
    yield from walk(view, lambda: at(cell), free)


def sweep(view: View, area: Grid, free: Callable[[], Grid] | None = None) -> Script:
    """Step on every cell of an area, near ones first, even where nothing is seen of it.

    A cell that cannot be entered in two tries is given up; a door gets ten.
    """
    left, may_enter = area.copy(), area.copy()
    tries = np.zeros(area.shape, np.int64)
    while left.any():
        left[view.here] = False
        move = next_move(view, left & may_enter, may_enter | (free or view.floor)())
        if move is None:
            return
        before = view.here
        yield move
        if view.here == before:
            down, right = STEPS[ACTIONS.index(move)]
            ahead = before[0] + down, before[1] + right
            tries[ahead] += 1
            if tries[ahead] >= (10 if DOORS[view.glyphs[ahead]] else 2):
                may_enter[ahead] = left[ahead] = False


class ScriptedPlayer:
    """Plays each slot by the script of the task's level."""

    def __init__(self, settings: TaskSettings) -> None:
        from rlbench.suites.skillhack.scripts import SCRIPTS

        self._make = SCRIPTS[settings.level]
        self._views: list[View] = []
        self._scripts: list[Script] = []

    def act(self, observation: Observation, step: Step | None) -> npt.NDArray[np.int64]:
        """See `interface.Player`."""
        n = len(observation.glyphs)
        if step is None:
            self._views = [View(slot) for slot in range(n)]
            self._scripts = [iter(()) for _ in range(n)]
        over = np.ones(n, np.bool_) if step is None else step.terminated | step.truncated
        chosen = np.zeros(n, np.int64)
        for slot, view in enumerate(self._views):
            view.update(observation)
            if over[slot]:
                self._scripts[slot] = self._make(view)
            chosen[slot] = ACTIONS.index(self._next(slot))
        return chosen

    def _next(self, slot: int) -> str:
        """The script's next action; where it has come to its end, the first of a new run."""
        action = next(self._scripts[slot], None)
        if action is None:
            self._scripts[slot] = self._make(self._views[slot])
            action = next(self._scripts[slot], "escape")
        return action
