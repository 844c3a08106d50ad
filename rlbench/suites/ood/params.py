"""What a task of this suite says: which sets, which classifier, how many examples of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rlbench.core.decode import decode
from rlbench.core.spec import TaskSpec


@dataclass(frozen=True)
class SetRef:
    """A source of examples, or some of its classes."""

    source: str
    """A key of `sources.SOURCES`."""
    classes: tuple[int, ...] = ()
    """The classes to keep, relabelled 0, 1, … in this order; empty for all of them."""

    def __post_init__(self) -> None:
        if len(set(self.classes)) < len(self.classes) or min(self.classes, default=0) < 0:
            raise ValueError(f"classes: expected different class indices, found {self.classes}")


@dataclass(frozen=True)
class OodParams:
    """`params` of a task."""

    id: SetRef
    """In distribution: the classifier is trained on it."""
    ood: SetRef
    """Out of distribution: what a detector has to tell apart from `id`."""
    classifier: Literal["softmax", "resnet8"]
    val_ood: SetRef | None = None
    """An out-of-distribution set for choosing hyperparameters, never tested on."""
    atlas: str = ""
    """sha256 of the glyph atlas, where a set is drawn from it; makes it part of the task's hash."""


@dataclass(frozen=True)
class Protocol:
    """A tier's sizes; 0 is all that a fixed source has."""

    n_train: int
    n_val: int
    n_test: int
    n_ood: int
    epochs: int = 0
    """Passes over the training set; unused by the softmax classifier, which is fitted exactly."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 0:
                raise ValueError(f"{name}: expected at least 0, found {value}")


def task_params(task: TaskSpec) -> OodParams:
    """The typed `params` of a task.

    Raises:
        SpecError: a key is unknown, missing or ill-typed; names the file and the key.
    """
    return decode(OodParams, task.params, where(task), key="params")


def protocol(task: TaskSpec, tier_table: Mapping[str, Any]) -> Protocol:
    """The typed sizes of one of the task's tiers (`tier_table` is `trial.protocol`).

    Raises:
        SpecError: a key is unknown, missing or ill-typed; names the file and the key.
    """
    tiers = (name for name, table in task.tiers.items() if table == tier_table)
    return decode(Protocol, tier_table, where(task), key=f"tiers.{next(tiers, 'custom')}")


def where(task: TaskSpec) -> str:
    """The file and the task, for error messages."""
    return f"{task.file or 'task'} ({task.id})"
