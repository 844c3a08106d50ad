"""Data-driven confidence minimisation (arXiv 2306.04974): one network, three scores.

Transductive: the network is fine-tuned on unlabelled images of the tested distributions, ID and OOD
mixed, though on none of the tested images themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from rlbench.suites.ood.detectors.logit import log_odds
from rlbench.suites.ood.material import Extra, Material, Trained
from rlbench.suites.ood.networks import ImageClassifier
from rlbench.suites.ood.splits import Split
from rlbench.suites.ood.trained.tuning import Schedule, fine_tune, to_uniform


@dataclass(frozen=True)
class DcmTraining:
    """Cross-entropy on ID train, low confidence on the mixture (the paper's equation 2)."""

    schedule: Schedule
    weight: float
    classifies = True
    tunes = True
    uses: ClassVar[tuple[Extra, ...]] = ("unlabelled", "ood-unlabelled")

    @property
    def about(self) -> Mapping[str, Any]:
        """See `Training.about`."""
        return {"method": "dcm", **asdict(self)}

    def empty(self, material: Material) -> ImageClassifier:
        """See `Training.empty`."""
        return material.empty()

    def train(self, material: Material) -> Trained:
        """See `Training.train`."""
        mixture = [material.extra(name) for name in self.uses]
        return fine_tune(material, mixture, self.schedule, self.term)

    def term(self, inside: Tensor, mixture: Tensor) -> Tensor:
        """A scalar, for logits [b, C] of ID train and [m, C] of the mixture."""
        return self.weight * to_uniform(mixture)


class Dcm:
    """A confidence-minimised classifier and one of the paper's scores, all at temperature 1."""

    needs = frozenset({"logits"})

    def __init__(
        self,
        *,
        score: str,
        weight: float,
        epochs: int,
        rate: float,
        batch: int,
        mixture_batch: int,
        repeats: int,
    ) -> None:
        """`score` is `softmax`, `maxlogit` or `energy`."""
        schedule = Schedule(epochs, rate, batch, mixture_batch, repeats)
        self.training = DcmTraining(schedule, weight)
        self._score = _SCORES[score]

    def fit(self, train: Split, val: Split) -> None:
        """Nothing to learn beyond the network."""

    def score(self, test: Split) -> Tensor:
        """float64 [n]."""
        return self._score(test.logits.double())


_SCORES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "softmax": log_odds,
    "maxlogit": lambda logits: -logits.amax(dim=1),
    "energy": lambda logits: -torch.logsumexp(logits, dim=1),
}
