"""fDBD: distance to the decision boundaries, as seen from the mean of all training features."""

from __future__ import annotations

import torch
from torch import Tensor

from rlbench.suites.ood.detectors.gaussian import feature_mean
from rlbench.suites.ood.splits import Split

TINY = 1e-12
"""In place of a distance of zero: of a feature to the mean, or between two classes' weights."""


class Fdbd:
    """Liu & Qin 2024, with their regularisation by the distance to the mean."""

    needs = frozenset({"logits", "features", "head"})

    def fit(self, train: Split, val: Split) -> None:
        """The mean feature, and the distance between the weights of every two classes."""
        self._mean = feature_mean(train, "Fdbd")
        weight = train.head.weight.double()
        # By differences, not by products, in which that of similar classes would cancel.
        gaps = torch.cdist(weight, weight, compute_mode="donot_use_mm_for_euclid_dist")
        # A class is no boundary of its own: 0 / 1.
        self._gaps = gaps.clamp_min(TINY).fill_diagonal_(1.0)

    def score(self, test: Split) -> Tensor:
        """- mean over c != y of (f_y - f_c) / |w_y - w_c|, over |z - mean|; y is predicted."""
        return test.map(self._score, "logits", "features", "predictions")

    def _score(self, f: Tensor, z: Tensor, predicted: Tensor) -> Tensor:
        f = f.double()
        lead = (f.gather(1, predicted[:, None]) - f) / self._gaps[predicted]
        reach: Tensor = (z.double() - self._mean).square().sum(dim=1).sqrt().clamp_min(TINY)
        return -lead.sum(dim=1) / (f.shape[1] - 1) / reach
