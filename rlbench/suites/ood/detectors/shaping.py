"""ASH and SCALE: reshape each example's features by its own largest ones, then take the energy."""

from __future__ import annotations

import torch
from torch import Tensor

from rlbench.core.errors import UsageError
from rlbench.suites.ood.detectors.logit import energy
from rlbench.suites.ood.splits import Split


class Ash:
    """Djurisic et al. 2023, its three variants, on the penultimate features.

    All but the largest features of an example are set to zero; `pruned` is their share. What
    remains is left as it is ("p"), set to one value that keeps the sum ("b"), or multiplied by
    exp(sum before / sum after) ("s").
    """

    needs = frozenset({"features", "head"})

    def __init__(self, variant: str, pruned: float) -> None:
        self.shape = {"p": prune, "b": binarise, "s": prune_and_scale}[variant]
        self.pruned = pruned

    def fit(self, train: Split, val: Split) -> None:
        """Nothing to learn."""

    def score(self, test: Split) -> Tensor:
        """Energy of the reshaped features."""
        head = test.head
        return test.map(lambda z: energy(head, self.shape(z, self.pruned)), "features")


class Scale:
    """Xu et al. 2024: the factor of ASH-S on features of which none is pruned."""

    needs = frozenset({"features", "head"})

    def __init__(self, pruned: float) -> None:
        self.pruned = pruned

    def fit(self, train: Split, val: Split) -> None:
        """Nothing to learn."""

    def score(self, test: Split) -> Tensor:
        """Energy of the scaled features."""
        head = test.head
        return test.map(lambda z: energy(head, scale(z, self.pruned)), "features")


def prune(z: Tensor, pruned: float) -> Tensor:
    """Features [n, D] with the lowest share `pruned` of each row set to zero."""
    values, index = _largest(z, pruned)
    return torch.zeros_like(z).scatter_(1, index, values)


def binarise(z: Tensor, pruned: float) -> Tensor:
    """What `prune` keeps is set to the row's sum over the number kept."""
    values, index = _largest(z, pruned)
    level = z.sum(dim=1, keepdim=True) / values.shape[1]
    return torch.zeros_like(z).scatter_(1, index, level.expand_as(values))


def prune_and_scale(z: Tensor, pruned: float) -> Tensor:
    """What `prune` keeps is multiplied by exp(sum of the row / sum of what is kept)."""
    return prune(z, pruned) * _factor(z, pruned)


def scale(z: Tensor, pruned: float) -> Tensor:
    """All of the row is multiplied by exp(its sum / the sum of what `prune` would keep)."""
    return z * _factor(z, pruned)


def _largest(z: Tensor, pruned: float) -> tuple[Tensor, Tensor]:
    """Values and places of the features that are kept, [n, k] each; at least one is.

    Raises:
        UsageError: a feature is negative, to which none of these methods gives a meaning.
    """
    if (z < 0).any():
        raise UsageError("Ash, Scale: features below 0 found; expected a rectified last layer")
    n_features = z.shape[1]
    kept = max(1, n_features - round(n_features * pruned))
    values, index = z.topk(kept, dim=1)
    return values, index


def _factor(z: Tensor, pruned: float) -> Tensor:
    values, _ = _largest(z, pruned)
    after = values.sum(dim=1, keepdim=True)
    # A row of zeros stays one whatever it is multiplied by.
    return torch.exp(z.sum(dim=1, keepdim=True) / after.where(after > 0, 1.0))
