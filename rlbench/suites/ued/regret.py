"""How much a student has to learn from a level: estimates of its regret, from one rollout.

Only finished episodes count. A score is averaged over the steps of an episode first, then over
the episodes of an environment; without a finished episode it is minus infinity. Estimates after
Jiang et al. 2021 (arXiv:2110.02439, section 5): MaxMC and positive value loss.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Score = Literal["max-mc", "pvl", "l1-value-loss"]
SCORES: tuple[Score, ...] = ("max-mc", "pvl", "l1-value-loss")


class Episodes:
    """The finished episodes of a rollout."""

    def __init__(self, reward: Tensor, done: Tensor) -> None:
        """Args are float [T, n] and bool [T, n]; every environment begins an episode at step 0."""
        steps, n = done.shape
        number = done.to(torch.int64)
        number = number.cumsum(0) - number
        self.finished = done.sum(0)
        """int64 [n]: how many."""
        counted = number < self.finished
        place = number + steps * torch.arange(n, device=done.device)
        length = torch.zeros(n * steps, device=done.device)
        length = length.index_add(0, place.flatten(), torch.ones_like(length))
        share = 1 / (length[place] * self.finished.clamp(min=1))
        self._weight = torch.where(counted, share, 0.0)
        total = torch.zeros_like(length).index_add(0, place.flatten(), reward.flatten())
        exists = torch.arange(steps, device=done.device) < self.finished[:, None]
        returns = torch.where(exists, total.view(n, steps), 0.0)
        self.mean_return = self._or_nothing(returns.sum(1) / self.finished.clamp(min=1))
        """float [n]: mean undiscounted return, -inf where no episode was finished."""
        best = torch.where(exists, returns, -torch.inf)
        self.max_return = best.max(1).values
        """float [n]: highest undiscounted return, -inf where no episode was finished."""
        self.solved = (exists & (returns > 0)).sum(1)
        """int64 [n]: how many of the finished episodes reached the goal."""

    def mean(self, x: Tensor) -> Tensor:
        """Float [T, n], averaged over steps, then over episodes: float [n], or -inf."""
        return self._or_nothing((x * self._weight).sum(0))

    def _or_nothing(self, x: Tensor) -> Tensor:
        return torch.where(self.finished > 0, x, -torch.inf)


def max_mc(episodes: Episodes, value: Tensor, best: Tensor) -> Tensor:
    """Maximum Monte Carlo: the mean of `best - V(s_t)`.

    Args:
        episodes: of the rollout.
        value: float [T, n].
        best: float [n], the highest return seen on the level, this rollout included.
    """
    return torch.where(episodes.finished > 0, best - episodes.mean(value), -torch.inf)


def positive_value_loss(episodes: Episodes, advantage: Tensor) -> Tensor:
    """The mean of `max(A_t, 0)`, with the generalised advantage estimates float [T, n]."""
    return episodes.mean(advantage.clamp(min=0))


def l1_value_loss(episodes: Episodes, advantage: Tensor) -> Tensor:
    """The mean of `|A_t|` (Jiang et al. 2021, arXiv:2010.03934)."""
    return episodes.mean(advantage.abs())


def return_less_value_loss(episodes: Episodes, advantage: Tensor) -> Tensor:
    """The mean return, less the mean of `|A_t|` over all T steps, at most 1: float [n].

    By its smallest values DCD chooses the levels that ACCEL edits; it calls them easy. The return
    is 0 where no episode was finished.
    """
    reached = torch.where(episodes.finished > 0, episodes.mean_return, 0.0)
    return reached - advantage.abs().mean(0).clamp(max=1)


def relative_regret(antagonist: Episodes, protagonist: Episodes) -> Tensor:
    """PAIRED's regret (Dennis et al. 2020): best return of one minus mean return of the other.

    Clipped at 0, and 0 where either of them finished no episode.
    """
    gap = antagonist.max_return - protagonist.mean_return
    return torch.where(torch.isfinite(gap), gap, 0.0).clamp(min=0)


def population_regret(students: list[Episodes]) -> Tensor:
    """The best student's best return minus the mean of all students' mean returns.

    0 where any of them finished no episode.
    """
    best = torch.stack([student.max_return for student in students]).amax(0)
    gap = best - torch.stack([student.mean_return for student in students]).mean(0)
    return torch.where(torch.isfinite(gap), gap, 0.0)
