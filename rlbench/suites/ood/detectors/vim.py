"""ViM: the feature's part outside the principal subspace as the logit of one more class."""

from __future__ import annotations

import torch
from torch import Tensor

from rlbench.core.errors import UsageError
from rlbench.suites.ood.detectors.gaussian import finite
from rlbench.suites.ood.splits import Split


class Vim:
    """Wang et al. 2022, equations 4 to 7; `kept` is the principal subspace's share of D."""

    needs = frozenset({"logits", "features", "head"})

    def __init__(self, kept: float) -> None:
        self.kept = kept

    def fit(self, train: Split, val: Split) -> None:
        """Origin, principal subspace and the scale that puts residuals beside the largest logits.

        Raises:
            UsageError: no dimension would be left for the residual, or none for the subspace.
        """
        z = finite(train.features, "Vim")
        width = int(z.shape[1] * self.kept)
        if not 1 <= width < z.shape[1]:
            raise UsageError(
                f"Vim: kept is {self.kept:g} of {z.shape[1]} features, a subspace of {width};"
                f" expected one of 1 to {z.shape[1] - 1}"
            )
        weight, bias = train.head.weight.double(), train.head.bias.double()
        self._origin = -torch.linalg.pinv(weight) @ bias
        centred = z - self._origin
        # Eigenvalues ascend, so the principal directions are the last columns.
        vectors: Tensor = torch.linalg.eigh(centred.T @ centred / len(z)).eigenvectors
        self._principal = vectors[:, -width:]
        top = train.logits.double().amax(dim=1).mean()
        self._alpha = top / self._residual(z).mean()

    def score(self, test: Split) -> Tensor:
        """The residual times alpha, minus log sum_c exp(f_c)."""
        energy = torch.logsumexp(test.logits.double(), dim=1)
        return self._alpha * self._residual(test.features.double()) - energy

    def _residual(self, z: Tensor) -> Tensor:
        """Length of what the principal subspace leaves of z - origin, [n]."""
        centred: Tensor = z - self._origin
        inside: Tensor = (centred @ self._principal).square().sum(dim=1)
        return (centred.square().sum(dim=1) - inside).clamp_min(0).sqrt()
