"""Fixed policies that bound what a student can do from below and above; nothing is trained."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rlbench.suites.ued.maze import N_ACTIONS, Maze, State
from rlbench.suites.ued.pool import Pool
from rlbench.suites.ued.solver import ShortestPath


class Random:
    """Every action with equal chance."""

    def policy(self, maze: Maze, pool: Pool, rng: torch.Generator) -> Callable[[State], Tensor]:
        """See `interface.Agent`."""

        def act(state: State) -> Tensor:
            return torch.randint(N_ACTIONS, state.cell.shape, generator=rng, device=rng.device)

        return act


class Oracle:
    """A shortest path, from the whole map: the ceiling of every student."""

    def policy(self, maze: Maze, pool: Pool, rng: torch.Generator) -> Callable[[State], Tensor]:
        """See `interface.Agent`."""
        return ShortestPath(pool)
