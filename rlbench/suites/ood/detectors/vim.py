"""ViM: the feature's part outside the principal subspace as the logit of one more class."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rlbench.core.errors import UsageError
from rlbench.suites.ood.detectors.gaussian import finite, second_moment
from rlbench.suites.ood.splits import Head, Split


@dataclass(frozen=True)
class Subspace:
    """Where the features of ID train lie, seen from the point that the last layer maps to 0."""

    origin: Tensor
    """float64 [D]: minus the pseudo-inverse of the weights times the bias."""
    basis: Tensor
    """float64 [D, width], orthonormal columns."""

    def residual(self, z: Tensor) -> Tensor:
        """Length of what the subspace leaves of z - origin, float64 [n].

        By Pythagoras it takes a product with the basis, not with its larger complement.
        """
        centred: Tensor = z.double() - self.origin
        inside: Tensor = (centred @ self.basis).square().sum(dim=1)
        return (centred.square().sum(dim=1) - inside).clamp_min(0).sqrt()


def fit_subspace(train: Split, kept: float, who: str) -> Subspace:
    """The principal subspace that has the share `kept` of all D dimensions.

    Raises:
        UsageError: no dimension would be left for the residual, or none for the subspace.
        RlbenchError: a feature is not finite.
    """
    head: Head = train.head
    n_features = head.weight.shape[1]
    width = int(n_features * kept)
    if not 1 <= width < n_features:
        raise UsageError(
            f"{who}: kept is {kept:g} of {n_features} features, a subspace of {width};"
            f" expected one of 1 to {n_features - 1}"
        )
    origin = -torch.linalg.pinv(head.weight.double()) @ head.bias.double()
    moment, _ = second_moment(finite(z, who) - origin for (z,) in train.parts("features"))
    # Eigenvalues ascend, so the principal directions are the last columns.
    vectors: Tensor = torch.linalg.eigh(moment).eigenvectors
    return Subspace(origin, vectors[:, -width:])


class Vim:
    """Wang et al. 2022, equations 4 to 7; `kept` is the principal subspace's share of D."""

    needs = frozenset({"logits", "features", "head"})

    def __init__(self, kept: float) -> None:
        self.kept = kept

    def fit(self, train: Split, val: Split) -> None:
        """The subspace, and the scale that puts residuals beside the largest logits.

        Raises:
            UsageError: no dimension would be left for the residual, or none for the subspace.
        """
        self._subspace = fit_subspace(train, self.kept, "Vim")
        top = train.map(lambda f: f.double().amax(dim=1), "logits")
        self._alpha = top.mean() / train.map(self._subspace.residual, "features").mean()

    def score(self, test: Split) -> Tensor:
        """The residual times alpha, minus log sum_c exp(f_c)."""
        return test.map(self._score, "logits", "features")

    def _score(self, f: Tensor, z: Tensor) -> Tensor:
        return self._alpha * self._subspace.residual(z) - torch.logsumexp(f.double(), dim=1)


class Residual:
    """Wang et al. 2022, the residual of equation 4 alone; `kept` as in `Vim`."""

    needs = frozenset({"features", "head"})

    def __init__(self, kept: float) -> None:
        self.kept = kept

    def fit(self, train: Split, val: Split) -> None:
        """The subspace.

        Raises:
            UsageError: no dimension would be left for the residual, or none for the subspace.
        """
        self._subspace = fit_subspace(train, self.kept, "Residual")

    def score(self, test: Split) -> Tensor:
        """Length of what the principal subspace leaves of the feature."""
        return test.map(self._subspace.residual, "features")
