"""From a task to what detectors read: what a network makes of its sets, as assets.

Every asset is identified by what it is made from and never by the task, so ten detectors on twelve
out-of-distribution sets share one classifier and one forward pass over each set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from rlbench.core.assets import Asset
from rlbench.core.context import Context
from rlbench.core.errors import RlbenchError, UsageError
from rlbench.core.npy import Rows
from rlbench.suites.ood.classifiers import Classifier
from rlbench.suites.ood.material import Training
from rlbench.suites.ood.networks import ImageClassifier
from rlbench.suites.ood.params import OodParams, Protocol, SetRef
from rlbench.suites.ood.params import Split as SplitName
from rlbench.suites.ood.sets import Sets, is_trained
from rlbench.suites.ood.splits import Head, Split
from rlbench.suites.ood.stream import read_rows, rows_of
from rlbench.suites.ood.thinned import ThinnedTraining
from rlbench.suites.ood.trainer import Trainer

Array = np.ndarray[Any, Any]

BATCH = 500
"""Examples a forward pass; fixed, since sums of another grouping differ in their last bits."""


@dataclass(frozen=True)
class Pipeline:
    """The assets of one task at one tier and seed; each is made when first asked for."""

    ctx: Context
    task: OodParams
    sizes: Protocol
    training: Training | None = None
    """How the detector gets a network of its own; None for the task's classifier."""
    member: int = 0
    """See `Trainer.member`."""

    @cached_property
    def sets(self) -> Sets:
        """Where examples come from."""
        return Sets(self.ctx, self.task, self.sizes)

    @cached_property
    def trainer(self) -> Trainer:
        """Where the network comes from."""
        return Trainer(self.sets, self.training, self.member)

    @property
    def network(self) -> nn.Module:
        """The classifier, or a detector's own network; see `Trainer.network`."""
        return self.trainer.network

    @property
    def classifying(self) -> Pipeline:
        """Whose logits are the predictions: this one, unless its network is no classifier."""
        silent = self.training is not None and not self.training.classifies
        return replace(self, training=None) if silent else self

    def outputs(self, ref: SetRef, split: SplitName) -> Asset:
        """What the network makes of a set: `logits` [n, C], `features` [n, D], `labels` [n].

        A network that does not classify has no logits.

        Raises:
            UsageError: the set's examples have another shape than those the network learnt on.
            RlbenchError: an output is NaN or infinite.
        """
        about = {"network": self.trainer.about, "set": self.sets.identity(ref, split)}

        def make() -> Rows:
            found = self.sets.examples(ref, split)
            self._check_shape(ref, found["x"])
            parts = zip(self._forward(ref, found["x"]), _cut(found["y"]), strict=True)
            return Rows(len(found["y"]), ({**made, "labels": y} for made, y in parts))

        return self.ctx.asset("ood-features", about, make, seed=self.sets.seed)

    def _check_shape(self, ref: SetRef, x: Array) -> None:
        expected = self.sets.examples(self.task.id, "train")["x"].shape[1:]
        if x.shape[1:] != expected:
            raise UsageError(
                f"{ref.source}: examples have shape {x.shape[1:]}, expected {expected} as in"
                f" {self.task.id.source}"
            )

    def _forward(self, ref: SetRef, x: Array) -> Iterator[dict[str, Array]]:
        network: Any = self.network
        for inputs in self._batches(x):
            with torch.inference_mode():
                features = network.embed(inputs)
                made = {"features": features}
                if self.classifying is self:
                    made["logits"] = network.head(features)
            outputs = {name: tensor.cpu().numpy() for name, tensor in made.items()}
            if not all(np.isfinite(array).all() for array in outputs.values()):
                raise RlbenchError(
                    f"{self.task.classifier} on {ref.source}: outputs are not finite; its training"
                    f" on {self.task.id.source} diverged"
                )
            yield outputs

    def _batches(self, x: Array) -> Iterator[Tensor]:
        for part in _cut(x):
            yield self.trainer.normaliser.inputs(part).to(self.ctx.device)

    def split(
        self, ref: SetRef, split: SplitName, needs: frozenset[str], *, labelled: bool = False
    ) -> Split:
        """A set as a detector with these needs is shown it."""
        outputs = self.outputs(ref, split)
        n, device = len(outputs["labels"]), self.ctx.device
        rows: dict[str, Callable[[int, int], Any]] = {
            name: rows_of(array, device) for name, array in outputs.arrays.items()
        }
        if "logits" in rows:
            rows["predictions"] = lambda start, stop: rows["logits"](start, stop).argmax(dim=1)

        def raw() -> Array:
            return self.sets.examples(ref, split)["x"]

        def inputs(start: int, stop: int) -> Tensor:
            return self.trainer.normaliser.inputs(read_rows(raw(), start, stop)).to(device)

        rows["inputs"] = inputs
        fields: dict[str, Callable[[], Any]] = {
            "model": lambda: self.network,
            "input_std": lambda: self.trainer.normaliser.scale(raw()).to(device),
        }
        if "logits" in rows:
            fields["head"] = lambda: self._head
            fields["member"] = lambda: partial(self._member, ref, split)
            fields["thinned"] = lambda: partial(self._thinned, ref, split)
        if self.task.classifier != "softmax" and self.classifying is self:
            rows["maps"] = lambda start, stop: self._maps(read_rows(raw(), start, stop))
            fields["maps_of"] = lambda: cast(ImageClassifier, self.network).maps
        if not labelled:
            del rows["labels"]
        elif split == "val" and (ood := self.task.val_ood) is not None:
            fields["ood"] = lambda: self.split(ood, "ood-val", needs)
        fields |= {name: partial(read, 0, n) for name, read in rows.items()}
        return Split(n, self.sets.n_classes, fields, needs, rows=rows)

    def _maps(self, x: Array) -> list[Tensor]:
        with torch.no_grad():
            maps = cast(ImageClassifier, self.network).maps
            parts = [maps(inputs) for inputs in self._batches(x)]
        return [torch.cat(stage) for stage in zip(*parts, strict=True)]

    def _member(self, ref: SetRef, split: SplitName, number: int) -> Tensor:
        outputs = replace(self, member=number).outputs(ref, split)
        return rows_of(outputs["logits"], self.ctx.device)(0, len(outputs["logits"]))

    def _thinned(self, ref: SetRef, split: SplitName, rate: float) -> tuple[Tensor, Head]:
        # What is not trained by descent has no training to leave features out in.
        variant = replace(self, training=ThinnedTraining(rate)) if is_trained(self.task) else self
        features = variant.outputs(ref, split)["features"]
        return rows_of(features, self.ctx.device)(0, len(features)), variant._head

    @property
    def _head(self) -> Head:
        classifier = cast(Classifier, self.network)
        return Head(classifier.head.weight, classifier.head.bias)


def _cut(array: Array) -> Iterator[Array]:
    """Its rows in order, a batch at a time."""
    for start in range(0, len(array), BATCH):
        yield read_rows(array, start, min(start + BATCH, len(array)))
