"""Mahalanobis distances at every stage of the network, joined by weights learnt from OOD images."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from rlbench.suites.ood.detectors.combined import logistic_weights
from rlbench.suites.ood.detectors.gaussian import Gaussian, fit_tied
from rlbench.suites.ood.splits import Split

BATCH = 250
"""Inputs a gradient step; bounds memory."""


class MahalanobisEnsemble:
    """Lee et al. 2018, algorithm 1, on the spatial means of every stage's maps.

    Before it is measured at a stage, the input takes a step of `magnitude` (in units of the raw
    input) towards the class that is nearest there.
    """

    needs = frozenset({"maps", "model", "val_ood"})

    def __init__(self, magnitude: float) -> None:
        self.magnitude = magnitude

    def fit(self, train: Split, val: Split) -> None:
        """Gaussians of every stage on ID train, weights on ID against OOD validation."""
        pooled = [pool(maps) for (maps,) in train.parts("maps")]
        who = "MahalanobisEnsemble"
        self._stages = [
            fit_tied(partial(_once, torch.cat(stage), train.labels), train.n_classes, who)
            for stage in zip(*pooled, strict=True)
        ]
        self.weights = logistic_weights(self._distances(val), self._distances(val.ood))

    def score(self, test: Split) -> Tensor:
        """Sum over stages of weight times the distance to the nearest class, float64."""
        return self._distances(test) @ self.weights

    def _distances(self, test: Split) -> Tensor:
        """Distances to the nearest class at every stage, [n, stages]."""
        step = self.magnitude / test.input_std
        parts = test.parts("inputs", rows=BATCH)
        return torch.cat([self._batch(test.maps_of, x, step) for (x,) in parts])

    def _batch(self, maps_of: Callable[[Tensor], list[Tensor]], x: Tensor, step: Tensor) -> Tensor:
        x = x.detach().requires_grad_(True)
        with torch.enable_grad():
            before = pool(maps_of(x))
            near = [_nearest(g, z).sum() for g, z in zip(self._stages, before, strict=True)]
            slopes = [torch.autograd.grad(d, x, retain_graph=True)[0] for d in near]
        columns = []
        with torch.no_grad():
            for i, (stage, slope) in enumerate(zip(self._stages, slopes, strict=True)):
                moved = x - step * slope.sign()
                columns.append(_nearest(stage, pool(maps_of(moved))[i]))
        return torch.stack(columns, dim=1)


def pool(maps: list[Tensor]) -> list[Tensor]:
    """Spatial means of each stage's maps, [n, channels] each."""
    return [stage.mean(dim=(2, 3)) for stage in maps]


def _nearest(stage: Gaussian, z: Tensor) -> Tensor:
    return stage.distances(z).amin(dim=1)


def _once(z: Tensor, y: Tensor) -> list[tuple[Tensor, ...]]:
    return [(z, y)]
