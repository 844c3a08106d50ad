"""Gaussians in feature space: per-class means with one covariance, and distances under it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rlbench.core.errors import RlbenchError

RIDGE = 1e-6
"""Added to the covariance's diagonal, as a share of its mean diagonal entry: a rectified network
has features that are always zero, and they would make it singular."""


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


def fit_tied(z: Tensor, y: Tensor, n_classes: int, who: str) -> Gaussian:
    """One Gaussian a class with the covariance of what is left when class means are taken off.

    Args:
        z: features [N, D].
        y: classes, int64 [N].
        n_classes: C.
        who: the detector, for error messages.

    Raises:
        RlbenchError: a feature is not finite, or a class has no example.
    """
    z = finite(z, who)
    means = class_means(z, y, n_classes, who)
    return _gaussian(z - means[y], means)


def fit_single(z: Tensor, who: str) -> Gaussian:
    """One Gaussian for all features [N, D].

    Raises:
        RlbenchError: a feature is not finite.
    """
    z = finite(z, who)
    mean = z.mean(dim=0, keepdim=True)
    return _gaussian(z - mean, mean)


def finite(z: Tensor, who: str) -> Tensor:
    """Features in float64.

    Raises:
        RlbenchError: one is NaN or infinite; names the detector.
    """
    if bad := int((~torch.isfinite(z)).any(dim=1).sum()):
        raise RlbenchError(f"{who}: {bad} of {len(z)} examples have features that are not finite")
    return z.double()


def class_means(z: Tensor, y: Tensor, n_classes: int, who: str) -> Tensor:
    """Mean of the features [N, D] of every class, [C, D].

    Raises:
        RlbenchError: a class has no example.
    """
    counts = torch.bincount(y, minlength=n_classes)
    if len(counts) > n_classes or (counts == 0).any():
        empty = torch.nonzero(counts == 0).flatten().tolist()
        raise RlbenchError(f"{who}: no training example of class {empty} of {n_classes}")
    sums = torch.zeros(n_classes, z.shape[1], dtype=z.dtype, device=z.device)
    return sums.index_add_(0, y, z) / counts[:, None]


def _gaussian(centred: Tensor, means: Tensor) -> Gaussian:
    n, width = centred.shape
    # With no more examples than dimensions the sample covariance has no inverse worth the name.
    covariance = centred.T @ centred / n if n > width else _shrunk(centred)
    scale = covariance.diagonal().mean().clamp_min(torch.finfo(covariance.dtype).tiny)
    eye = torch.eye(width, dtype=covariance.dtype, device=covariance.device)
    factor = torch.linalg.cholesky(covariance + RIDGE * scale * eye)
    whitening = torch.linalg.solve_triangular(factor, eye, upper=False)
    return Gaussian(whitening, means @ whitening.T)


def _shrunk(centred: Tensor) -> Tensor:
    """Ledoit & Wolf's (2004) shrinkage of the covariance towards a multiple of the identity."""
    from sklearn.covariance import ledoit_wolf

    covariance, _ = ledoit_wolf(centred.cpu().numpy(), assume_centered=True)
    return torch.from_numpy(np.asarray(covariance)).to(centred.device)
