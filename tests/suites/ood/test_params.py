"""What a task may say, and what it is told when it says something else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rlbench.core.errors import SpecError
from rlbench.core.spec import Point, ReferencePoints, TaskSpec
from rlbench.suites.ood.params import OodParams, Protocol, SetRef, protocol, task_params

SIZES = {"n_train": 10, "n_val": 5, "n_test": 5, "n_ood": 5}


def task(params: dict[str, Any] | None = None, **tier: Any) -> TaskSpec:
    plain = {
        "id": {"source": "digits8", "classes": [1, 0]},
        "ood": {"source": "digits8", "classes": [2]},
        "classifier": "resnet8",
    }
    return TaskSpec(
        suite="ood",
        name="mine",
        version=1,
        title="Mine",
        family="mine",
        origin="real",
        primary="auroc",
        reference=ReferencePoints(Point(0.5, "chance"), Point(1.0, "perfect")),
        tiers={"small": {**SIZES, **tier}},
        params=plain | (params or {}),
        file="ood/mine.toml",
    )


def test_params_decode_to_typed_sets() -> None:
    assert task_params(task()) == OodParams(
        id=SetRef("digits8", (1, 0)), ood=SetRef("digits8", (2,)), classifier="resnet8"
    )


def test_sizes_decode_and_epochs_default_to_none() -> None:
    mine = task()
    assert protocol(mine, mine.tiers["small"]) == Protocol(10, 5, 5, 5, epochs=0)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"clasifier": "softmax"}, ["params.clasifier", "did you mean 'classifier'"]),
        ({"id": {"sorce": "digits8"}}, ["params.id.sorce", "did you mean 'source'"]),
        ({"classifier": "resnet9"}, ["params.classifier", "'resnet8'", "did you mean"]),
        ({"ood": {"source": "digits8", "classes": [1, 1]}}, ["params.ood", "classes", "different"]),
        ({"ood": {"source": "digits8", "classes": ["1"]}}, ["params.ood.classes[0]", "an integer"]),
    ],
)
def test_a_wrong_key_is_named_with_its_file(params: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        task_params(task(params))
    text = str(caught.value)
    assert "\n" not in text
    assert all(word in text for word in ["ood/mine.toml", *words]), text


@pytest.mark.parametrize(
    ("tier", "words"),
    [
        ({"n_tran": 5}, ["tiers.small.n_tran", "did you mean 'n_train'"]),
        ({"n_ood": -1}, ["tiers.small", "n_ood", "at least 0"]),
        ({"epochs": 1.5}, ["tiers.small.epochs", "an integer"]),
    ],
)
def test_a_wrong_size_is_named_with_its_tier(tier: dict[str, Any], words: list[str]) -> None:
    mine = task(**tier)
    with pytest.raises(SpecError) as caught:
        protocol(mine, mine.tiers["small"])
    assert all(word in str(caught.value) for word in ["ood/mine.toml", *words])


PAIR = {"ood": {"source": "a"}}
SHIFT = {"shift": {"source": "b"}}


@pytest.mark.parametrize(
    ("kind", "sets", "words"),
    [
        ("pair", {}, "ood: expected in a task of kind 'pair'"),
        ("pair", PAIR | SHIFT, "shift: expected none in a task of kind 'pair'"),
        ("full-spectrum", PAIR, "shift: expected in a task of kind 'full-spectrum'"),
        ("full-spectrum", SHIFT, "ood: expected in a task of kind 'full-spectrum'"),
        ("selective", PAIR | SHIFT, "ood: expected none in a task of kind 'selective'"),
        ("selective", {}, "shift: expected in a task of kind 'selective'"),
    ],
)
def test_each_kind_needs_its_sets_and_no_others(
    kind: str, sets: dict[str, Any], words: str
) -> None:
    mine = task()
    params = {"id": {"source": "c"}, "classifier": "resnet8", "kind": kind, **sets}
    with pytest.raises(SpecError, match=words):
        task_params(replace(mine, params=params))


@pytest.mark.parametrize(
    ("kind", "sets", "scored"),
    [
        ("pair", PAIR, ["test", "ood"]),
        ("full-spectrum", PAIR | SHIFT, ["test", "shift", "ood"]),
        ("selective", SHIFT, ["test", "shift"]),
    ],
)
def test_a_detector_is_tested_on_the_sets_of_the_kind(
    kind: str, sets: dict[str, Any], scored: list[str]
) -> None:
    params = {"id": {"source": "c"}, "classifier": "resnet8", "kind": kind, **sets}
    assert list(task_params(replace(task(), params=params)).scored) == scored


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ({"source": "folder"}, "path: goes with source 'folder' only"),
        ({"source": "mnist", "path": "x"}, "path: goes with source 'folder' only"),
        ({"source": "folder", "path": "../x"}, "expected a path inside the data folder"),
        ({"source": "folder", "path": "/x"}, "expected a path inside the data folder"),
        ({"source": "folder", "path": "x", "size": 0}, "n_classes, size"),
        ({"source": "folder", "path": "x", "n_classes": -1}, "n_classes, size"),
    ],
)
def test_a_folder_of_ones_own_is_named_by_a_path_inside_the_data_folder(
    ref: dict[str, Any], words: str
) -> None:
    with pytest.raises(SpecError, match=words):
        task_params(task({"id": ref}))


def test_as_many_images_for_choosing_as_for_testing_unless_told_otherwise() -> None:
    assert Protocol(10, 5, 5, 7).size("ood-val") == 7
    assert Protocol(10, 5, 5, 7, n_val_ood=3).size("ood-val") == 3
