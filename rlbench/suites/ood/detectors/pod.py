"""POD: mean squared distance to a few exemplars of the nearest class."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rlbench.suites.ood.detectors.gaussian import class_means
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
        z, y = first_exemplars(train, self.exemplars)
        self._prototypes = class_means([(z, y)], train.n_classes, "Pod")
        off = (z.double() - self._prototypes[y]).square().sum(dim=1, keepdim=True)
        self._spreads = class_means([(off, y)], train.n_classes, "Pod")[:, 0]

    def score(self, test: Split) -> Tensor:
        """min_c mean_i |z - p_ci|^2, float64."""
        return test.map(self._score, "features")

    def _score(self, z: Tensor) -> Tensor:
        z = z.double()
        squares = z.square().sum(dim=1, keepdim=True) + self._prototypes.square().sum(dim=1)
        return (squares - 2 * z @ self._prototypes.T + self._spreads).amin(dim=1)


def first_exemplars(train: Split, count: int) -> tuple[Tensor, Tensor]:
    """Features and classes of the first `count` examples of each class."""
    chosen, classes = [], []
    left = torch.full((train.n_classes,), count, device=train.labels.device)
    for z, y in train.parts("features", "labels"):
        # How many of its own class stand before each example of this part.
        same = functional.one_hot(y, train.n_classes)
        rank = (same.cumsum(dim=0) - same).gather(1, y[:, None])[:, 0]
        keep = rank < left[y]
        left = left - same[keep].sum(dim=0)
        if keep.any():  # what is kept of a part, were it nothing, would pin the part's memory
            chosen.append(z[keep])
            classes.append(y[keep])
    return torch.cat(chosen), torch.cat(classes)
