"""The task's own classifier, and others that differ from it in their loss only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn import functional

from rlbench.suites.ood.descent import Plan, descend
from rlbench.suites.ood.detectors.logit import log_odds
from rlbench.suites.ood.material import Extra, Material, Trained, shuffled
from rlbench.suites.ood.networks import ImageClassifier
from rlbench.suites.ood.splits import Split

Labelled = tuple[Tensor, Tensor]
"""Inputs and classes."""


def train_classifier(
    material: Material,
    loss: Callable[[Tensor, Tensor], Tensor] = functional.cross_entropy,
    wrap: Callable[[ImageClassifier], nn.Module] = lambda network: network,
) -> Trained:
    """By the task's recipe, from random weights.

    Args:
        material: see `Material`.
        loss: of logits [b, C] and classes [b]; a scalar.
        wrap: what stands around the network while it is trained; gives the logits.
    """
    network = material.fresh()
    model = wrap(network)
    train, recipe, rng = material.train, material.recipe, material.rng

    def epoch() -> Iterator[Labelled]:
        for index in shuffled(train.n, recipe.batch, rng):
            yield train.inputs(index, rng), train.classes(index)

    def batch_loss(batch: Labelled) -> Tensor:
        return loss(model(batch[0]), batch[1])

    plan = Plan(material.epochs, train.n // min(recipe.batch, train.n))
    done = descend(model, recipe, plan, epoch, batch_loss, rng=rng, keeper=material.keeper)
    return Trained(network, done.losses, done.steps, plan.epochs * plan.steps)


@dataclass(frozen=True)
class LogitNormTraining:
    """Cross-entropy of the logits scaled to length 1 / tau (Wei et al. 2022, equation 5)."""

    tau: float
    classifies = True
    tunes = False
    uses: ClassVar[tuple[Extra, ...]] = ()

    @property
    def about(self) -> Mapping[str, Any]:
        """See `Training.about`."""
        return {"method": "logitnorm", **asdict(self)}

    def empty(self, material: Material) -> ImageClassifier:
        """See `Training.empty`."""
        return material.empty()

    def train(self, material: Material) -> Trained:
        """See `Training.train`."""
        return train_classifier(material, self.loss)

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        """A scalar, for logits [b, C] and classes [b]."""
        return functional.cross_entropy(functional.normalize(logits, eps=1e-7) / self.tau, y)


class LogitNorm:
    """The maximum softmax probability of a network trained on normalised logits."""

    needs = frozenset({"logits"})

    def __init__(self, tau: float) -> None:
        self.training = LogitNormTraining(tau)

    def fit(self, train: Split, val: Split) -> None:
        """Nothing to learn beyond the network."""

    def score(self, test: Split) -> Tensor:
        """Log-odds of the plain logits' softmax, as the paper tests."""
        return log_odds(test.logits)
