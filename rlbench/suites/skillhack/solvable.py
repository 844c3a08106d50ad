"""Whether a level can be won, as far as its first observation says.

Random lava and water can bury the hero's starting item or cut off the goal; the published tasks
keep such levels, the others draw again.
"""

from __future__ import annotations

from rlbench.suites.skillhack.game import Game
from rlbench.suites.skillhack.settings import Check, TaskSettings
from rlbench.suites.skillhack.terrain import DOORS, OBJECTS, STAIRS_DOWN, beside, distances, hero

FIRST_LETTER = "f"
"""What the first item that the hero finds is called."""


def is_solvable(settings: TaskSettings, game: Game) -> bool:
    """Whether a game that has just begun passes all checks of its task."""
    return all(_passes(check, game) for check in settings.solvable)


def _passes(check: Check, game: Game) -> bool:
    if check == "carried":
        return game.carries(FIRST_LETTER)
    glyphs = game.rows["glyphs"]
    reached = distances(glyphs, hero(game.rows["blstats"])) >= 0
    if check == "reach-door":
        return bool((DOORS[glyphs] & beside(reached)).any())
    wanted = STAIRS_DOWN if check == "reach-stairs" else OBJECTS
    return bool((wanted[glyphs] & reached).any())
