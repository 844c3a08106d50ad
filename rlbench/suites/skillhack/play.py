"""One slot's play: a game, its referee, the step count; an episode is its seeds and actions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rlbench.core.errors import RlbenchError
from rlbench.suites.skillhack.game import Game, Rows, options
from rlbench.suites.skillhack.interface import KEYS
from rlbench.suites.skillhack.rewards import Happening, Referee, Verdict
from rlbench.suites.skillhack.seeding import GameSeed, Purpose, episode_seed
from rlbench.suites.skillhack.settings import TaskSettings
from rlbench.suites.skillhack.solvable import is_solvable

if TYPE_CHECKING:
    from rlbench.suites.skillhack.public import PublicPlay

_QUAFF, _PICKUP = ord("q"), ord(",")
_MAX_ATTEMPTS = 1000


def new_play(settings: TaskSettings, data: Path | None, rows: Rows) -> Play | PublicPlay:
    """A play of the task, on the compiled level or through others' class where there is none."""
    if data is not None:
        return Play(settings, data, rows)
    if settings.threshold:
        from rlbench.suites.skillhack.silg import SilgPlay

        return SilgPlay(settings, rows)
    from rlbench.suites.skillhack.public import PublicPlay

    return PublicPlay(settings, rows)


class Play:
    """Plays episodes of one task, one after another."""

    def __init__(self, settings: TaskSettings, data: Path, rows: Rows) -> None:
        """`data` is the compiled level; `rows` are the arrays to write into, see `Game`."""
        chosen = options(autopickup=settings.autopickup, published=settings.published)
        self.game = Game(data, chosen, rows)
        self.seed = GameSeed(0, 0)
        self.steps = 0
        self._settings = settings
        self._referee = Referee(settings)
        self._may_pick = False

    def begin(self, seed: int, purpose: Purpose, slot: int, episode: int) -> None:
        """Begin an episode, on the first level for it that can be solved.

        Raises:
            RlbenchError: there is none.
        """
        for attempt in range(_MAX_ATTEMPTS):
            if not self._start(episode_seed(seed, purpose, slot, episode, attempt)):
                continue
            if self._settings.published or is_solvable(self._settings, self.game):
                self._prepare()
                return
        raise RlbenchError(
            f"level '{self._settings.level}': none of {_MAX_ATTEMPTS} levels passes"
            f" {list(self._settings.solvable)}"
        )

    def begin_at(self, seed: GameSeed) -> None:
        """Begin the game with these seeds, whatever its level is like.

        Raises:
            RlbenchError: the hero does not live to see the first move.
        """
        if not self._start(seed):
            raise RlbenchError(
                f"level '{self._settings.level}', seeds {tuple(seed)}: the hero dies before the"
                " first move"
            )
        self._prepare()

    def _start(self, seed: GameSeed) -> bool:
        self._referee.begin()
        self.seed, self.steps, self._may_pick = seed, 0, self._settings.pick_first
        return self.game.reset(seed)

    def act(self, action: int) -> Verdict:
        """Press the key of an action, and what the published wrappers press with it."""
        game = self.game
        if self._settings.drink and self._settings.published:
            self._drink()
        before = game.time
        game.press(KEYS[action])
        hidden = game.dismiss()
        self.steps += 1
        return self._referee.judge(
            Happening(
                message=game.message(),
                hidden=hidden,
                frozen=game.time == before,
                on_stairs=game.on_stairs,
                game_over=game.over,
                timed_out=self.steps >= self._settings.max_steps,
            )
        )

    def _prepare(self) -> None:
        """What our rules do before the agent sees anything; the published ones do it later."""
        if self._settings.drink and not self._settings.published:
            self._drink()

    def _drink(self) -> None:
        """Drink the potion that the task wants drunk, picking it up first where it says so."""
        letter = self._settings.drink
        if self._may_pick:
            self.game.press(_PICKUP)
            self._may_pick = False
        elif not letter or not self.game.carries(letter):
            return
        self.game.press(_QUAFF)
        self.game.press(ord(letter))
        if not self._settings.published:
            self.game.dismiss()

    def close(self) -> None:
        """End the game."""
        self.game.close()
