"""n slots of a task as one object: in this process, or dealt out to worker processes.

Both do the same, bit for bit; `make_vector` chooses. The environments keep every action of the open
episodes, because NetHack cannot be saved: a resumed trial plays them again.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from rlbench.core.errors import UsageError
from rlbench.suites.skillhack.compile import level_data
from rlbench.suites.skillhack.interface import ACTIONS, Environments, Observation, Step
from rlbench.suites.skillhack.seeding import Purpose
from rlbench.suites.skillhack.settings import TaskSettings
from rlbench.suites.skillhack.slots import Buffers, Slots, layout, observation, outcome


def make_vector(
    settings: TaskSettings, *, purpose: Purpose, seed: int, n: int, workers: int = 0
) -> Environments:
    """Environments of a task: n slots.

    Args:
        settings: of the task.
        purpose: what the episodes are for; training and evaluation share no level.
        seed: of the trial.
        n: how many are played side by side.
        workers: processes to play in, at most n; 0 plays in this one.

    Raises:
        UsageError: n or workers make no sense.
        SpecError: the level does not compile.
        MissingError: NetHack is not installed.
    """
    if n < 1 or not 0 <= workers <= n:
        raise UsageError(f"n, workers: expected 1 or more, and 0 to n; found {n}, {workers}")
    if workers:
        from rlbench.suites.skillhack.workers import WorkerEnvironments

        return WorkerEnvironments(settings, purpose=purpose, seed=seed, n=n, workers=workers)
    return LocalEnvironments(settings, purpose=purpose, seed=seed, n=n)


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


class Shared:
    """What both kinds of environments have in common: the buffers and who may look at them."""

    def __init__(self, buffers: Buffers) -> None:
        self.n = len(buffers["reward"])
        self._buffers, self._ledger = buffers, Ledger(buffers)
        self._observation, self._outcome = observation(buffers), outcome(buffers)

    @property
    def episodes(self) -> npt.NDArray[np.int64]:
        """See `Environments.episodes`."""
        return self._buffers["episodes"].copy()

    def seeds(self) -> npt.NDArray[np.int64]:
        """NetHack's two seeds of each open episode, [n, 2]."""
        return self._buffers["seeds"].copy()

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """See `Environments.state`."""
        return self._ledger.state()


class LocalEnvironments(Shared):
    """All slots in this process."""

    def __init__(self, settings: TaskSettings, *, purpose: Purpose, seed: int, n: int) -> None:
        """See `make_vector`."""
        shapes = layout(n, settings.max_steps)
        super().__init__({name: np.zeros(*shape) for name, shape in shapes.items()})
        data = level_data(settings)
        self._slots = Slots(
            settings, data, purpose=purpose, seed=seed, first=0, buffers=self._buffers
        )

    def reset(self) -> Observation:
        """See `Environments.reset`."""
        self._ledger.begin()
        self._slots.begin(np.zeros(self.n, np.int64))
        return self._observation

    def step(self, actions: npt.NDArray[Any]) -> Step:
        """See `Environments.step`."""
        self._ledger.take(actions)
        self._slots.step()
        self._ledger.settle()
        return self._outcome

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> Observation:
        """See `Environments.restore`."""
        self._ledger.restore(state)
        self._slots.replay()
        return self._observation

    def close(self) -> None:
        """See `Environments.close`."""
        self._slots.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
