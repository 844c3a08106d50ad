"""IMPALA (Espeholt et al. 2018, arXiv:1802.01561), as SkillHack's `baseline`."""

from __future__ import annotations

from typing import Any

from rlbench.core.decode import decode
from rlbench.core.errors import UsageError
from rlbench.suites.skillhack.learners.interface import World
from rlbench.suites.skillhack.learners.offpolicy import ImpalaParams, VtraceLearner
from rlbench.suites.skillhack.network import Policy


class Impala:
    """Implements `interface.Method`."""

    def __init__(self, **params: Any) -> None:
        """Parameters are those of `ImpalaParams`.

        Raises:
            UsageError: one is unknown or out of range.
        """
        self.params = decode(ImpalaParams, params, "impala", error=UsageError)

    def begin(self, world: World) -> VtraceLearner:
        """See `interface.Method.begin`."""
        policy = Policy(world.network, world.n_actions, memory=self.params.memory)
        return VtraceLearner(policy, self.params, world)
