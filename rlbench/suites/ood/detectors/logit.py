"""Detectors that read the logits only: MSP, MaxLogit, Energy."""

from __future__ import annotations

import torch
from torch import Tensor

from rlbench.suites.ood.splits import Split


def log_odds(logits: Tensor) -> Tensor:
    """Log-odds against the predicted class, float64 [n]: lse of the other logits minus the largest.

    It equals logit(1 - max softmax), so it ranks exactly like the softmax probability; but that
    probability rounds to 1 for a confident classifier, and the ties would flatten every metric.
    """
    top, index = logits.double().max(dim=1, keepdim=True)
    others = logits.double().scatter(1, index, -torch.inf)
    return torch.logsumexp(others, dim=1) - top[:, 0]


class Msp:
    """Maximum softmax probability (Hendrycks & Gimpel 2017), as log-odds."""

    needs = frozenset({"logits"})

    def fit(self, train: Split, val: Split) -> None:
        """Nothing to learn."""

    def score(self, test: Split) -> Tensor:
        """See `log_odds`."""
        return log_odds(test.logits)


class MaxLogit:
    """The negative of the largest logit (Hendrycks et al. 2022)."""

    needs = frozenset({"logits"})

    def fit(self, train: Split, val: Split) -> None:
        """Nothing to learn."""

    def score(self, test: Split) -> Tensor:
        """- max_c f_c."""
        return -test.logits.amax(dim=1)


class Energy:
    """Free energy at temperature T (Liu et al. 2020, equation 4)."""

    needs = frozenset({"logits"})

    def __init__(self, temperature: float) -> None:
        self.temperature = temperature

    def fit(self, train: Split, val: Split) -> None:
        """Nothing to learn."""

    def score(self, test: Split) -> Tensor:
        """- T log sum_c exp(f_c / T)."""
        scaled = test.logits.double() / self.temperature
        return -self.temperature * torch.logsumexp(scaled, dim=1)
