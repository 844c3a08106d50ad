"""Dropout between a classifier's features and its last layer, while it is trained."""

from __future__ import annotations

from torch import Tensor, nn

from rlbench.suites.ood.networks import Dropout, ImageClassifier


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
