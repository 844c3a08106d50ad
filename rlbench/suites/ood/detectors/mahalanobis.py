"""Mahalanobis distance to the nearest class, plain and relative to one Gaussian for all classes."""

from __future__ import annotations

from torch import Tensor

from rlbench.suites.ood.detectors.gaussian import fit_single, fit_tied
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
    """Ren et al. 2021, equation 2: what the classes explain beyond one Gaussian for everything."""

    needs = frozenset({"features"})

    def fit(self, train: Split, val: Split) -> None:
        """As Mahalanobis, and the mean and covariance of all of ID train."""
        who = "RelativeMahalanobis"
        self._classes = fit_tied(lambda: train.parts("features", "labels"), train.n_classes, who)
        self._background = fit_single(train, who)

    def score(self, test: Split) -> Tensor:
        """min_c M_c(z) - M_0(z)."""
        return test.map(self._score, "features")

    def _score(self, z: Tensor) -> Tensor:
        return self._classes.distances(z).amin(dim=1) - self._background.distances(z)[:, 0]
