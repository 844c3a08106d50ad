"""ReAct: clip unusually large activations, then take the energy."""

from __future__ import annotations

from torch import Tensor

from rlbench.suites.ood.detectors.logit import energy
from rlbench.suites.ood.detectors.quantile import quantile
from rlbench.suites.ood.splits import Split


class React:
    """Sun et al. 2021, equation 2; the clip is the `quantile` of all activations on ID train."""

    needs = frozenset({"features", "head"})

    def __init__(self, quantile: float) -> None:
        self.quantile = quantile

    def fit(self, train: Split, val: Split) -> None:
        """Find the clip."""
        self._clip = quantile(lambda: (z for (z,) in train.parts("features")), self.quantile)

    def score(self, test: Split) -> Tensor:
        """- log sum_c exp(w_c . min(z, clip) + b_c)."""
        head = test.head
        return test.map(lambda z: energy(head, z.clamp(max=self._clip)), "features")
