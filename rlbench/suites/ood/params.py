"""What a task of this suite says: which sets, which classifier, how many examples of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

from rlbench.core.settings import decode_params, decode_tier
from rlbench.core.spec import TaskSpec

Kind = Literal["pair", "full-spectrum", "selective"]
ClassifierName = Literal["softmax", "resnet8", "resnet18", "resnet34", "resnet50", "wrn40-2"]
Split = Literal[
    "train", "val", "test", "shift", "ood", "ood-val", "outliers", "unlabelled", "ood-unlabelled"
]
"""What a set is asked for; two splits of one source never overlap, but for whole-set ones."""


@dataclass(frozen=True)
class SetRef:
    """A source of examples, or some of its classes."""

    source: str
    """A key of `sources.SOURCES`, or `folder` for images of one's own."""
    classes: tuple[int, ...] = ()
    """The classes to keep, relabelled 0, 1, … in this order; empty for all of them."""
    path: str = ""
    """Of source `folder`: where it lies under a data folder; its sub-folders are its classes."""
    n_classes: int = 0
    """Of source `folder`: how many sub-folders it has; 0 where images have no class."""
    size: int = 32
    """Of source `folder`: images are resized and centre-cropped to this side, pixels."""

    def __post_init__(self) -> None:
        if len(set(self.classes)) < len(self.classes) or min(self.classes, default=0) < 0:
            raise ValueError(f"classes: expected different class indices, found {self.classes}")
        inside = PurePosixPath(self.path)
        if inside.is_absolute() or ".." in inside.parts:
            raise ValueError(f"path: expected a path inside the data folder, found {self.path!r}")
        if (self.source == "folder") is not bool(self.path):
            raise ValueError(f"path: goes with source 'folder' only, found {self.path!r}")
        if self.n_classes < 0 or not 1 <= self.size <= 1024:
            raise ValueError(
                f"n_classes, size: expected at least 0 and 1 to 1024,"
                f" found {self.n_classes}, {self.size}"
            )


@dataclass(frozen=True)
class OodParams:
    """`params` of a task."""

    id: SetRef
    """In distribution: the classifier is trained on it."""
    classifier: ClassifierName
    ood: SetRef | None = None
    """Out of distribution: what a detector has to tell apart from `id`. Absent in `selective`."""
    kind: Kind = "pair"
    """`pair`: ID test against `ood`. `full-spectrum`: ID test and `shift` together, both counted
    as ID, against `ood`. `selective`: no `ood`; how accurate the classifier is on the examples of
    ID test, of `shift` and of both that the detector would keep."""
    shift: SetRef | None = None
    """Covariate-shifted ID: other pictures of the same classes, labelled like `id`."""
    val_ood: SetRef | None = None
    """An out-of-distribution set for choosing hyperparameters, never tested on."""
    outliers: SetRef | None = None
    """What methods that train with outliers (OE, energy fine-tuning) are given; never tested on."""
    transductive: bool = False
    """Whether the splits `unlabelled` of `id` and `ood-unlabelled` of `ood` are offered; where they
    are not, transductive detectors (DCM) do not fit."""
    augment: Literal["none", "crop-flip"] = "none"
    """What training does to each image: nothing, or a random crop after padding by an eighth of the
    side and a mirror image half of the time."""
    weights: str = ""
    """The data set that holds the classifier, where the protocol takes a published one."""
    atlas: str = ""
    """sha256 of the glyph atlas, where a set is drawn from it; makes it part of the task's hash."""

    def __post_init__(self) -> None:
        for key, needed in (("ood", self.kind != "selective"), ("shift", self.kind != "pair")):
            if (getattr(self, key) is not None) is not needed:
                verb = "expected" if needed else "expected none"
                raise ValueError(f"{key}: {verb} in a task of kind '{self.kind}'")

    @property
    def sets(self) -> Mapping[str, SetRef]:
        """Every set that is named, by its key."""
        keys = ("id", "ood", "shift", "val_ood", "outliers")
        return {key: ref for key in keys if (ref := getattr(self, key)) is not None}

    @property
    def scored(self) -> Mapping[Split, SetRef]:
        """The sets that a detector is tested on, beside ID validation, in order."""
        found: dict[Split, SetRef] = {"test": self.id}
        if self.shift is not None:
            found["shift"] = self.shift
        if self.ood is not None:
            found["ood"] = self.ood
        return found


@dataclass(frozen=True)
class Protocol:
    """A tier's sizes; 0 is all that a fixed source has."""

    n_train: int
    """A fixed source gives the first n / N of each class's N images (POD's low-data protocol)."""
    n_val: int
    n_test: int
    n_ood: int = 0
    n_shift: int = 0
    n_val_ood: int = 0
    """0 for as many as `n_ood`."""
    n_outliers: int = 0
    n_unlabelled: int = 0
    """Unlabelled ID images for transductive detectors, disjoint from the tested ones."""
    n_ood_unlabelled: int = 0
    """Unlabelled images of the very OOD set, disjoint from the tested ones."""
    epochs: int = 0
    """Passes over the training set; unused by the softmax classifier, which is fitted exactly."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 0:
                raise ValueError(f"{name}: expected at least 0, found {value}")

    def size(self, split: Split) -> int:
        """How many examples of a split; 0 for all that there are."""
        sizes: dict[Split, int] = {
            "train": self.n_train,
            "val": self.n_val,
            "test": self.n_test,
            "shift": self.n_shift,
            "ood": self.n_ood,
            "ood-val": self.n_val_ood or self.n_ood,
            "outliers": self.n_outliers,
            "unlabelled": self.n_unlabelled,
            "ood-unlabelled": self.n_ood_unlabelled,
        }
        return sizes[split]


def task_params(task: TaskSpec) -> OodParams:
    """The typed `params` of a task.

    Raises:
        SpecError: a key is unknown, missing or ill-typed; names the file and the key.
    """
    return decode_params(OodParams, task)


def protocol(task: TaskSpec, tier_table: Mapping[str, Any]) -> Protocol:
    """The typed sizes of one of the task's tiers (`tier_table` is `trial.protocol`).

    Raises:
        SpecError: a key is unknown, missing or ill-typed; names the file and the key.
    """
    return decode_tier(Protocol, task, tier_table)
