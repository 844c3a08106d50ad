"""One game from explicit seeds, with its terminal: for replays and for gymnasium."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from rlbench.suites.skillhack.compile import level_data
from rlbench.suites.skillhack.game import DRAWN, NEEDED, SEEN, new_rows
from rlbench.suites.skillhack.interface import Observation
from rlbench.suites.skillhack.play import new_play
from rlbench.suites.skillhack.rewards import Verdict
from rlbench.suites.skillhack.seeding import GameSeed
from rlbench.suites.skillhack.settings import TaskSettings


class Screen(NamedTuple):
    """NetHack's terminal of 24 rows and 80 columns; overwritten by the next step."""

    chars: npt.NDArray[np.uint8]
    """[24, 80]"""
    colors: npt.NDArray[np.int8]
    """[24, 80]: 0 to 15, as on a terminal"""
    cursor: npt.NDArray[np.uint8]
    """[2]: row and column"""


class WatchedGame:
    """Plays one episode after another from given seeds; a context manager."""

    def __init__(self, settings: TaskSettings) -> None:
        """See `make_vector` for what can be raised."""
        self._rows = {name: rows[0] for name, rows in new_rows(1, (*NEEDED, *DRAWN)).items()}
        self.play = new_play(settings, level_data(settings), self._rows)

    def begin(self, core: int, disp: int) -> None:
        """Begin the episode that a record says was played from these two seeds."""
        self.play.begin_at(GameSeed(core, disp))

    def step(self, action: int) -> Verdict:
        """Act; the reward, and why the episode is over if it is."""
        return self.play.act(action)

    def screen(self) -> Screen:
        """What a person would see."""
        return Screen(*(self._rows[name] for name in DRAWN))

    def observation(self) -> Observation:
        """What an agent sees, as a batch of one; copies."""
        seen = {name: self._rows[name][None].copy() for name in SEEN}
        return Observation(**seen, prompt=self._rows["internal"][None, 1:4] != 0)

    def close(self) -> None:
        """End the game."""
        self.play.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
