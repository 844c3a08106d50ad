"""Mahalanobis distance to the nearest class, plain and relative to one Gaussian for all classes."""

from __future__ import annotations

import torch
from torch import Tensor

from rlbench.suites.ood.detectors.gaussian import feature_mean, fit_single, fit_tied
from rlbench.suites.ood.splits import Split


class Mahalanobis:
    """Lee et al. 2018, equation 2, on the penultimate features, without input perturbation."""

    needs = frozenset({"features"})

    def fit(self, train: Split, val: Split) -> None:
        """Class means and the tied covariance of ID train."""
        self._classes = fit_tied(
            lambda: train.parts("features", "labels"), train.n_classes, "Mahalanobis"
        )

    def score(self, test: Split) -> Tensor:
        """min_c (z - mu_c)^T Sigma^-1 (z - mu_c)."""
        return test.map(lambda z: self._classes.distances(z).amin(dim=1), "features")


class RelativeMahalanobis:
    """Ren et al. 2021, equation 2: what the classes explain beyond one Gaussian for everything.

    With P and P_0 the precisions of the classes and of everything, x = z - mu_0 and
    m_c = mu_c - mu_0, the score is x^T (P - P_0) x + min_c (m_c^T P m_c - 2 x^T P m_c): one
    product of D by D an example, not two.
    """

    needs = frozenset({"features"})

    def fit(self, train: Split, val: Split) -> None:
        """As Mahalanobis, and the mean and covariance of all of ID train."""
        who = "RelativeMahalanobis"
        classes = fit_tied(lambda: train.parts("features", "labels"), train.n_classes, who)
        background = fit_single(train, who)
        self._mean = feature_mean(train, who)
        whitened = classes.means - classes.whitening @ self._mean
        self._square = (
            classes.whitening.T @ classes.whitening - background.whitening.T @ background.whitening
        )
        self._linear = -2 * classes.whitening.T @ whitened.T
        self._constant = whitened.square().sum(dim=1)

    def score(self, test: Split) -> Tensor:
        """min_c M_c(z) - M_0(z)."""
        return test.map(self._score, "features")

    def _score(self, z: Tensor) -> Tensor:
        x = z.double() - self._mean
        nearest = torch.addmm(self._constant, x, self._linear).amin(dim=1)
        return (x @ self._square * x).sum(dim=1) + nearest
