"""What a detector is shown: the interface between the suite and any detector, built in or own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from rlbench.core.errors import UsageError

NEEDS: Mapping[str, tuple[str, ...]] = {
    "logits": ("logits", "predictions"),
    "features": ("features",),
    "head": ("head",),
    "maps": ("maps", "maps_of"),
    "model": ("model", "inputs", "input_std"),
    "members": ("member",),
    "dropout": ("thinned",),
    "val_ood": ("ood",),
}
"""What a detector can ask for in its `needs`, and which fields of a `Split` that fills."""

PART = 1000
"""Rows of a set that detectors read at a time: what bounds memory, maps and float64 copies too."""

_ALWAYS = ("labels",)
_ABSENT = {
    "labels": "kept from a detector on this set",
    "ood": "this is not the validation set of a task that has OOD images to validate on (val_ood)",
}


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
        self,
        n: int,
        n_classes: int,
        fields: Mapping[str, Callable[[], Any]],
        needs: frozenset[str],
        *,
        rows: Mapping[str, Callable[[int, int], Any]] | None = None,
    ) -> None:
        """`fields` maps field names to what computes them; each is called once, when first read.

        `rows` maps some of them to what reads rows `start` to `stop` alone, for `parts`.
        """
        self.n = n
        self.n_classes = n_classes
        self._fields = fields
        self._rows = rows or {}
        self._shown = {name for need in needs for name in NEEDS[need]} | set(_ALWAYS)
        self._values: dict[str, Any] = {}

    def parts(self, *names: str, rows: int = 0) -> Iterator[tuple[Any, ...]]:
        """The set in order, a few rows at a time: no large set need be held whole.

        Args:
            names: fields that have a row an example.
            rows: how many examples a part has, but for the last; 0 for the usual `PART`.

        Raises:
            UsageError: a field is not this detector's to read.
        """
        step = rows or PART
        for start in range(0, self.n, step):
            yield tuple(self._part(name, start, min(start + step, self.n)) for name in names)

    def map(self, function: Callable[..., Tensor], *names: str, rows: int = 0) -> Tensor:
        """What `function` makes of the fields' parts, joined to [n, ...].

        The whole is laid out first. A list of small results would hold the heap's pages between
        them, and keep the memory of every part that has been read.
        """
        whole: Tensor | None = None
        end = 0
        for part in self.parts(*names, rows=rows):
            found = function(*part)
            if whole is None:
                whole = found.new_empty(self.n, *found.shape[1:])
            end += len(found)
            whole[end - len(found) : end] = found
        assert whole is not None  # no set is empty
        return whole

    def _part(self, name: str, start: int, stop: int) -> Any:
        if name in self._rows and name not in self._values:
            self._check(name)
            return self._rows[name](start, stop)
        whole = self._read(name)
        return whole[start:stop] if name != "maps" else [stage[start:stop] for stage in whole]

    def _check(self, name: str) -> None:
        if name not in self._shown:
            need = next(need for need, names in NEEDS.items() if name in names)
            raise UsageError(f"Split.{name}: add '{need}' to the detector's needs to read it")
        if name not in self._fields:
            raise UsageError(f"Split.{name}: {_ABSENT.get(name, 'not offered by this classifier')}")

    def _read(self, name: str) -> Any:
        self._check(name)
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

    def member(self, number: int) -> Tensor:
        """Logits [n, C] of a classifier that differs from the task's own in its chance only.

        Member 0 is the task's own; each further one is trained when it is first asked for.
        """
        logits_of: Callable[[int], Tensor] = self._read("member")
        return logits_of(number)

    @property
    def maps_of(self) -> Callable[[Tensor], list[Tensor]]:
        """From inputs to feature maps as in `maps`, with gradients; weights are frozen."""
        maps_of: Callable[[Tensor], list[Tensor]] = self._read("maps_of")
        return maps_of

    def thinned(self, rate: float) -> tuple[Tensor, Head]:
        """Features [n, D] and last layer of a classifier trained with dropout between the two.

        It is trained like the task's own, but for each feature's chance `rate` to be left out;
        features are given whole. The first who asks for a rate waits for the training.
        """
        outputs_at: Callable[[float], tuple[Tensor, Head]] = self._read("thinned")
        return outputs_at(rate)

    @property
    def ood(self) -> Split:
        """On ID validation: OOD examples to choose hyperparameters on, never tested on."""
        ood: Split = self._read("ood")
        return ood

    def _tensor(self, name: str) -> Tensor:
        tensor: Tensor = self._read(name)
        return tensor


class Detector(Protocol):
    """A detector; its constructor takes the recipe's parameters as keywords.

    One that trains a network of its own names how in a further attribute `training`, a
    `material.Training`; every `Split` that it is given then shows that network's outputs.
    """

    needs: frozenset[str]
    """Some of the keys of `NEEDS`."""

    def fit(self, train: Split, val: Split) -> None:
        """Learn from ID train and ID validation."""

    def score(self, test: Split) -> Any:
        """Scores [n] of any set (numpy or torch); higher = more likely OOD."""
