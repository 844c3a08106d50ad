"""Sampling for learnability: levels that the student solves sometimes, neither never nor always.

Rutherford et al. 2024 (arXiv:2408.15099): with p the student's solve rate, a level's learnability
is p (1 - p). Every so often many random levels are tried out; the most learnable ones make up
part of each training batch until the next time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rlbench.suites.ued.feedback import Play, Tally
from rlbench.suites.ued.interface import Proposal, World
from rlbench.suites.ued.levels import Levels, join


class Learnability:
    """SFL."""

    def __init__(
        self,
        *,
        refresh: int = 100,
        batches: int = 5,
        batch: int = 5000,
        probe_steps: int = 2000,
        keep: int = 1000,
        share: float = 0.5,
    ) -> None:
        """Args are the method's hyperparameters.

        Args:
            refresh: rollouts between two searches.
            batches: batches of random levels per search.
            batch: levels in each.
            probe_steps: steps for which each level is tried out.
            keep: learnable levels kept.
            share: part of the environments that plays them; the rest plays random levels.

        Raises:
            ValueError: a number out of range.
        """
        if min(refresh, batches, batch, probe_steps, keep) < 1 or keep > batch * batches:
            raise ValueError(
                "expected refresh, batches, batch, probe_steps and keep from 1,"
                f" and keep at most {batch * batches}; found keep {keep}"
            )
        if not 0 <= share <= 1:
            raise ValueError(f"share: expected 0 to 1, found {share}")
        self.refresh, self.batches, self.batch = refresh, batches, batch
        self.probe_steps, self.keep, self.share = probe_steps, keep, share

    def begin(self, world: World) -> None:
        """See `Curriculum.begin`."""
        self._world, self._rollouts = world, 0
        self._known: Levels | None = None

    def propose(self) -> Proposal:
        """Learnable levels and random ones."""
        world = self._world
        if self._known is None or self._rollouts % self.refresh == 0:
            self._known = self._search()
        self._rollouts += 1
        n = round(world.environments * self.share)
        place = torch.randint(self.keep, (n,), generator=world.rng, device=world.rng.device)
        fresh = world.draw(world.environments - n, world.rng)
        return Proposal(join([self._known[place], fresh]))

    def receive(self, proposal: Proposal, plays: Sequence[Play]) -> None:
        """Learnability is not read off the training rollouts."""

    def _search(self) -> Levels:
        """The most learnable of many random levels, best first."""
        world = self._world
        levels = [world.draw(self.batch, world.rng) for _ in range(self.batches)]
        scores = [learnability(world.probe(part, self.probe_steps)) for part in levels]
        best = torch.cat(scores).sort(descending=True, stable=True).indices[: self.keep]
        return join(levels)[best]

    def hardest(self, n: int) -> Levels:
        """The levels that were most learnable at the last search."""
        return self._known[:n] if self._known is not None else self._search()[:n]

    def state(self) -> dict[str, Tensor]:
        """See `Resumable.state`."""
        kept = {"rollouts": torch.tensor(self._rollouts)}
        if self._known is not None:
            known = self._known
            kept |= {
                "walls": known.walls, "agent": known.agent,
                "direction": known.direction, "goal": known.goal,
            }  # fmt: skip
        return kept

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """See `Resumable.restore`."""
        self._rollouts = int(state["rollouts"])
        if "walls" in state:
            names = ("walls", "agent", "direction", "goal")
            self._known = Levels(*(state[name] for name in names))


def learnability(tally: Tally) -> Tensor:
    """P (1 - p) with p the share of finished episodes that were solved: float [n]."""
    rate = tally.solved / tally.finished.clamp(min=1)
    return rate * (1 - rate)
