"""Distance to the k-th nearest training example."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from rlbench.core.errors import UsageError
from rlbench.suites.ood.detectors.neighbours import BLOCK, QUERIES, largest
from rlbench.suites.ood.splits import Split


class Knn:
    """Sun et al. 2022: Euclidean distance, after features are scaled to length one if `unit`."""

    needs = frozenset({"features"})

    def __init__(self, k: int, unit: bool) -> None:
        self.k = k
        self.unit = unit

    def fit(self, train: Split, val: Split) -> None:
        """All of ID train is the bank.

        Raises:
            UsageError: there are fewer than k examples.
        """
        if train.n < self.k:
            raise UsageError(f"Knn: k is {self.k}, but there are {train.n} training examples")
        self._train = train

    def score(self, test: Split) -> Tensor:
        """|z - its k-th nearest neighbour|, float64."""
        return test.map(self._distances, "features", rows=QUERIES)

    def _scaled(self, z: Tensor) -> Tensor:
        return functional.normalize(z, eps=1e-12) if self.unit else z

    def _bank(self) -> Iterator[Tensor]:
        return (self._scaled(z) for (z,) in self._train.parts("features", rows=BLOCK))

    def _distances(self, z: Tensor) -> Tensor:
        """Found by products, in which a small distance would cancel; so it is taken anew."""
        z = self._scaled(z)
        # The larger z . b - |b|^2 / 2, the nearer is b.
        near = (torch.addmm(b.square().sum(dim=1) / 2, z, b.T, beta=-1) for b in self._bank())
        nearest = largest(near, self.k)[1][:, -1]
        squares, start = z.new_empty(len(z), dtype=torch.float64), 0
        for block in self._bank():
            here = (nearest >= start) & (nearest < start + len(block))
            gap = z[here].double() - block[nearest[here] - start].double()
            squares[here] = gap.square().sum(dim=1)
            start += len(block)
        return squares.sqrt()
