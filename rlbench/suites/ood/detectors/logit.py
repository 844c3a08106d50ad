"""Detectors that read the logits only: MSP, MaxLogit, Energy, GEN."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rlbench.suites.ood.splits import Head, Split


def log_odds(logits: Tensor) -> Tensor:
    """Log-odds against the predicted class, float64 [n]: lse of the other logits minus the largest.

    It equals logit(1 - max softmax), so it ranks exactly like the softmax probability; but that
    probability rounds to 1 for a confident classifier, and the ties would flatten every metric.
    """
    top, index = logits.double().max(dim=1, keepdim=True)
    others = logits.double().scatter(1, index, -torch.inf)
    return torch.logsumexp(others, dim=1) - top[:, 0]


def energy(head: Head, z: Tensor) -> Tensor:
    """Free energy - log sum_c exp(w_c . z + b_c) of features [n, D] under a last layer, [n]."""
    return -torch.logsumexp(torch.addmm(head.bias, z, head.weight.T).double(), dim=1)


class Msp:
    """Maximum softmax probability (Hendrycks & Gimpel 2017), as log-odds."""

    needs = frozenset({"logits"})

    def fit(self, train: Split, val: Split) -> None:
        """Nothing to learn."""

    def score(self, test: Split) -> Tensor:
        """See `log_odds`."""
        return test.map(log_odds, "logits")


class MaxLogit:
    """The negative of the largest logit (Hendrycks et al. 2022)."""

    needs = frozenset({"logits"})

    def fit(self, train: Split, val: Split) -> None:
        """Nothing to learn."""

    def score(self, test: Split) -> Tensor:
        """- max_c f_c."""
        return test.map(lambda f: -f.amax(dim=1), "logits")


class Energy:
    """Free energy at temperature T (Liu et al. 2020, equation 4)."""

    needs = frozenset({"logits"})

    def __init__(self, temperature: float) -> None:
        self.temperature = temperature

    def fit(self, train: Split, val: Split) -> None:
        """Nothing to learn."""

    def score(self, test: Split) -> Tensor:
        """- T log sum_c exp(f_c / T)."""
        return test.map(self._score, "logits")

    def _score(self, f: Tensor) -> Tensor:
        return -self.temperature * torch.logsumexp(f.double() / self.temperature, dim=1)


class Gen:
    """Generalised entropy (Liu et al. 2023) of the `top` largest probabilities."""

    needs = frozenset({"logits"})

    def __init__(self, gamma: float, top: int) -> None:
        self.gamma = gamma
        self.top = top

    def fit(self, train: Split, val: Split) -> None:
        """Nothing to learn."""

    def score(self, test: Split) -> Tensor:
        """Sum of p^gamma (1 - p)^gamma over the largest probabilities."""
        return test.map(self._score, "logits")

    def _score(self, f: Tensor) -> Tensor:
        log_p = functional.log_softmax(f.double(), dim=1).sort(dim=1, descending=True).values
        log_rest = torch.log1p(-log_p.exp())
        # 1 - p of a confident prediction rounds to 0; the other probabilities still add up to it.
        log_rest[:, 0] = torch.logsumexp(log_p[:, 1:], dim=1)
        return (self.gamma * (log_p + log_rest)[:, : self.top]).exp().sum(dim=1)
