"""A skill's expert as the teachers are, put on the board beside their students."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from rlbench.core.decode import decode
from rlbench.core.errors import UsageError
from rlbench.learn.recurrent import State
from rlbench.suites.skillhack.eyes import Seen
from rlbench.suites.skillhack.interface import Observation
from rlbench.suites.skillhack.learners.interface import (
    Arrays,
    Expert,
    ExpertTraining,
    Rollout,
    Turn,
    World,
    take_turn,
)


class SkillExpert:
    """Implements `interface.Method`; trains nothing but the shared expert."""

    def __init__(self, **params: Any) -> None:
        """Parameters are those of `ExpertTraining`.

        Raises:
            UsageError: one is unknown or out of range.
        """
        self.training = decode(ExpertTraining, params, "expert", error=UsageError)

    def begin(self, world: World) -> Frozen:
        """See `interface.Method.begin`."""
        return Frozen(world.experts([world.task], self.training)[0], world)


class Frozen:
    """Implements `interface.Learner` for a policy that learns no more."""

    unroll = gradient_steps = 0

    def __init__(self, expert: Expert, world: World) -> None:
        self.policy, self._rngs = expert.policy, world.rngs

    def see(self, observation: Observation) -> Seen:
        """See `interface.Learner.see`."""
        return self.policy.see(observation)

    def start(self, n: int) -> State:
        """See `interface.Learner.start`."""
        return self.policy.start(n)

    def act(self, seen: Seen, memory: State) -> Turn:
        """See `interface.Learner.act`."""
        return self.play(seen, memory, self._rngs["actions"])

    def play(self, seen: Seen, memory: State, rng: torch.Generator) -> Turn:
        """See `interface.Learner.play`."""
        return take_turn(self.policy, seen, memory, rng)

    def learn(self, rollout: Rollout) -> Mapping[str, float]:
        """Nothing."""
        return {}

    def state(self) -> Arrays:
        """Nothing changes."""
        return {}

    def restore(self, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Nothing changes."""
