"""SILG's NetHack: the tasks of nle itself, won by gathering enough of something in time.

Zhong et al. 2021 (arXiv 2110.10661; their code is vzhong/silg at 2af0757). What nle's class pays,
for gold, map cells seen or the game's score, is added up; each step before the last takes off its
price. Whoever reaches the threshold, the mean result of the published experts, has won. The
published fix of nle's scout (an unseen cell is glyph 2359, not 0) has become nle's own.
"""

from __future__ import annotations

from typing import Any

from rlbench.suites.skillhack.game import DRAWN, SEEN, Rows
from rlbench.suites.skillhack.interface import Cause
from rlbench.suites.skillhack.public import PublicPlay, environment_class
from rlbench.suites.skillhack.rewards import LOSS, Verdict
from rlbench.suites.skillhack.seeding import GameSeed, Purpose, silg_seed
from rlbench.suites.skillhack.settings import TaskSettings

WIN = 1.0
CHARACTER = "mon-hum-neu-mal"


class Target:
    """Adds up what one episode after another gathers, and says when it is enough."""

    def __init__(self, settings: TaskSettings) -> None:
        self._settings = settings
        self.begin()

    def begin(self) -> None:
        """Nothing is gathered yet."""
        self._gathered, self._steps = 0.0, 0

    def judge(self, paid: float, *, game_over: bool) -> Verdict:
        """The reward of a step for which nle's class paid `paid`, and why it is the last if so."""
        limits = self._settings
        self._steps += 1
        last = game_over or self._steps >= limits.max_steps
        self._gathered += paid if last else paid - limits.step_penalty
        if self._gathered >= limits.threshold:
            return Verdict(WIN, Cause.EVENT)
        if last:
            return Verdict(LOSS, Cause.DEATH if game_over else Cause.TIMEOUT)
        return Verdict(-limits.step_penalty, Cause.RUNNING)


class SilgPlay(PublicPlay):
    """Plays episodes of one of these tasks with nle's own keys and options."""

    def __init__(self, settings: TaskSettings, rows: Rows) -> None:
        """See `PublicPlay`."""
        super().__init__(settings, rows)
        self._target = Target(settings)
        self._held_out = settings.held_out

    def begin(self, seed: int, purpose: Purpose, slot: int, episode: int) -> None:
        """Begin an episode, on a game of the split that is for this purpose."""
        split = "train" if purpose == "train" else self._held_out
        self.begin_at(silg_seed(seed, split, slot, episode))

    def begin_at(self, seed: GameSeed) -> None:
        """Begin the game with these seeds."""
        self._target.begin()
        super().begin_at(seed)

    def act(self, action: int) -> Verdict:
        """Press the key of an action."""
        paid, game_over, _ = self._step(action)
        return self._target.judge(paid, game_over=game_over)

    def _make(self, settings: TaskSettings, rows: Rows) -> Any:
        kind, more = environment_class(settings.environment, "nle")
        return kind(
            **more,
            character=CHARACTER,
            penalty_step=-settings.frozen_penalty,
            penalty_time=0.0,
            max_episode_steps=settings.max_steps + 1,  # the limit is `Target`'s: nle's would quit
            observation_keys=tuple(name for name in (*SEEN, *DRAWN) if name in rows),
            fix_moon_phase=True,
        )
