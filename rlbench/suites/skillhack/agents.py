"""Agents that learn nothing: chance, and a solver that knows what each level is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rlbench.suites.skillhack.interface import ACTIONS, Observation, Player, Step

if TYPE_CHECKING:
    from rlbench.suites.skillhack.settings import TaskSettings


class Random:
    """Every action with equal chance."""

    def policy(self, settings: TaskSettings, rng: np.random.Generator) -> Player:
        """See `interface.Agent`."""
        return _Dice(rng)


class _Dice:
    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def act(self, observation: Observation, step: Step | None) -> npt.NDArray[np.int64]:
        return self._rng.integers(len(ACTIONS), size=len(observation.glyphs))


class Scripted:
    """Solves each level by hand-written rules; see `scripted`."""

    def policy(self, settings: TaskSettings, rng: np.random.Generator) -> Player:
        """See `interface.Agent`."""
        from rlbench.suites.skillhack.scripted import ScriptedPlayer

        return ScriptedPlayer(settings)
