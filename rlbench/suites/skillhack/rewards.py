"""What a step pays and whether it ends the episode: the published rules, and ours.

The published rules are those of MiniHack's reward manager as SkillHack uses it. At the time limit
they look at no event and pay -1; dying pays -1 as well. A message that a prompt hides is lost.
Ours look at events in every step and hear every message, and the time limit pays nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from rlbench.suites.skillhack.interface import Cause
from rlbench.suites.skillhack.settings import Event, TaskSettings

LOSS = -1.0


class Verdict(NamedTuple):
    """What a step brought."""

    reward: float
    cause: Cause


class Happening(NamedTuple):
    """What a step did."""

    message: bytes
    """What the game says after it."""
    hidden: bytes
    """What it said before in the same step, behind prompts."""
    frozen: bool
    """Whether no game time passed."""
    on_stairs: bool
    game_over: bool
    timed_out: bool


class Referee:
    """Judges the steps of one episode after another."""

    def __init__(self, settings: TaskSettings) -> None:
        self._settings = settings
        self._needles = [[text.encode() for text in event.messages] for event in settings.events]
        self._has_goal = any(event.required for event in settings.events)
        self.begin()

    def begin(self) -> None:
        """Forget the last episode."""
        self._happened = [False] * len(self._needles)
        self._owed = 0.0

    def judge(self, step: Happening) -> Verdict:
        """The reward of a step, and why the episode is over if it is."""
        settings, cause = self._settings, Cause.RUNNING
        reward = 0.0
        if step.timed_out and settings.published:
            cause = Cause.TIMEOUT
        else:
            heard = step.message if settings.published else step.hidden + step.message
            reward = self._events(heard) - settings.step_penalty
            if self._complete():
                cause = Cause.EVENT
            elif step.on_stairs:
                cause = Cause.STAIRS
            elif step.timed_out:
                cause = Cause.TIMEOUT
        if step.game_over:
            cause = Cause.DEATH
        if cause is Cause.DEATH or (cause is Cause.TIMEOUT and settings.published):
            reward += LOSS
        if step.frozen:
            reward -= settings.frozen_penalty
        if cause is Cause.STAIRS:
            reward += settings.stairs_reward
        return Verdict(reward, cause)

    def _events(self, heard: bytes) -> float:
        """What the events that now happen pay."""
        if not heard:
            return 0.0
        pay = 0.0
        for i, event in enumerate(self._settings.events):
            if not self._happened[i] and any(text in heard for text in self._needles[i]):
                self._happened[i] = not event.repeatable
                pay += event.reward
        if not self._settings.together:
            return pay
        self._owed += pay
        return self._owed if self._complete() else 0.0

    def _complete(self) -> bool:
        """Whether a sufficient event, or every required one, has happened."""
        if True not in self._happened:
            return False
        events: tuple[Event, ...] = self._settings.events
        if any(
            done and event.sufficient for done, event in zip(self._happened, events, strict=True)
        ):
            return True
        return self._has_goal and all(
            done or not event.required for done, event in zip(self._happened, events, strict=True)
        )
