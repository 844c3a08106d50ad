"""Gaussians in feature space: per-class means with one covariance, and distances under it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rlbench.core.errors import RlbenchError
from rlbench.suites.ood.splits import Split

RIDGE = 1e-6
"""Added to the covariance's diagonal, as a share of its mean diagonal entry: a rectified network
has features that are always zero, and they would make it singular."""

Parts = Callable[[], Iterable[tuple[Tensor, ...]]]
"""Reads a set once through, a few rows at a time; see `Split.parts`."""


@dataclass(frozen=True)
class Gaussian:
    """Gaussians that share a covariance, stored whitened."""

    whitening: Tensor
    """L^-1 of the covariance L L^T, float64 [D, D]."""
    means: Tensor
    """Whitened means, float64 [C, D]."""

    def distances(self, z: Tensor) -> Tensor:
        """Squared Mahalanobis distances of features [n, D] to every mean, float64 [n, C].

        One product whitens and one meets all means: O(n D^2 + n C D), never a [n, n] matrix.
        """
        whitened = z.double() @ self.whitening.T
        crossed = whitened @ self.means.T
        squares = whitened.square().sum(dim=1, keepdim=True) + self.means.square().sum(dim=1)
        return squares - 2 * crossed


def fit_tied(labelled: Parts, n_classes: int, who: str) -> Gaussian:
    """One Gaussian a class with the covariance of what is left when class means are taken off.

    Args:
        labelled: reads the training set once through: features [n, D] and classes, int64 [n].
        n_classes: C.
        who: the detector, for error messages.

    Raises:
        RlbenchError: a feature is not finite, or a class has no example.
    """
    means = class_means(labelled(), n_classes, who)
    return _gaussian(lambda: (z.double() - means[y] for z, y in labelled()), means)


def fit_single(train: Split, who: str) -> Gaussian:
    """One Gaussian for all features.

    Raises:
        RlbenchError: a feature is not finite.
    """
    mean = feature_mean(train, who)
    return _gaussian(lambda: (z.double() - mean for (z,) in train.parts("features")), mean[None])


def finite(z: Tensor, who: str) -> Tensor:
    """Features in float64.

    Raises:
        RlbenchError: one is NaN or infinite; names the detector.
    """
    if bad := int((~torch.isfinite(z)).any(dim=1).sum()):
        raise RlbenchError(f"{who}: {bad} of {len(z)} examples have features that are not finite")
    return z.double()


def class_means(labelled: Iterable[tuple[Tensor, ...]], n_classes: int, who: str) -> Tensor:
    """Mean of the features [n, D] of every class over all parts, float64 [C, D].

    Raises:
        RlbenchError: a feature is not finite, or a class has no example.
    """
    sums = counts = torch.zeros(())
    for z, y in labelled:
        own = torch.bincount(y, minlength=n_classes)
        if len(own) > n_classes:
            raise RlbenchError(f"{who}: a label of {len(own) - 1}, expected {n_classes} classes")
        zeros = torch.zeros(n_classes, z.shape[1], dtype=torch.float64, device=z.device)
        sums = zeros.index_add_(0, y, finite(z, who)) + sums.to(zeros)
        counts = own + counts.to(own)
    if (counts == 0).any():
        empty = torch.nonzero(counts == 0).flatten().tolist()
        raise RlbenchError(f"{who}: no training example of class {empty} of {n_classes}")
    return sums / counts[:, None]


def feature_mean(train: Split, who: str) -> Tensor:
    """Mean of all features, float64 [D].

    Raises:
        RlbenchError: a feature is not finite.
    """
    one = (
        (z, torch.zeros(len(z), dtype=torch.int64, device=z.device))
        for (z,) in train.parts("features")
    )
    return class_means(one, 1, who)[0]


def second_moment(centred: Iterable[Tensor]) -> tuple[Tensor, int]:
    """Mean of z z^T over all rows of all parts [n, D], float64 [D, D], and how many rows."""
    total, n = torch.zeros(()), 0
    for z in centred:
        total, n = torch.addmm(total.to(z), z.T, z), n + len(z)
    return total / n, n


def _gaussian(centred: Callable[[], Iterable[Tensor]], means: Tensor) -> Gaussian:
    covariance, n = second_moment(centred())
    if n <= len(covariance):
        # With no more examples than dimensions it has no inverse worth the name.
        covariance = _shrunk(torch.cat(list(centred())))
    scale = covariance.diagonal().mean().clamp_min(torch.finfo(covariance.dtype).tiny)
    eye = torch.eye(len(covariance), dtype=covariance.dtype, device=covariance.device)
    factor = torch.linalg.cholesky(covariance + RIDGE * scale * eye)
    whitening = torch.linalg.solve_triangular(factor, eye, upper=False)
    return Gaussian(whitening, means @ whitening.T)


def _shrunk(centred: Tensor) -> Tensor:
    """Ledoit & Wolf's (2004) shrinkage of the covariance towards a multiple of the identity."""
    from sklearn.covariance import ledoit_wolf

    covariance, _ = ledoit_wolf(centred.cpu().numpy(), assume_centered=True)
    return torch.from_numpy(np.asarray(covariance)).to(centred.device)
