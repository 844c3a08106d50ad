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
    """Sun et al. 2022: Euclidean distance on features scaled to length one."""

    needs = frozenset({"features"})

    def __init__(self, k: int) -> None:
        self.k = k

    def fit(self, train: Split, val: Split) -> None:
        """Keep all of ID train.

        Raises:
            UsageError: there are fewer than k examples.
        """
        if train.n < self.k:
            raise UsageError(f"Knn: k is {self.k}, but there are {train.n} training examples")
        self._bank = functional.normalize(train.features, eps=1e-12)

    def score(self, test: Split) -> Tensor:
        """|z/|z| - its k-th nearest neighbour|, float64."""
        z = functional.normalize(test.features, eps=1e-12)
        return torch.cat([self._distances(part) for part in z.split(QUERIES)])

    def _distances(self, z: Tensor) -> Tensor:
        """Found by cosine; measured as a difference in float64, where 2 - 2 cos would cancel."""
        nearest = kth_nearest(z, self._bank, self.k)
        return (z.double() - self._bank[nearest].double()).norm(dim=1)


def kth_nearest(z: Tensor, bank: Tensor, k: int) -> Tensor:
    """Index into `bank` [N, D] of the row with the k-th largest product with each of `z` [n, D].

    The k best so far are merged with every chunk of the bank, so no [n, N] matrix is held.
    """
    best: tuple[Tensor, Tensor] | None = None
    for start in range(0, len(bank), BANK):
        products = z @ bank[start : start + BANK].T
        values, index = products.topk(min(k, products.shape[1]), dim=1)
        index = index + start
        if best is not None:
            values = torch.cat([best[0], values], dim=1)
            index = torch.cat([best[1], index], dim=1)
            values, chosen = values.topk(min(k, values.shape[1]), dim=1)
            index = index.gather(1, chosen)
        best = values, index
    if best is None or best[1].shape[1] < k:
        raise ValueError(f"expected at least {k} rows in the bank, found {len(bank)}")
    return best[1][:, k - 1]
