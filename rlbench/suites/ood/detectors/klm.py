"""KL matching: how far the softmax is from what it usually looks like for some class."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from rlbench.suites.ood.splits import Split


class KlMatching:
    """Hendrycks et al. 2022: templates are mean softmaxes on ID validation.

    A class that is never predicted there has no template. (Where one-hot vectors stand in for
    those, they are infinitely far from every softmax and change nothing.)
    """

    needs = frozenset({"logits"})

    def fit(self, train: Split, val: Split) -> None:
        """The log of each predicted class's mean softmax, [K, C]."""
        log_p, predicted = functional.log_softmax(val.logits.double(), dim=1), val.predictions
        own = [log_p[predicted == c] for c in range(val.n_classes)]
        templates = [
            torch.logsumexp(rows, dim=0) - math.log(len(rows)) for rows in own if len(rows)
        ]
        self._templates = torch.stack(templates)

    def score(self, test: Split) -> Tensor:
        """min_k KL(softmax(f) || d_k)."""
        return test.map(self._score, "logits")

    def _score(self, f: Tensor) -> Tensor:
        log_p = functional.log_softmax(f.double(), dim=1)
        p = log_p.exp()
        divergences = (p * log_p).sum(dim=1, keepdim=True) - p @ self._templates.T
        return divergences.amin(dim=1)
