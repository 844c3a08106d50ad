"""Domain randomisation: random levels, a new one for every episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from rlbench.suites.ued.feedback import Play
from rlbench.suites.ued.interface import Proposal, World

MEAN_EPISODE = 4
"""Levels are drawn for episodes of this many steps on average; with shorter ones, they come round
again."""


class DomainRandomisation:
    """Tobin et al. 2017 (arXiv:1703.06907), as the UED literature uses it."""

    def begin(self, world: World) -> None:
        """See `Curriculum.begin`."""
        self._world = world

    def propose(self) -> Proposal:
        """More levels than episodes."""
        world = self._world
        n = world.environments * max(world.steps // MEAN_EPISODE, 1)
        return Proposal(world.draw(n, world.rng), renew=True)

    def receive(self, proposal: Proposal, plays: Sequence[Play]) -> None:
        """Nothing is learnt from the student."""

    def state(self) -> dict[str, Tensor]:
        """Nothing changes but chance."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """See `state`."""
