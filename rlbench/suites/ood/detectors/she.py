"""SHE: how well the features match the stored pattern of the predicted class."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from rlbench.suites.ood.detectors.gaussian import class_means
from rlbench.suites.ood.splits import Split


class She:
    """Zhang et al. 2023: simplified Hopfield energy of one pattern a class."""

    needs = frozenset({"logits", "features"})

    def fit(self, train: Split, val: Split) -> None:
        """A class's pattern is the mean feature of its correctly classified training examples.

        A class without any is given the mean of all its examples; the paper names no such case.
        """
        hits = sum(
            torch.bincount(y[y == predicted], minlength=train.n_classes)
            for y, predicted in train.parts("labels", "predictions")
        )
        unlearnt = torch.as_tensor(hits) == 0
        self._patterns = class_means(_stored(train, unlearnt), train.n_classes, "She")

    def score(self, test: Split) -> Tensor:
        """- z . pattern of the predicted class."""
        return test.map(self._score, "features", "predictions")

    def _score(self, z: Tensor, predicted: Tensor) -> Tensor:
        return -(z.double() * self._patterns[predicted]).sum(dim=1)


def _stored(train: Split, unlearnt: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    for z, y, predicted in train.parts("features", "labels", "predictions"):
        kept = (predicted == y) | unlearnt[y]
        yield z[kept], y[kept]
