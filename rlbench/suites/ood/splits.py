"""What a detector is shown: the interface between the suite and any detector, built in or own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from rlbench.core.errors import UsageError

NEEDS: Mapping[str, tuple[str, ...]] = {
    "logits": ("logits", "predictions"),
    "features": ("features",),
    "head": ("head",),
    "maps": ("maps",),
    "model": ("model", "inputs", "input_std"),
}
"""What a detector can ask for in its `needs`, and which fields of a `Split` that fills."""

_ALWAYS = ("labels",)


@dataclass(frozen=True)
class Head:
    """The classifier's last layer: logits = features @ weight.T + bias."""

    weight: Tensor
    """[C, D]"""
    bias: Tensor
    """[C]"""


class Split:
    """One set of examples as the classifier sees it.

    Only what the detector named in `needs` can be read; the rest is neither computed nor loaded.
    Labels are there for ID train and validation only. Nothing tells whether a set to be scored is
    ID or OOD.
    """

    def __init__(
        self, n: int, n_classes: int, fields: Mapping[str, Callable[[], Any]], needs: frozenset[str]
    ) -> None:
        """`fields` maps field names to what computes them; each is called once, when first read."""
        self.n = n
        self.n_classes = n_classes
        self._fields = fields
        self._shown = {name for need in needs for name in NEEDS[need]} | set(_ALWAYS)
        self._values: dict[str, Any] = {}

    def _read(self, name: str) -> Any:
        if name not in self._shown:
            need = next(need for need, names in NEEDS.items() if name in names)
            raise UsageError(f"Split.{name}: add '{need}' to the detector's needs to read it")
        if name not in self._fields:
            why = "kept from a detector" if name in _ALWAYS else "not offered by this classifier"
            raise UsageError(f"Split.{name}: {why} on this set")
        if name not in self._values:
            self._values[name] = self._fields[name]()
        return self._values[name]

    @property
    def logits(self) -> Tensor:
        """[n, C], in the classifier's own type (float32, or float64 for vectors)."""
        return self._tensor("logits")

    @property
    def predictions(self) -> Tensor:
        """[n] int64: the class with the highest logit."""
        return self._tensor("predictions")

    @property
    def features(self) -> Tensor:
        """[n, D]: what the last layer reads, in the classifier's own type."""
        return self._tensor("features")

    @property
    def labels(self) -> Tensor:
        """[n] int64, for ID train and validation."""
        return self._tensor("labels")

    @property
    def inputs(self) -> Tensor:
        """Normalised inputs: [n, channels, h, w] float32, or [n, d] float64 for vectors."""
        return self._tensor("inputs")

    @property
    def input_std(self) -> Tensor:
        """What an input unit (pixels in [0, 1], or a coordinate) was divided by; broadcasts."""
        return self._tensor("input_std")

    @property
    def head(self) -> Head:
        """The last layer."""
        head: Head = self._read("head")
        return head

    @property
    def maps(self) -> list[Tensor]:
        """Feature maps of each stage, [n, channels, h, w], the earliest first."""
        maps: list[Tensor] = self._read("maps")
        return maps

    @property
    def model(self) -> torch.nn.Module:
        """The classifier in evaluation mode: normalised inputs to logits; weights are frozen."""
        model: torch.nn.Module = self._read("model")
        return model

    def _tensor(self, name: str) -> Tensor:
        tensor: Tensor = self._read(name)
        return tensor


class Detector(Protocol):
    """A post-hoc detector; its constructor takes the recipe's parameters as keywords."""

    needs: frozenset[str]
    """Some of the keys of `NEEDS`."""

    def fit(self, train: Split, val: Split) -> None:
        """Learn from ID train and ID validation."""

    def score(self, test: Split) -> Any:
        """Scores [n] of any set (numpy or torch); higher = more likely OOD."""
