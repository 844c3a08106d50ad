"""Gram matrices: channel correlations outside the range that the predicted class has shown."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from rlbench.core.errors import RlbenchError
from rlbench.suites.ood.splits import Split

MARGIN = 1e-6
"""Added to a bound before it divides a deviation, as a bound can be zero."""


class Gram:
    """Sastry & Oore 2020, with row sums of the Gram matrices in place of all their entries.

    `powers` is the highest order p of a Gram matrix; orders 1 to p of every stage are used.
    """

    needs = frozenset({"logits", "maps"})

    def __init__(self, powers: int) -> None:
        self.powers = powers

    def fit(self, train: Split, val: Split) -> None:
        """Each class's bounds on ID train, and each stage's mean deviation on ID validation.

        Raises:
            RlbenchError: a class has no training example.
        """
        counts = torch.zeros(train.n_classes, dtype=torch.int64)
        self._low: list[Tensor] = []
        self._high: list[Tensor] = []
        for maps, y in train.parts("maps", "labels"):
            self._widen(self._rows(maps), y, train.n_classes)
            counts += torch.bincount(y, minlength=train.n_classes).cpu()
        if (counts == 0).any():
            empty = torch.nonzero(counts == 0).flatten().tolist()
            raise RlbenchError(f"Gram: no training example of class {empty} of {train.n_classes}")
        # Deviations are summed over stages, each in units of what is usual for it.
        usual = val.map(self._deviations, "maps", "predictions").mean(dim=0)
        self._usual = usual.where(usual > 0, 1.0)

    def score(self, test: Split) -> Tensor:
        """Sum over stages of the deviation from the predicted class's bounds, float64."""
        return (test.map(self._deviations, "maps", "predictions") / self._usual).sum(dim=1)

    def _rows(self, maps: Iterable[Tensor]) -> list[Tensor]:
        return [gram_rows(stage, self.powers) for stage in maps]

    def _widen(self, stages: list[Tensor], y: Tensor, n_classes: int) -> None:
        if not self._low:
            bounds = [g.new_full((n_classes, g.shape[1]), torch.inf) for g in stages]
            self._low, self._high = bounds, [-bound for bound in bounds]
        for low, high, g in zip(self._low, self._high, stages, strict=True):
            index = y[:, None].expand_as(g)
            low.scatter_reduce_(0, index, g, "amin")
            high.scatter_reduce_(0, index, g, "amax")

    def _deviations(self, maps: list[Tensor], y: Tensor) -> Tensor:
        """Per example and stage, [n, stages]."""
        columns = []
        for low, high, g in zip(self._low, self._high, self._rows(maps), strict=True):
            below = (low[y] - g).relu() / (low[y] + MARGIN).abs()
            above = (g - high[y]).relu() / (high[y] + MARGIN).abs()
            columns.append((below + above).sum(dim=1))
        return torch.stack(columns, dim=1)


def gram_rows(maps: Tensor, powers: int) -> Tensor:
    """Row sums of the Gram matrices of orders 1 to `powers`, float64 [n, powers * channels].

    The p-th is G_p = F^p (F^p)^T of the maps F [channels, h w], powers taken entry by entry, then
    the p-th root. The sum over a row is F^p times the sum of all channels' F^p, so that no matrix
    is formed: O(channels h w) instead of O(channels^2 h w) an example.
    """
    flat = maps.flatten(start_dim=2)
    power, rows = flat, []
    for p in range(1, powers + 1):
        sums = (power @ power.sum(dim=1)[:, :, None])[:, :, 0].double()
        rows.append(sums.sign() * sums.abs() ** (1 / p))
        power = power * flat
    return torch.cat(rows, dim=1)
