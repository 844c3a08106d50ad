"""One script for each level: what a person would do who knows NetHack."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from rlbench.suites.skillhack.aiming import REACH, aim, in_row, suspects
from rlbench.suites.skillhack.interface import MAP
from rlbench.suites.skillhack.scripted import (
    LEFT_HAND,
    NO,
    YES,
    Maker,
    Script,
    View,
    at,
    cells,
    next_move,
    sweep,
    toward,
    walk,
    walk_to,
)
from rlbench.suites.skillhack.terrain import (
    CLOSED,
    DOORS,
    LAVA,
    STAIRS_DOWN,
    WATER,
    Cell,
    Grid,
    beside,
)

ITEM = "f"
"""The letter of the first item that the hero finds."""


def rectangle(top: int, left: int, height: int, width: int) -> Grid:
    """A part of the map."""
    area = np.zeros(MAP, np.bool_)
    area[top : top + height, left : left + width] = True
    return area


# -- items ------------------------------------------------------------------------------------


def fetch(view: View, char: str = "", free: Callable[[], Grid] | None = None) -> Script:
    """Pick an object up; one that nobody sees is under the hero's feet."""
    seen = view.objects(char)
    if seen.any():
        yield from walk(view, lambda: seen, free)
    yield "pickup"


def use(*actions: str) -> Maker:
    """A script that presses the keys of these actions, whatever is seen."""

    def script(view: View) -> Script:
        yield from actions

    return script


def put_on(view: View) -> Script:
    """Put the item on; a ring goes on the left hand."""
    yield "put-on"
    yield ITEM
    if "ring-finger" in view.message:
        yield LEFT_HAND


def freeze(view: View) -> Script:
    """Make ice or floor of what lies to the east, with the wand or the horn."""
    yield "zap"
    if "What do you want to zap?" in view.message and f"[{ITEM}" in view.message:
        yield ITEM
        yield "east"
        return
    yield "apply"
    yield ITEM
    yield YES
    yield "east"


def eat_here(view: View) -> Script:
    """Eat what lies under the hero's feet, if it can be eaten."""
    yield "eat"
    if "; eat " in view.message:
        yield YES


# -- skills -----------------------------------------------------------------------------------


def eat(view: View) -> Script:
    """Go to the apple and eat it."""
    yield from walk(view, view.objects)
    yield from eat_here(view)


def pick_up(view: View) -> Script:
    """Go to the object and pick it up."""
    yield from fetch(view)


def fight(view: View) -> Script:
    """Go to a monster and hit it, until there is none."""
    while monsters := view.monsters():
        move = next_move(view, at(monsters[0]), view.floor())
        if move is None:
            return
        yield move


def to_stairs(view: View) -> Script:
    """Go to the stairs over dry floor, or through water if there is no other way."""
    yield from walk(view, lambda: STAIRS_DOWN[view.glyphs])
    wet = lambda: view.floor() | WATER[view.glyphs]  # noqa: E731 (a name makes it readable)
    yield from walk(view, lambda: STAIRS_DOWN[view.glyphs], wet)


def fly_to_stairs(view: View) -> Script:
    """Go to the stairs over anything."""
    yield from walk(
        view,
        lambda: STAIRS_DOWN[view.glyphs],
        lambda: view.floor() | WATER[view.glyphs] | LAVA[view.glyphs],
    )


def blind_in_room(view: View) -> Script:
    """Go to the stairs if they were seen, else step on every cell of the room."""
    stairs = cells(STAIRS_DOWN[view.glyphs])
    row, column = view.here
    room = rectangle(row - 1, column - 1, 5, 11)
    if stairs:
        yield from walk_to(view, stairs[0], lambda: room)
    yield from sweep(view, room)


def blind_from_closet(view: View) -> Script:
    """Out of the closet's door, then step on every cell of the room."""
    row, column = view.here
    yield from _through(view, (row, column + 1))
    room = rectangle(row, column, 5, 11)
    room[row, column : column + 2] = room[row + 1, column : column + 2] = False
    yield from sweep(view, room)


def _through(view: View, door: Cell) -> Script:
    """Open the door to the east and go on until it is behind the hero."""
    while view.here[1] <= door[1]:
        yield "east"


def to_amulet(view: View) -> Script:
    """Go to the amulet."""
    yield from walk(view, lambda: view.objects('"'))


def unlock(view: View) -> Script:
    """Go to the door, try it, and unlock it with the key."""
    doors = CLOSED[view.glyphs]
    if not doors.any():
        return
    yield from walk(view, lambda: beside(doors) & view.floor())
    ahead = [cell for cell in cells(doors) if beside(at(cell))[view.here]]
    if not ahead:
        return
    way = toward(view.here, ahead[0])
    yield way
    for _ in range(20):
        yield "apply"
        yield ITEM
        yield way
        if "Lock it?" in view.message:
            yield NO
            return
        if "Unlock it?" in view.message:
            yield YES


