"""Temperature scaling: maximum softmax probability after the classifier is calibrated."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rlbench.suites.ood.detectors.logit import log_odds
from rlbench.suites.ood.splits import Split

COLDEST, HOTTEST = 0.01, 100.0
"""A classifier without error on ID validation would be scaled to T = 0: the search ends here."""
HALVINGS = 60


class TempScale:
    """Guo et al. 2017, section 4.2: one temperature, fitted by likelihood on ID validation."""

    needs = frozenset({"logits"})

    def fit(self, train: Split, val: Split) -> None:
        """Find T by bisection: the log-likelihood is concave in 1 / T."""
        f = val.logits.double()
        target = f.gather(1, val.labels[:, None]).mean()
        low, high = math.log(1 / HOTTEST), math.log(1 / COLDEST)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            # The slope: what the labels' logits are on average, less what the model expects.
            expected = (torch.softmax(math.exp(middle) * f, dim=1) * f).sum(dim=1).mean()
            low, high = (middle, high) if target > expected else (low, middle)
        self.temperature = math.exp(-(low + high) / 2)

    def score(self, test: Split) -> Tensor:
        """Log-odds of softmax(f / T), which rank like - max softmax."""
        return test.map(lambda f: log_odds(f.double() / self.temperature), "logits")
