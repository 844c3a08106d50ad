"""Averages over several classifiers: of different chance, or thinned at random."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional

from rlbench.core.seeding import generator
from rlbench.suites.ood.detectors.logit import log_odds
from rlbench.suites.ood.splits import Split


class Ensemble:
    """Deep ensembles (Lakshminarayanan et al. 2017) of `members` classifiers of the same recipe."""

    needs = frozenset({"members"})

    def __init__(self, members: int) -> None:
        self.members = members

    def fit(self, train: Split, val: Split) -> None:
        """Nothing to learn: the classifiers are trained when they are asked for."""

    def score(self, test: Split) -> Tensor:
        """Log-odds against the class that is most probable on average."""
        return averaged_log_odds(test.member(number) for number in range(self.members))


class McDropout:
    """Monte Carlo dropout (Gal & Ghahramani 2016), with dropout before the last layer.

    A pass draws one set of features to leave out and keeps to it for all examples: one classifier
    drawn from the approximate posterior.
    """

    needs = frozenset({"dropout"})

    def __init__(self, rate: float, passes: int) -> None:
        self.rate = rate
        self.passes = passes

    def fit(self, train: Split, val: Split) -> None:
        """Nothing to learn: the classifier is trained when it is asked for."""

    def score(self, test: Split) -> Tensor:
        """Log-odds against the class that is most probable on average."""
        z, head = test.thinned(self.rate)
        rng = generator("ood-mc-dropout", self.passes)
        kept = torch.from_numpy(rng.random((self.passes, z.shape[1])) >= self.rate).to(z.device)
        weights = kept.to(z)[:, None, :] * head.weight / (1 - self.rate)
        return averaged_log_odds(torch.addmm(head.bias, z, weight.T) for weight in weights)


def averaged_log_odds(logits: Iterable[Tensor]) -> Tensor:
    """Log-odds of the largest probability of the mean softmax of logits [n, C], float64 [n].

    In logarithms throughout, so that confident examples stay apart; see `log_odds`.
    """
    log_p = [functional.log_softmax(f.double(), dim=1) for f in logits]
    return log_odds(torch.logsumexp(torch.stack(log_p), dim=0))