def zap_death(view: View) -> Script:
    """Kill the monster from so far that the ray does not come back."""
    yield from aim(view, in_row(view, 5, REACH), ("zap", ITEM))


def throw(view: View) -> Script:
    """Throw a dagger at the monster, or at what may be a mimic."""
    yield from aim(view, lambda: suspects(view), ("throw", ITEM))


# -- tasks ------------------------------------------------------------------------------------


def battle(view: View) -> Script:
    """Fetch the saber, wield it, kill."""
    yield from fetch(view, ")")
    yield "wield"
    yield ITEM
    yield from fight(view)


def prepare_for_battle(view: View) -> Script:
    """Eat the apple, then fetch the cloak and wear it.

    One of them may lie under the other, or under the hero, where nobody sees it.
    """
    start, cloak = view.here, cells(view.objects("["))
    place = cloak[0] if cloak else start
    if view.objects("%").any():
        yield from walk(view, lambda: view.objects("%"))
    yield from eat_here(view)
    yield from walk_to(view, place)
    yield from eat_here(view)
    yield "pickup"
    yield "wear"
    yield ITEM


def over_or_around(view: View) -> Script:
    """Fetch the key, unlock the door, go round."""
    door = cells(DOORS[view.glyphs])[0]
    yield from fetch(view, "(")
    yield from unlock(view)
    yield from _through(view, door)
    yield from to_stairs(view)


def target_practice(view: View) -> Script:
    """Fetch the wand or the daggers and use them on the minotaur."""
    wand = view.objects("/").any()
    yield from fetch(view)
    if wand:
        yield from aim(view, in_row(view, REACH - 1, REACH), ("zap", ITEM))
    else:
        yield from aim(view, in_row(view, 2, REACH), ("throw", ITEM))


def frozen_lava_cross(view: View) -> Script:
    """Fetch what freezes, go to the lava, freeze it, cross."""
    yield from fetch(view)
    lava = cells(LAVA[view.glyphs])
    bank = np.zeros(MAP, np.bool_)
    for row, column in lava:
        bank[row, column - 1] = True
    yield from walk(view, lambda: bank)
    for _ in range(8):
        if view.floor()[view.here[0], view.here[1] + 1]:
            break
        yield from freeze(view)
    yield from to_stairs(view)


def medusa(view: View) -> Script:
    """Fetch the towel, cover the eyes, and step on every cell behind the door."""
    door = cells(DOORS[view.glyphs])[0]
    yield from fetch(view, "(")
    yield from put_on(view)
    yield from walk_to(view, (door[0], door[1] - 1))
    yield from _through(view, door)
    yield from sweep(view, rectangle(door[0] - 3, door[1] + 1, 5, 7))


def identify_mimic(view: View) -> Script:
    """Fetch the amulet, past everything that may be the mimic, and put it on."""

    def clear() -> Grid:
        return view.floor() & ~view.objects()

    looking = sweep(view, clear(), clear)
    while not view.objects('"').any():
        move = next(looking, None)
        if move is None:
            return
        yield move
    yield from fetch(view, '"', clear)
    yield from put_on(view)


def sea_monsters(view: View) -> Script:
    """Change into the dragon's scales and cross."""
    yield from fetch(view, "[")
    yield "take-off"
    yield "wear"
    yield ITEM
    yield from walk(view, lambda: STAIRS_DOWN[view.glyphs])


SCRIPTS: Mapping[str, Maker] = {
    "apply-frost-horn": use("apply", ITEM, YES, "east"),
    "eat": eat,
    "fight": fight,
    "nav-blind": blind_in_room,
    "nav-blind-fixed": blind_from_closet,
    "nav-lava": to_stairs,
    "nav-lava-to-amulet": to_amulet,
    "nav-over-lava": fly_to_stairs,
    "nav-water": to_stairs,
    "pick-up": pick_up,
    "put-on": put_on,
    "take-off": use("take-off"),
    "throw": throw,
    "unlock": unlock,
    "wear": use("wear", ITEM),
    "wield": use("wield", ITEM),
    "zap-cold": use("zap", ITEM, "east"),
    "zap-death": zap_death,
    "zap-death-ours": zap_death,
    "battle": battle,
    "prepare-for-battle": prepare_for_battle,
    "over-or-around": over_or_around,
    "target-practice": target_practice,
    "frozen-lava-cross": frozen_lava_cross,
    "medusa": medusa,
    "medusa-ours": medusa,
    "identify-mimic": identify_mimic,
    "sea-monsters": sea_monsters,
}
