"""Dropout between a classifier's features and its last layer, while it is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from rlbench.suites.ood.material import Extra, Material, Trained
from rlbench.suites.ood.networks import Dropout, ImageClassifier
from rlbench.suites.ood.trained.plain import train_classifier


class Thinned(nn.Module):
    """A classifier each of whose features is left out with chance `rate` in training."""

    def __init__(self, classifier: ImageClassifier, rate: float) -> None:
        super().__init__()
        self.classifier = classifier
        self.dropout = Dropout(rate)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [n, C] of normalised images."""
        logits: Tensor = self.classifier.head(self.dropout(self.classifier.embed(x)))
        return logits


@dataclass(frozen=True)
class ThinnedTraining:
    """The task's own recipe with dropout before the last layer."""

    rate: float
    classifies = True
    tunes = False
    uses: ClassVar[tuple[Extra, ...]] = ()

    @property
    def about(self) -> Mapping[str, Any]:
        """See `Training.about`."""
        return {"method": "thinned", "rate": self.rate}

    def empty(self, material: Material) -> ImageClassifier:
        """See `Training.empty`."""
        return material.empty()

    def train(self, material: Material) -> Trained:
        """See `Training.train`."""
        return train_classifier(material, wrap=lambda network: Thinned(network, self.rate))
