"""NNGuide: the energy, weighed by how near the training examples are in direction."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rlbench.core.errors import UsageError
from rlbench.suites.ood.detectors.neighbours import BLOCK, QUERIES, largest
from rlbench.suites.ood.splits import Split


class NnGuide:
    """Park et al. 2023; the bank is all of ID train."""

    needs = frozenset({"logits", "features"})

    def __init__(self, k: int) -> None:
        self.k = k

    def fit(self, train: Split, val: Split) -> None:
        """All of ID train is the bank.

        Raises:
            UsageError: there are fewer than k examples.
        """
        if train.n < self.k:
            raise UsageError(f"NnGuide: k is {self.k}, but there are {train.n} training examples")
        self._train = train

    def score(self, test: Split) -> Tensor:
        """- lse(f) times the mean of the k largest cosines, each times its example's lse(f)."""
        return test.map(self._score, "logits", "features", rows=QUERIES)

    def _score(self, f: Tensor, z: Tensor) -> Tensor:
        z = functional.normalize(z)
        bank = self._train.parts("logits", "features", rows=BLOCK)
        cosines = (z @ _guide(f_bank, z_bank).T for f_bank, z_bank in bank)
        nearest, _ = largest(cosines, self.k)
        return -nearest.double().mean(dim=1) * torch.logsumexp(f.double(), dim=1)


def _guide(f: Tensor, z: Tensor) -> Tensor:
    """Directions of a part of the bank, each times its energy, [m, D]."""
    return functional.normalize(z) * torch.logsumexp(f, dim=1, keepdim=True)
