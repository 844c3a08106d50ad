"""What a network is trained on: images in batches, and what the task lets a method see of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from rlbench.learn.weights import load_arrays
from rlbench.suites.ood.augment import crop_flip
from rlbench.suites.ood.classifiers import build, initialise
from rlbench.suites.ood.descent import RECIPES, Keeper, Recipe
from rlbench.suites.ood.inputs import Normaliser, channels
from rlbench.suites.ood.networks import ImageClassifier
from rlbench.suites.ood.params import OodParams

Array = np.ndarray[Any, Any]
M = TypeVar("M", bound=nn.Module)
Extra = Literal["outliers", "unlabelled", "ood-unlabelled"]


@dataclass(frozen=True)
class Images:
    """Raw images that a training draws batches from."""

    x: Array
    """uint8 (n, h, w) or (n, h, w, 3)."""
    y: Array
    """int64 (n,); -1 where there is no class."""
    normaliser: Normaliser
    augmented: bool
    device: torch.device

    @property
    def n(self) -> int:
        """How many."""
        return len(self.y)

    def inputs(self, index: Array, rng: np.random.Generator) -> Tensor:
        """The images at `index` [b], augmented anew and normalised: float32 [b, channels, h, w]."""
        images = torch.from_numpy(self.x[index]).to(self.device)
        return self.normaliser.normalised(crop_flip(images, rng) if self.augmented else images)

    def classes(self, index: Array) -> Tensor:
        """int64 [b]."""
        return torch.from_numpy(self.y[index]).to(self.device)


def shuffled(n: int, batch: int, rng: np.random.Generator) -> Iterator[Array]:
    """One pass over n examples in random order, `batch` indices at a time.

    An incomplete last batch is left out: its batch-norm statistics would be noise.
    """
    order = rng.permutation(n)
    batch = min(batch, n)
    for start in range(0, n - batch + 1, batch):
        yield order[start : start + batch]


@dataclass(frozen=True)
class Material:
    """All that a training may use. It holds no tested example."""

    task: OodParams
    n_classes: int
    epochs: int
    """That the task gives its classifier."""
    train: Images
    """ID train."""
    rng: np.random.Generator
    """The chance of the training; the same for every method, so that they are paired."""
    keeper: Keeper
    plain: Callable[[], Mapping[str, Array]]
    """The weights of the task's own classifier."""
    extra: Callable[[Extra], Images]
    """Other images that the task offers.

    Raises:
        UsageError: it offers none of that kind.
    """

    @property
    def device(self) -> torch.device:
        """Where to train."""
        return self.train.device

    @property
    def recipe(self) -> Recipe:
        """How the task's classifier is trained."""
        return RECIPES[self.task.classifier]

    def empty(self) -> ImageClassifier:
        """A network like the task's classifier, with unset weights."""
        x = self.train.x
        model = build(self.task.classifier, channels(x), self.n_classes, x.shape[1])
        if not isinstance(model, ImageClassifier):
            raise TypeError(f"{self.task.classifier} is not trained by descent")
        return model

    def fresh(self) -> ImageClassifier:
        """The same with random weights, on its device: how the task's own classifier began."""
        return self.ready(self.empty())

    def copied(self) -> ImageClassifier:
        """A copy of the task's own classifier, on its device."""
        model = self.empty()
        load_arrays(model, self.plain())
        return model.to(self.device)

    def ready(self, model: M) -> M:
        """The module with random weights, on its device."""
        initialise(model, self.rng)
        return model.to(self.device)


@dataclass(frozen=True)
class Trained:
    """A network, and how its training went."""

    network: nn.Module
    losses: list[float]
    """Mean of each epoch."""
    steps: int
    """Made."""
    planned: int
    """That the learning rate's schedule was laid out for."""


class Training(Protocol):
    """How a method gets a network of its own; a detector shows it as its attribute `training`.

    Two detectors with equal `about` share one network. The network has `embed` (inputs to features
    [n, D]) and, where it classifies, `head` like the task's own classifier.
    """

    @property
    def about(self) -> Mapping[str, Any]:
        """Everything that decides the network beside the material, in plain JSON."""

    @property
    def classifies(self) -> bool:
        """Whether its logits are the predictions; else those of the task's own classifier are."""

    @property
    def uses(self) -> tuple[Extra, ...]:
        """What it asks of `Material.extra`."""

    @property
    def tunes(self) -> bool:
        """Whether it starts from the task's own classifier."""

    def empty(self, material: Material) -> nn.Module:
        """The network with unset weights."""

    def train(self, material: Material) -> Trained:
        """The network, trained."""
