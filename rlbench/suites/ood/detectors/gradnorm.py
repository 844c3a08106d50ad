"""GradNorm: how far one example would pull the last layer towards the uniform distribution."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rlbench.suites.ood.splits import Split


class GradNorm:
    """Huang et al. 2021, on the last layer's weights.

    The gradient of sum_c - log p_c in them is the outer product of (C p - 1) and z, up to 1 / T,
    so that its L1 norm is the product of theirs: no backward pass is run.
    """

    needs = frozenset({"logits", "features"})

    def __init__(self, temperature: float) -> None:
        self.temperature = temperature

    def fit(self, train: Split, val: Split) -> None:
        """Nothing to learn."""

    def score(self, test: Split) -> Tensor:
        """- sum_c |C p_c - 1| sum_d |z_d| / T; a large gradient speaks for ID."""
        return test.map(self._score, "logits", "features")

    def _score(self, f: Tensor, z: Tensor) -> Tensor:
        p = functional.softmax(f.double() / self.temperature, dim=1)
        pull = (f.shape[1] * p - 1).abs().sum(dim=1)
        return -pull * z.abs().sum(dim=1, dtype=torch.float64) / self.temperature
