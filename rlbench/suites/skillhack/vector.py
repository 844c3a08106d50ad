"""n slots of a task as one object: played in this process, or dealt out to worker processes.

Both do the same, bit for bit. The environments keep every action of the open episodes, because
NetHack cannot be saved: a resumed trial plays them again.

NetHack loses about two kilobytes with every game that it begins: its windows are never freed. Who
has begun many is therefore replaced, by a new worker process that plays the open episodes again, so
that memory stays where it is.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import asdict
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from rlbench.core.errors import UsageError
from rlbench.suites.skillhack.compile import level_data
from rlbench.suites.skillhack.interface import ACTIONS, Environments, Observation, Step
from rlbench.suites.skillhack.seeding import Purpose
from rlbench.suites.skillhack.settings import TaskSettings
from rlbench.suites.skillhack.slots import (
    BEGIN,
    REPLAY,
    STEP,
    Buffers,
    Slots,
    observation,
    outcome,
)
from rlbench.suites.skillhack.workers import Worker, shared_arrays, shared_size

RENEW_AFTER = 20_000
"""Games after which who began them is replaced: some 40 MB are lost."""
_BEGUN_BY_RESET = 2
"""Games that a slot begins when it is reset: the one to be played and the next."""


def make_vector(
    settings: TaskSettings, *, purpose: Purpose, seed: int, n: int, workers: int = 0
) -> Environments:
    """Environments of a task: n slots.

    Args:
        settings: of the task.
        purpose: what the episodes are for; training and evaluation share no level.
        seed: of the trial.
        n: how many are played side by side.
        workers: processes to play in, at most n; 0 plays in this one at first.

    Raises:
        UsageError: n or workers make no sense.
        SpecError: the level does not compile.
        MissingError: NetHack is not installed.
    """
    if n < 1 or not 0 <= workers <= n:
        raise UsageError(f"n, workers: expected 1 or more, and 0 to n; found {n}, {workers}")
    return VectorEnvironments(settings, purpose=purpose, seed=seed, n=n, workers=workers)


class Ledger:
    """Keeps the actions of the open episodes, in the buffers of `slots.layout`."""

    def __init__(self, buffers: Buffers) -> None:
        self._buffers = buffers
        self._slots = np.arange(len(buffers["reward"]))

    def begin(self) -> None:
        """All episodes are new."""
        self._buffers["lengths"][:] = 0

    def take(self, actions: npt.ArrayLike) -> None:
        """Write the actions down, before the step.

        Raises:
            UsageError: they are not one index of an action for each slot.
        """
        chosen = np.asarray(actions)
        if chosen.shape != self._slots.shape or chosen.dtype.kind not in "iu":
            raise UsageError(
                f"actions: expected {len(self._slots)} integers,"
                f" found {list(chosen.shape)} of {chosen.dtype}"
            )
        if chosen.min() < 0 or chosen.max() >= len(ACTIONS):
            raise UsageError(f"actions: expected 0 to {len(ACTIONS) - 1}, found {chosen.tolist()}")
        buffers = self._buffers
        buffers["actions"][:] = chosen
        buffers["history"][self._slots, buffers["lengths"]] = chosen
        buffers["lengths"] += 1

    def settle(self) -> None:
        """After the step: what is over needs not be played again."""
        self._buffers["lengths"][self._buffers["cause"] != 0] = 0

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """See `Environments.state`."""
        buffers = self._buffers
        lengths = buffers["lengths"]
        told = np.arange(buffers["history"].shape[1]) < lengths[:, None]
        return {
            "episodes": buffers["episodes"].copy(),
            "lengths": lengths.copy(),
            "actions": buffers["history"][told],
        }

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Put `state` into the buffers, for a replay."""
        buffers = self._buffers
        buffers["episodes"][:], buffers["lengths"][:] = state["episodes"], state["lengths"]
        told = np.arange(buffers["history"].shape[1]) < state["lengths"][:, None]
        buffers["history"][told] = state["actions"]


class InProcess:
    """Plays all slots at once in the process that asks; otherwise like a `Worker`."""

    def __init__(self, played: Slots, n: int) -> None:
        self.slots, self._played = slice(0, n), played

    def order(self, what: bytes) -> None:
        """Carry it out."""
        self._played.carry_out(what)

    def wait(self) -> None:
        """It is carried out already."""

    def close(self) -> None:
        """End all games."""
        self._played.close()


class VectorEnvironments:
    """Implements `interface.Environments`."""

    def __init__(
        self, settings: TaskSettings, *, purpose: Purpose, seed: int, n: int, workers: int
    ) -> None:
        """See `make_vector`."""
        data = level_data(settings)
        self.n = n
        self._memory = os.memfd_create("rlbench-slots")
        os.ftruncate(self._memory, shared_size(n, settings.max_steps))
        buffers = shared_arrays(mmap.mmap(self._memory, 0), n, settings.max_steps)
        self._buffers, self._ledger = buffers, Ledger(buffers)
        self._observation, self._outcome = observation(buffers), outcome(buffers)
        self._config = {
            "settings": asdict(settings),
            "data": None if data is None else os.fspath(data),
            "purpose": purpose,
            "seed": seed,
            "n": n,
            "memory": self._memory,
        }
        self.players: list[InProcess | Worker] = []
        if workers:
            bounds = [n * i // workers for i in range(workers + 1)]
            self.players += [self._worker(slice(*pair)) for pair in pairwise(bounds)]
        else:
            slots = Slots(settings, data, purpose=purpose, seed=seed, first=0, buffers=buffers)
            self.players.append(InProcess(slots, n))
        self._begun = np.zeros(len(self.players), np.int64)

    @property
    def episodes(self) -> npt.NDArray[np.int64]:
        """See `Environments.episodes`."""
        return self._buffers["episodes"].copy()

    def seeds(self) -> npt.NDArray[np.int64]:
        """NetHack's two seeds of each open episode, [n, 2]."""
        return self._buffers["seeds"].copy()

    def reset(self) -> Observation:
        """See `Environments.reset`."""
        self._ledger.begin()
        self._buffers["episodes"][:] = 0
        self._all(BEGIN)
        self._renew(np.full(self.n, _BEGUN_BY_RESET))
        return self._observation

    def step(self, actions: npt.NDArray[Any]) -> Step:
        """See `Environments.step`."""
        self._ledger.take(actions)
        self._all(STEP)
        self._ledger.settle()
        self._renew(self._buffers["cause"] != 0)
        return self._outcome

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """See `Environments.state`."""
        return self._ledger.state()

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> Observation:
        """See `Environments.restore`."""
        self._ledger.restore(state)
        self._all(REPLAY)
        return self._observation

    def close(self) -> None:
        """See `Environments.close`."""
        for player in self.players:
            player.close()
        if self.players:
            os.close(self._memory)
        self.players = []

    def _renew(self, begun: npt.NDArray[Any]) -> None:
        """Replace the players that have begun too many games; `begun` counts the latest, [n]."""
        self._begun += [int(begun[player.slots].sum()) for player in self.players]
        for i in (self._begun >= RENEW_AFTER).nonzero()[0].tolist():
            slots = self.players[i].slots
            self.players[i].close()
            self.players[i] = self._worker(slots)
            self.players[i].order(REPLAY)
            self.players[i].wait()
            self._begun[i] = 0

    def _worker(self, slots: slice) -> Worker:
        return Worker(
            {**self._config, "first": slots.start, "count": slots.stop - slots.start}, self._memory
        )

    def _all(self, what: bytes) -> None:
        for player in self.players:
            player.order(what)
        for player in self.players:
            player.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
