"""POD: mean squared distance to a few exemplars of the nearest class."""

from __future__ import annotations

import torch
from torch import Tensor

from rlbench.suites.ood.detectors.gaussian import class_means, finite
from rlbench.suites.ood.splits import Split


class Pod:
    """Pairwise OOD detection (Tajwar et al. 2021) on the classifier's own features.

    With the squared Euclidean distance the mean over exemplars p_i has a closed form,
    |z - mean_i p_i|^2 + mean_i |p_i - mean p|^2, so C prototypes stand in for all exemplars.
    """

    needs = frozenset({"features"})

    def __init__(self, exemplars: int) -> None:
        self.exemplars = exemplars

    def fit(self, train: Split, val: Split) -> None:
        """Keep the first exemplars of every class, in the order of ID train."""
        y = train.labels
        chosen = torch.cat(
            [torch.nonzero(y == c).flatten()[: self.exemplars] for c in range(train.n_classes)]
        )
        z, y = finite(train.features[chosen], "Pod"), y[chosen]
        self._prototypes = class_means(z, y, train.n_classes, "Pod")
        off = (z - self._prototypes[y]).square().sum(dim=1, keepdim=True)
        self._spreads = class_means(off, y, train.n_classes, "Pod")[:, 0]

    def score(self, test: Split) -> Tensor:
        """min_c mean_i |z - p_ci|^2, float64."""
        z = test.features.double()
        squares = z.square().sum(dim=1, keepdim=True) + self._prototypes.square().sum(dim=1)
        return (squares - 2 * z @ self._prototypes.T + self._spreads).amin(dim=1)
