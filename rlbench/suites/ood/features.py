"""From a task to what detectors read: examples, a trained classifier and its outputs, as assets.

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
from torch import Tensor

from rlbench.core.assets import Asset
from rlbench.core.context import Context
from rlbench.core.errors import RlbenchError, UsageError
from rlbench.core.seeding import generator
from rlbench.learn.weights import load_arrays, to_arrays
from rlbench.suites.ood import sources
from rlbench.suites.ood.classifiers import (
    Classifier,
    ResNet8,
    Softmax,
    build,
    initialise,
    train_resnet,
    train_softmax,
)
from rlbench.suites.ood.inputs import Normaliser, channels
from rlbench.suites.ood.params import OodParams, Protocol, SetRef
from rlbench.suites.ood.params import Split as SplitName
from rlbench.suites.ood.splits import Head, Split
from rlbench.suites.ood.stream import rows_of
from rlbench.suites.ood.thinned import Thinned

Array = np.ndarray[Any, Any]

BATCH = 500
"""Examples a forward pass; fixed, since sums of another grouping differ in their last bits."""


@dataclass(frozen=True)
class Pipeline:
    """The assets of one task at one tier and seed; each is made when first asked for."""

    ctx: Context
    task: OodParams
    sizes: Protocol
    member: int = 0
    """Which classifier of an ensemble: 0 is the task's own, others differ in their chance."""
    dropout: float = 0.0
    """The chance of each feature to be left out in training."""

    @property
    def seed(self) -> int:
        """The trial's."""
        return self.ctx.trial.seed

    def identity(self, ref: SetRef, split: SplitName) -> dict[str, Any]:
        """What decides the examples of a set, in plain JSON (but for the seed of seeded sources).

        Files are resolved here, cached or not, so that every record names the data it rests on.
        """
        source = sources.resolve(ref, split)
        return {
            **vars(ref),
            "classes": list(ref.classes),
            "split": split,
            "n": self.sizes.size(split),
            "atlas": self.task.atlas if source.atlas else "",
            "data": self.ctx.data(source.data).sha256 if source.data else "",
        }

    def examples(self, ref: SetRef, split: SplitName) -> Asset:
        """The raw set: arrays `x` and `y` of `Examples`."""
        about = self.identity(ref, split)

        def make() -> dict[str, Array]:
            found = sources.load(ref, split, about["n"], seed=self.seed, data=self.ctx.data)
            return {"x": found.x, "y": found.y}

        seed = self.seed if sources.is_seeded(ref) else None
        return self.ctx.asset("ood-examples", about, make, seed=seed)

    @property
    def about_classifier(self) -> dict[str, Any]:
        """What decides the weights; the out-of-distribution set is no part of it.

        The kind of device is, so that a result never depends on where an asset was made.
        """
        image = self.task.classifier != "softmax"
        return {
            "classifier": self.task.classifier,
            "train": self.identity(self.task.id, "train"),
            "epochs": self.sizes.epochs if image else 0,
            "member": self.member,
            "dropout": self.dropout,
            "device": torch.device(self.ctx.device).type,
        }

    @cached_property
    def n_classes(self) -> int:
        """How many classes the classifier tells apart."""
        return len(self.task.id.classes) or sources.resolve(self.task.id).classes

    @cached_property
    def normaliser(self) -> Normaliser:
        """Fitted on ID train."""
        weights = self._weights
        return Normaliser(np.array(weights["input_mean"]), np.array(weights["input_std"]))

    @cached_property
    def classifier(self) -> Classifier:
        """The trained classifier, frozen, in evaluation mode, on the trial's device."""
        weights = {
            name: array
            for name, array in self._weights.arrays.items()
            if name not in ("input_mean", "input_std")
        }
        x = self.examples(self.task.id, "train")["x"]
        model = build(self.task.classifier, channels(x), self.n_classes)
        load_arrays(model, weights)
        return model.to(self.ctx.device).eval().requires_grad_(False)

    @cached_property
    def _weights(self) -> Asset:
        return self.ctx.asset("ood-classifier", self.about_classifier, self._train, seed=self.seed)

    def _train(self) -> dict[str, Array]:
        train = self.examples(self.task.id, "train")
        self._check_classes(train["y"])
        normaliser = Normaliser.of(train["x"])
        x = normaliser.inputs(train["x"]).to(self.ctx.device)
        y = torch.from_numpy(np.array(train["y"])).to(self.ctx.device)
        chance = ("member", self.member) if self.member else ()
        rng = generator("ood-classifier", self.task.classifier, self.seed, *chance)
        model = build(self.task.classifier, channels(train["x"]), self.n_classes)
        initialise(model, rng)
        model.to(self.ctx.device)
        if isinstance(model, Softmax):
            train_softmax(model, x, y)
        else:
            trained = Thinned(model, self.dropout) if self.dropout else model
            train_resnet(trained, x, y, rng, epochs=self.sizes.epochs)
        return {**to_arrays(model), "input_mean": normaliser.mean, "input_std": normaliser.std}

    def _check_classes(self, y: Array) -> None:
        empty = np.flatnonzero(np.bincount(y, minlength=self.n_classes) == 0)
        if empty.size:
            raise UsageError(
                f"{self.task.id.source}: training set has no example of class {empty[0]}; expected"
                f" all {self.n_classes} classes among its {len(y)} examples"
            )

    def outputs(self, ref: SetRef, split: SplitName) -> Asset:
        """What the classifier makes of a set: `logits` [n, C], `features` [n, D], `labels` [n].

        Raises:
            UsageError: the set's examples have another shape than those the classifier learnt on.
            RlbenchError: an output is NaN or infinite.
        """
        about = {"classifier": self.about_classifier, "set": self.identity(ref, split)}

        def make() -> dict[str, Array]:
            found = self.examples(ref, split)
            self._check_shape(ref, found["x"])
            logits, features = self._forward(found["x"])
            if not (np.isfinite(logits).all() and np.isfinite(features).all()):
                raise RlbenchError(
                    f"{self.task.classifier} on {ref.source}: outputs are not finite; its training"
                    f" on {self.task.id.source} diverged"
                )
            return {"logits": logits, "features": features, "labels": found["y"]}

        return self.ctx.asset("ood-features", about, make, seed=self.seed)

    def _check_shape(self, ref: SetRef, x: Array) -> None:
        expected = self.examples(self.task.id, "train")["x"].shape[1:]
        if x.shape[1:] != expected:
            raise UsageError(
                f"{ref.source}: examples have shape {x.shape[1:]}, expected {expected} as in"
                f" {self.task.id.source}"
            )

    def _forward(self, x: Array) -> tuple[Array, Array]:
        model = self.classifier
        logits, features = [], []
        for inputs in self._batches(x):
            with torch.inference_mode():
                embedded = model.embed(inputs)
                features.append(embedded.cpu().numpy())
                logits.append(model.head(embedded).cpu().numpy())
        return np.concatenate(logits), np.concatenate(features)

    def _batches(self, x: Array) -> Iterator[Tensor]:
        for start in range(0, len(x), BATCH):
            yield self.normaliser.inputs(x[start : start + BATCH]).to(self.ctx.device)

    def split(
        self, ref: SetRef, split: SplitName, needs: frozenset[str], *, labelled: bool = False
    ) -> Split:
        """A set as a detector with these needs is shown it."""
        outputs = self.outputs(ref, split)
        n, device = len(outputs["labels"]), self.ctx.device
        rows: dict[str, Callable[[int, int], Any]] = {
            name: rows_of(outputs[name], device) for name in ("logits", "features", "labels")
        }

        rows["predictions"] = lambda start, stop: rows["logits"](start, stop).argmax(dim=1)

        def raw() -> Array:
            return self.examples(ref, split)["x"]

        fields: dict[str, Callable[[], Any]] = {
            "head": lambda: self._head,
            "model": lambda: self.classifier,
            "input_std": lambda: self.normaliser.scale(raw()).to(device),
            "member": lambda: partial(self._member, ref, split),
            "thinned": lambda: partial(self._thinned, ref, split),
        }
        rows["inputs"] = lambda start, stop: self.normaliser.inputs(raw()[start:stop]).to(device)
        if self.task.classifier != "softmax":
            model = cast(ResNet8, self.classifier)
            rows["maps"] = lambda start, stop: self._maps(model, raw()[start:stop])
            fields["maps_of"] = lambda: model.maps
        if not labelled:
            del rows["labels"]
        elif split == "val" and (ood := self.task.val_ood) is not None:
            fields["ood"] = lambda: self.split(ood, "ood-val", needs)
        fields |= {name: partial(read, 0, n) for name, read in rows.items()}
        return Split(n, self.n_classes, fields, needs, rows=rows)

    def _maps(self, model: ResNet8, x: Array) -> list[Tensor]:
        with torch.no_grad():
            parts = [model.maps(inputs) for inputs in self._batches(x)]
        return [torch.cat(stage) for stage in zip(*parts, strict=True)]

    def _member(self, ref: SetRef, split: SplitName, number: int) -> Tensor:
        outputs = replace(self, member=number).outputs(ref, split)
        return rows_of(outputs["logits"], self.ctx.device)(0, len(outputs["logits"]))

    def _thinned(self, ref: SetRef, split: SplitName, rate: float) -> tuple[Tensor, Head]:
        variant = replace(self, dropout=rate)
        features = variant.outputs(ref, split)["features"]
        return rows_of(features, self.ctx.device)(0, len(features)), variant._head

    @property
    def _head(self) -> Head:
        return Head(self.classifier.head.weight, self.classifier.head.bias)
