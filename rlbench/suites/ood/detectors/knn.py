"""Distance to the k-th nearest training example."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rlbench.core.errors import UsageError
from rlbench.suites.ood.splits import Split

QUERIES = 1000
BANK = 8192
"""Chunk sizes: memory stays below 40 MB whatever the bank."""


class Knn:
    """Sun et al. 2022: Euclidean distance, after features are scaled to length one if `unit`."""

    needs = frozenset({"features"})

    def __init__(self, k: int, unit: bool) -> None:
        self.k = k
        self.unit = unit

    def fit(self, train: Split, val: Split) -> None:
        """Keep all of ID train.

        Raises:
            UsageError: there are fewer than k examples.
        """
        if train.n < self.k:
            raise UsageError(f"Knn: k is {self.k}, but there are {train.n} training examples")
        self._bank = self._scaled(train.features)

    def score(self, test: Split) -> Tensor:
        """|z - its k-th nearest neighbour|, float64."""
        z = self._scaled(test.features)
        return torch.cat([self._distances(part) for part in torch.split(z, QUERIES)])

    def _scaled(self, z: Tensor) -> Tensor:
        return functional.normalize(z, eps=1e-12) if self.unit else z

    def _distances(self, z: Tensor) -> Tensor:
        """Found by products, in which a small distance would cancel; so it is taken anew."""
        nearest = kth_nearest(z, self._bank, self.k)
        gap: Tensor = z.double() - self._bank[nearest].double()
        return gap.square().sum(dim=1).sqrt()


def kth_nearest(z: Tensor, bank: Tensor, k: int) -> Tensor:
    """Index into `bank` [N, D] of the k-th nearest row of each of `z` [n, D], by Euclid.

    The k best so far are merged with every chunk of the bank, so no [n, N] matrix is held.
    """
    half = bank.square().sum(dim=1) / 2
    values, index = z.new_empty(len(z), 0), torch.empty(len(z), 0, dtype=torch.int64).to(z.device)
    for start in range(0, len(bank), BANK):
        # |z|^2 / 2 is left out of the squared distance, as it ranks nothing.
        near = torch.addmm(half[start : start + BANK], z, bank[start : start + BANK].T, beta=-1)
        found, place = near.topk(min(k, near.shape[1]), dim=1)
        values = torch.cat([values, found], dim=1)
        index = torch.cat([index, place + start], dim=1)
        values, chosen = values.topk(min(k, values.shape[1]), dim=1)
        index = index.gather(1, chosen)
    return index[:, k - 1]
