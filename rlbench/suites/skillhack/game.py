"""One game of NetHack, driven key by key through the library that nle builds.

nle's own classes copy every observation twice a step; here NetHack writes into rows of arrays that
the caller owns. The class underneath, `_pynethack.Nethack`, is private to nle: its version is
pinned, and tests hold the results bit for bit against nle's public classes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from nle import _pynethack
from nle.nethack.nethack import DLPATH, OBSERVATION_DESC

from rlbench.suites.skillhack.folders import drop_folder, new_folder
from rlbench.suites.skillhack.seeding import GameSeed

Array = np.ndarray[Any, Any]
Rows = Mapping[str, Array]

SEEN = ("glyphs", "chars", "colors", "specials", "blstats", "message")
"""What agents see."""
NEEDED = (*SEEN, "program_state", "internal", "inv_letters")
"""What a game has to write."""
DRAWN = ("tty_chars", "tty_colors", "tty_cursor")
"""The terminal, for those who look on; it costs time."""

PLAYER = "Agent-cav-hum-neu-mal"
"""A caveman with club, sling, flint stones, rocks and leather armor as letters a to e."""
OPTIONS = (
    "color", "showexp", "nobones", "nolegacy", "nocmdassist", "disclose:+i +a +v +g +c +o",
    "runmode:teleport", "mention_walls", "nosparkle", "showscore",
)  # fmt: skip

SPACE, ESCAPE = 32, 27
_TIME = 20
_ONE_KEY, _LINE, _MORE, _STAIRS = 1, 2, 3, 4
_IN_MOVELOOP = 3
_MAX_GREETINGS = 1000


def options(*, autopickup: bool, published: bool) -> tuple[str, ...]:
    """The game's options; the published skills with autopickup set no other one."""
    if autopickup and published:
        return ("autopickup",)
    return (*OPTIONS, "autopickup" if autopickup else "!autopickup", "pettype:none")


def new_rows(n: int, names: tuple[str, ...] = NEEDED) -> dict[str, npt.NDArray[Any]]:
    """Arrays for n games, one row each."""
    return {
        name: np.zeros((n, *OBSERVATION_DESC[name]["shape"]), OBSERVATION_DESC[name]["dtype"])
        for name in names
    }


class Game:
    """A game that begins anew with every `reset`; close it when done."""

    def __init__(self, data: Path, chosen: tuple[str, ...], rows: Rows) -> None:
        """Args say what is played and where it shows.

        Args:
            data: the compiled level, from `compile`.
            chosen: the game's options.
            rows: by the names in `NEEDED` (and `DRAWN` if wanted), one game's arrays.
        """
        self.rows = rows
        self._folder = new_folder()
        (self._folder / "nhdat").symlink_to(data)
        (self._folder / "save").mkdir()
        for name in ("perm", "record", "logfile", "xlogfile"):
            (self._folder / name).touch()
        self._library = os.memfd_create("nethack.so")  # NetHack is all globals: a copy per game
        path = f"/proc/self/fd/{self._library}"
        shutil.copyfile(DLPATH, path)
        words = ",".join((*chosen, f"name:{PLAYER}"))
        self._game = _pynethack.Nethack(path, os.fspath(self._folder), words, False, True)
        self._game.set_buffers(**{name: rows.get(name) for name in OBSERVATION_DESC})
        self._press, self._is_over = self._game.step, self._game.done
        self._internal = rows["internal"].data
        self._state = rows["program_state"].data
        self._status = rows["blstats"].data
        self._message = rows["message"].data

    def reset(self, seed: GameSeed) -> bool:
        """Begin a game; moon, Friday 13th and night follow from the seed, not from the clock.

        Returns:
            Whether the hero lives to see the first move: what lies where the game begins is picked
            up before it, and to touch Grayswandir can kill.
        """
        self._game.set_initial_seeds(seed.core, seed.disp, False, None)
        self._game.reset()
        for _ in range(_MAX_GREETINGS):
            if self._state[_IN_MOVELOOP]:
                return True
            if self._is_over():
                return False
            self._press(SPACE)
        raise RuntimeError(f"NetHack with seeds {tuple(seed)} does not begin")

    def press(self, key: int) -> None:
        """Press one key and nothing else."""
        self._press(key)

    def dismiss(self) -> bytes:
        """Press space at every --More-- and escape when asked for a line, as MiniHack does.

        Returns:
            What was said in the messages that went away.
        """
        said = b""
        internal = self._internal
        while not self._is_over():
            if internal[_MORE]:
                said += self.message()
                self._press(SPACE)
                continue
            if internal[_LINE]:
                said += self.message()
                self._press(ESCAPE)
            break
        return said

    @property
    def over(self) -> bool:
        """Whether NetHack itself has ended the game."""
        return bool(self._is_over())

    @property
    def time(self) -> int:
        """The game's own clock."""
        return self._status[_TIME]

    @property
    def on_stairs(self) -> bool:
        """Whether the hero stands on stairs down."""
        return bool(self._internal[_STAIRS])

    def message(self) -> bytes:
        """What the game says at the top of the screen; empty or 256 bytes."""
        return bytes(self._message) if self._message[0] else b""

    def carries(self, letter: str) -> bool:
        """Whether something with this letter is in the hero's pack."""
        return letter.encode() in self.rows["inv_letters"].tobytes()

    def close(self) -> None:
        """End the game and remove its folder."""
        if self._game is not None:
            self._game.close()
            self._game = None
            os.close(self._library)
            drop_folder(self._folder)
