"""What a curriculum hears about a rollout."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from rlbench.suites.ued.regret import Episodes, Score, l1_value_loss, max_mc, positive_value_loss
from rlbench.suites.ued.rollout import Rollout


class Play:
    """One student's rollout, and what can be read off it."""

    def __init__(self, rollout: Rollout, advantage: Tensor) -> None:
        """`advantage` is float32 [T, n], the generalised advantage estimates."""
        self.rollout, self.advantage = rollout, advantage

    @cached_property
    def episodes(self) -> Episodes:
        """Returns of the finished episodes, per environment."""
        return Episodes(self.rollout.reward, self.rollout.done)

    def score(self, name: Score, best: Tensor | None = None) -> Tensor:
        """An estimate of the regret on each environment's level, see `regret`: float [n].

        Args:
            name: which estimate.
            best: float [n], the highest return seen before on the level, for `max-mc`.
        """
        if name == "pvl":
            return positive_value_loss(self.episodes, self.advantage)
        if name == "l1-value-loss":
            return l1_value_loss(self.episodes, self.advantage)
        return max_mc(self.episodes, self.rollout.value, self.best(best))

    def best(self, before: Tensor | None) -> Tensor:
        """The highest return on each level, this rollout's and those `before`: float [n]."""
        now = self.episodes.max_return
        return now if before is None else torch.maximum(now, before)


class Tally(NamedTuple):
    """How a student did on some levels."""

    finished: Tensor
    """int64 [n], episodes."""
    solved: Tensor
    """int64 [n], those of them that reached the goal."""
