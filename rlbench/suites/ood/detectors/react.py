"""ReAct: clip unusually large activations, then take the energy."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rlbench.suites.ood.splits import Split


class React:
    """Sun et al. 2021, equation 2; the clip is the `quantile` of all activations on ID train."""

    needs = frozenset({"features", "head"})

    def __init__(self, quantile: float) -> None:
        self.quantile = quantile

    def fit(self, train: Split, val: Split) -> None:
        """Find the clip; numpy, because torch's quantile refuses large tensors."""
        self._clip = float(np.quantile(train.features.cpu().numpy(), self.quantile))

    def score(self, test: Split) -> Tensor:
        """- log sum_c exp(w_c . min(z, clip) + b_c)."""
        z = test.features.clamp(max=self._clip)
        return -torch.logsumexp(torch.addmm(test.head.bias, z, test.head.weight.T).double(), dim=1)
