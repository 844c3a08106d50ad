"""A trial's sets of examples, as assets that every trial on the same source shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlbench.core.assets import Asset
from rlbench.core.context import Context
from rlbench.core.errors import UsageError
from rlbench.core.npy import Rows
from rlbench.suites.ood import sources
from rlbench.suites.ood.params import OodParams, Protocol, SetRef, Split

AT_ONCE = 250
"""How many examples are in memory while a set is made: 38 MB of pictures of 224 x 224."""


def is_trained(task: OodParams) -> bool:
    """Whether the classifier is a network trained here: not fitted exactly, nor given."""
    return task.classifier != "softmax" and not task.weights


@dataclass(frozen=True)
class Sets:
    """The sets of one task at one tier and seed; each is made when first asked for."""

    ctx: Context
    task: OodParams
    sizes: Protocol

    @property
    def seed(self) -> int:
        """The trial's."""
        return self.ctx.trial.seed

    @property
    def n_classes(self) -> int:
        """How many classes the classifier tells apart."""
        return len(self.task.id.classes) or sources.resolve(self.task.id).classes

    def identity(self, ref: SetRef, split: Split) -> dict[str, Any]:
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

    def examples(self, ref: SetRef, split: Split) -> Asset:
        """The raw set: arrays `x` and `y` of `Examples`."""
        about = self.identity(ref, split)

        def make() -> Rows:
            found = sources.load(ref, split, about["n"], seed=self.seed, data=self.ctx.data)
            parts = ({"x": part.x, "y": part.y} for part in found.rows(AT_ONCE))
            return Rows(len(found.y), parts)

        seed = self.seed if sources.is_seeded(ref) else None
        return self.ctx.asset("ood-examples", about, make, seed=seed)

    def train(self) -> Asset:
        """ID train.

        Raises:
            UsageError: a class has no example.
        """
        train = self.examples(self.task.id, "train")
        empty = np.flatnonzero(np.bincount(train["y"], minlength=self.n_classes) == 0)
        if empty.size:
            raise UsageError(
                f"{self.task.id.source}: training set has no example of class {empty[0]}; expected"
                f" all {self.n_classes} classes among its {len(train['y'])} examples"
            )
        return train

    @property
    def extras(self) -> Mapping[Split, SetRef]:
        """What a method may train on beside ID train, where the task offers it."""
        found: dict[Split, SetRef] = {}
        if self.task.outliers is not None:
            found["outliers"] = self.task.outliers
        if self.task.transductive and self.task.ood is not None:
            found["unlabelled"], found["ood-unlabelled"] = self.task.id, self.task.ood
        return found

    def extra(self, split: Split) -> SetRef:
        """One of `extras`.

        Raises:
            UsageError: the task does not offer it.
        """
        if split not in self.extras:
            raise UsageError(
                f"{self.ctx.trial.task.id}: offers no '{split}' examples to train on; expected a"
                f" task whose params name outliers, or are transductive"
            )
        return self.extras[split]
