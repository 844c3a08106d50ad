"""POD's pair networks (arXiv 2109.05554): are these two examples of one class or not?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rlbench.suites.ood.classifiers import blank
from rlbench.suites.ood.descent import Plan, Recipe, descend
from rlbench.suites.ood.detectors.pod import first_exemplars
from rlbench.suites.ood.material import Extra, Material, Trained
from rlbench.suites.ood.networks import ImageClassifier
from rlbench.suites.ood.splits import Split
from rlbench.suites.ood.trained.distances import Form, make_distance

Array = np.ndarray[Any, Any]


class PairNetwork(nn.Module):
    """One backbone for both examples, and a distance between what it makes of them."""

    def __init__(self, backbone: ImageClassifier, form: Form) -> None:
        super().__init__()
        self.backbone = backbone
        self.distance = make_distance(form, backbone.head.in_features)

    def embed(self, x: Tensor) -> Tensor:
        """Features [n, D] of normalised images."""
        return self.backbone.embed(x)

    def forward(self, x: Tensor) -> Tensor:
        """Distances [n / 2] of images [n, channels, h, w]: the first half to the second, in order.

        Both halves go through the backbone together, so that they share its batch norms.
        """
        a, b = self.embed(x).chunk(2)
        distance: Tensor = self.distance(a, b)
        return distance


@dataclass(frozen=True)
class PairTraining:
    """Binary cross-entropy on pairs, half of them of one class: 1 stands for two classes."""

    form: Form
    tunes: bool
    """Whether the backbone starts as the task's own classifier."""
    epochs: int
    pairs: int
    """Of an epoch, drawn anew for each."""
    rate: float
    """The highest learning rate; it falls along a cosine."""
    batch: int
    """Pairs a step."""
    classifies = False
    uses: ClassVar[tuple[Extra, ...]] = ()

    @property
    def about(self) -> Mapping[str, Any]:
        """See `Training.about`."""
        return {"method": "pairs", **asdict(self)}

    def empty(self, material: Material) -> PairNetwork:
        """See `Training.empty`."""
        return blank(lambda: PairNetwork(material.empty(), self.form))

    def train(self, material: Material) -> Trained:
        """See `Training.train`."""
        network = material.ready(self.empty(material))
        if self.tunes:
            network.backbone.load_state_dict(material.copied().state_dict())
        train, rng = material.train, material.rng

        def epoch() -> Iterator[tuple[Tensor, Tensor]]:
            first, second, apart = draw_pairs(train.y, self.pairs, rng)
            for start in range(0, self.pairs - self.batch + 1, self.batch):
                part = slice(start, start + self.batch)
                index = np.concatenate([first[part], second[part]])
                yield train.inputs(index, rng), torch.from_numpy(apart[part]).to(train.device)

        def loss(batch: tuple[Tensor, Tensor]) -> Tensor:
            return functional.binary_cross_entropy_with_logits(network(batch[0]), batch[1])

        plan = Plan(self.epochs, self.pairs // self.batch)
        recipe = Recipe(self.batch, self.rate, "cosine")
        done = descend(network, recipe, plan, epoch, loss, rng=rng, keeper=material.keeper)
        return Trained(network, done.losses, done.steps, plan.epochs * plan.steps)


def draw_pairs(y: Array, n: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Pairs of examples: at even places of one class, at odd ones of two.

    Args:
        y: the examples' classes, int64 (N,); at least two of them.
        n: how many pairs.
        rng: draws them; the first example uniformly, the second among those that fit it.

    Returns:
        Indices int64 (n,) of the first and of the second examples, and float32 (n,): 1 where their
        classes differ.
    """
    order = np.argsort(y, kind="stable")
    counts = np.bincount(y)
    starts = np.cumsum(counts) - counts
    first = rng.integers(0, len(y), n)
    begin, size = starts[y[first]], counts[y[first]]
    apart = np.arange(n) % 2 == 1
    place = rng.integers(0, np.where(apart, len(y) - size, size))
    # Places of the other classes are counted as if this one's block were not there.
    same, other = begin + place, place + np.where(place >= begin, size, 0)
    second = order[np.where(apart, other, same)]
    return first, second, apart.astype(np.float32)


class PodPairs:
    """The smallest over classes of the mean learnt distance to a few exemplars."""

    needs = frozenset({"features", "model"})

    def __init__(
        self,
        *,
        exemplars: int,
        form: Form,
        from_classifier: bool,
        epochs: int,
        pairs: int,
        rate: float,
        batch: int,
    ) -> None:
        """`form` is `l1`, `l2`, `bilinear`, `cosine` or `euclid`."""
        self.exemplars = exemplars
        self.training = PairTraining(form, from_classifier, epochs, pairs, rate, batch)

    def fit(self, train: Split, val: Split) -> None:
        """Keep the first exemplars of every class, in the order of ID train."""
        self._exemplars, self._classes = first_exemplars(train, self.exemplars)

    def score(self, test: Split) -> Tensor:
        """min_c mean_i d(z, p_ci), float64."""
        with torch.no_grad():
            return test.map(lambda z: self._distances(test, z).amin(dim=1), "features")

    def _distances(self, test: Split, z: Tensor) -> Tensor:
        distance = test.model.get_submodule("distance")
        found: Tensor = distance.to_classes(z, self._exemplars, self._classes, test.n_classes)  # type: ignore[operator]
        return found
