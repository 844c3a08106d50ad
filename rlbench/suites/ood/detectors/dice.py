"""DICE: the energy from those weights only that carry most on in-distribution examples."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rlbench.suites.ood.detectors.gaussian import feature_mean
from rlbench.suites.ood.detectors.logit import energy
from rlbench.suites.ood.splits import Head, Split


class Dice:
    """Sun & Li 2022; `dropped` is the share of weights set to zero."""

    needs = frozenset({"features", "head"})

    def __init__(self, dropped: float) -> None:
        self.dropped = dropped

    def fit(self, train: Split, val: Split) -> None:
        """Keep the weights whose mean contribution E[z_d] W_cd exceeds the `dropped` quantile."""
        weight = train.head.weight
        contribution = feature_mean(train, "Dice") * weight.double()
        bound = float(np.quantile(contribution.cpu().numpy(), self.dropped))
        self._head = Head(torch.where(contribution > bound, weight, 0), train.head.bias)

    def score(self, test: Split) -> Tensor:
        """Energy under the weights that are kept."""
        return test.map(lambda z: energy(self._head, z), "features")
