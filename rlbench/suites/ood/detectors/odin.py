"""ODIN: a temperature, and a small step of the input towards its predicted class."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rlbench.suites.ood.detectors.logit import log_odds
from rlbench.suites.ood.splits import Split

BATCH = 250
"""Inputs a gradient step; bounds memory."""


class Odin:
    """Liang et al. 2018, equations 1 to 3.

    The step is `magnitude` in units of the raw input (pixels in [0, 1]); as the classifier reads
    normalised inputs, it is divided by their deviation. A zero gradient counts as positive.
    """

    needs = frozenset({"model"})

    def __init__(self, temperature: float, magnitude: float) -> None:
        self.temperature = temperature
        self.magnitude = magnitude

    def fit(self, train: Split, val: Split) -> None:
        """Nothing to learn: both parameters are the recipe's."""

    def score(self, test: Split) -> Tensor:
        """Log-odds of softmax(f(x') / T), which rank like - max softmax."""
        step = self.magnitude / test.input_std
        parts = [self._score(test.model, x, step) for x in torch.split(test.inputs, BATCH)]
        return torch.cat(parts)

    def _score(self, model: torch.nn.Module, x: Tensor, step: Tensor) -> Tensor:
        gradient = confidence_loss_gradient(model, x, self.temperature)
        moved = x - step * torch.where(gradient >= 0, 1.0, -1.0).to(x.dtype)
        with torch.no_grad():
            return log_odds(model(moved).double() / self.temperature)


def confidence_loss_gradient(model: torch.nn.Module, x: Tensor, temperature: float) -> Tensor:
    """Gradient in x of the cross-entropy of f(x) / T with the predicted class, shaped like x."""
    x = x.detach().requires_grad_(True)
    logits = model(x) / temperature
    loss = functional.cross_entropy(logits, logits.argmax(dim=1), reduction="sum")
    (gradient,) = torch.autograd.grad(loss, x)
    return gradient
