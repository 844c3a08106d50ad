"""Episodes side by side in one process, with the next one of each slot begun ahead of time.

A slot has two games. While one is played, a helper thread begins the other's next episode: starting
NetHack takes a millisecond, as long as hundreds of its steps, and lets go of Python meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rlbench.suites.skillhack.game import NEEDED, SEEN, new_rows
from rlbench.suites.skillhack.interface import BLSTATS, MAP, MESSAGE, Cause, Observation, Step
from rlbench.suites.skillhack.play import Play, new_play
from rlbench.suites.skillhack.public import PublicPlay
from rlbench.suites.skillhack.seeding import Purpose
from rlbench.suites.skillhack.settings import TaskSettings

Buffers = Mapping[str, npt.NDArray[Any]]

BEGIN, STEP, REPLAY = b"b", b"s", b"r"
"""The orders that `Slots.carry_out` knows."""

SUCCESS = 0.5
"""An episode whose last reward is above this was a success."""


def layout(n: int, max_steps: int) -> dict[str, tuple[tuple[int, ...], Any]]:
    """Shape and type of every array that n slots share with their owner, by name."""
    return {
        "glyphs": ((n, *MAP), np.int16),
        "chars": ((n, *MAP), np.uint8),
        "colors": ((n, *MAP), np.uint8),
        "specials": ((n, *MAP), np.uint8),
        "blstats": ((n, BLSTATS), np.int64),
        "message": ((n, MESSAGE), np.uint8),
        "prompt": ((n, 3), np.bool_),
        "reward": ((n,), np.float32),
        "terminated": ((n,), np.bool_),
        "truncated": ((n,), np.bool_),
        "success": ((n,), np.bool_),
        "cause": ((n,), np.uint8),
        "episodes": ((n,), np.int64),
        "seeds": ((n, 2), np.int64),
        "actions": ((n,), np.int64),
        "lengths": ((n,), np.int64),
        "history": ((n, max_steps), np.uint8),
    }


def observation(buffers: Buffers) -> Observation:
    """The arrays that agents see."""
    return Observation(*(buffers[name] for name in Observation._fields))


def outcome(buffers: Buffers) -> Step:
    """The arrays that a step fills."""
    return Step(observation(buffers), *(buffers[name] for name in Step._fields[1:]))


class Slots:
    """Plays the slots `first` to `first + n` of a trial, and writes into their rows."""

    def __init__(
        self,
        settings: TaskSettings,
        data: Path | None,
        *,
        purpose: Purpose,
        seed: int,
        first: int,
        buffers: Buffers,
    ) -> None:
        """`data` is from `compile.level_data`, `seed` the trial's, `buffers` as in `layout`."""
        n = len(buffers["reward"])
        self._buffers, self._first = buffers, first
        self._seed, self._purpose = seed, purpose
        self._rows = new_rows(2 * n, NEEDED)
        self._plays = [
            new_play(settings, data, {name: self._rows[name][i] for name in NEEDED})
            for i in range(2 * n)
        ]
        self._current = np.arange(0, 2 * n, 2)
        self._helper = ThreadPoolExecutor(1, "next-episodes")
        self._ready: list[Future[None] | None] = [None] * n
        self._orders = {BEGIN: self.begin, STEP: self.step, REPLAY: self.replay}

    def carry_out(self, order: bytes) -> None:
        """Begin, step or replay, as the buffers say."""
        self._orders[order]()

    def begin(self) -> None:
        """Begin the episodes in `episodes`, one in each slot, from their first step."""
        episodes = self._buffers["episodes"].copy()
        for slot, episode in enumerate(episodes.tolist()):
            self._wait(slot)
            self._begin(self._plays[self._current[slot]], slot, episode)
            self._prepare(slot, episode + 1)
        self._show(range(len(episodes)))

    def replay(self) -> None:
        """Begin the episodes in `episodes` and play the first `lengths` actions of `history`."""
        self.begin()
        for slot, length in enumerate(self._buffers["lengths"].tolist()):
            play = self._plays[self._current[slot]]
            for action in self._buffers["history"][slot, :length].tolist():
                play.act(action)
        self._show(())

    def step(self) -> None:
        """Take `actions`; where an episode ends, go on to the next."""
        buffers, over = self._buffers, []
        rewards, causes = [], []
        current = self._current.tolist()
        for slot, action in enumerate(buffers["actions"].tolist()):
            reward, cause = self._plays[current[slot]].act(action)
            rewards.append(reward)
            causes.append(cause)
            if cause is not Cause.RUNNING:
                over.append(slot)
        buffers["reward"][:] = rewards
        buffers["cause"][:] = causes
        cause_row, timeout = buffers["cause"], Cause.TIMEOUT
        np.equal(cause_row, timeout, out=buffers["truncated"])
        np.logical_and(cause_row != 0, cause_row != timeout, out=buffers["terminated"])
        np.logical_and(cause_row != 0, buffers["reward"] > SUCCESS, out=buffers["success"])
        for slot in over:
            self._next(slot)
        self._show(over)

    def close(self) -> None:
        """End all games."""
        self._helper.shutdown(cancel_futures=True)
        for play in self._plays:
            play.close()

    def _next(self, slot: int) -> None:
        self._wait(slot)
        self._current[slot] ^= 1
        self._buffers["episodes"][slot] += 1
        self._prepare(slot, int(self._buffers["episodes"][slot]) + 1)

    def _prepare(self, slot: int, episode: int) -> None:
        spare = self._plays[self._current[slot] ^ 1]
        self._ready[slot] = self._helper.submit(self._begin, spare, slot, episode)

    def _begin(self, play: Play | PublicPlay, slot: int, episode: int) -> None:
        play.begin(self._seed, self._purpose, self._first + slot, episode)

    def _wait(self, slot: int) -> None:
        ready = self._ready[slot]
        if ready is not None:
            ready.result()

    def _show(self, fresh: Iterable[int]) -> None:
        """Write what the games show, and the seeds of those slots whose episode is new."""
        for name in SEEN:
            rows, shown = self._rows[name], self._buffers[name]
            np.take(rows, self._current, axis=0, out=shown, mode="clip")
        np.not_equal(self._rows["internal"][self._current, 1:4], 0, out=self._buffers["prompt"])
        for slot in fresh:
            self._buffers["seeds"][slot] = self._plays[self._current[slot]].seed
