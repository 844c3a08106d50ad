"""From task to features: normalisation, shared assets, and what a detector can and cannot see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rlbench.core.assets import AssetStore
from rlbench.core.context import Context
from rlbench.core.data import DataStore
from rlbench.core.errors import UsageError
from rlbench.core.registry import Registry
from rlbench.core.trial import Trial
from rlbench.suites.ood import inputs, sets
from rlbench.suites.ood.features import Pipeline
from rlbench.suites.ood.inputs import Normaliser
from rlbench.suites.ood.params import Protocol, SetRef, task_params
from rlbench.suites.ood.splits import NEEDS, Split

REGISTRY = Registry.load()
SIZES = Protocol(n_train=200, n_val=40, n_test=60, n_ood=50, epochs=2)


def pipeline(root: Path, task: str, sizes: Protocol = SIZES, **changes: Any) -> Pipeline:
    spec = REGISTRY.tasks[task]
    trial = Trial(spec, REGISTRY.baselines["ood/msp"], {}, {}, "smoke", seed=3)
    assets = AssetStore(root, "0" * 64)
    data = DataStore(REGISTRY.data)
    ctx = Context(trial, assets=assets, data=data, checkpoint=root / "checkpoint.npz")
    return Pipeline(ctx, replace(task_params(spec), **changes), sizes)


def out(source: Pipeline) -> SetRef:
    """The out-of-distribution set of a pair."""
    assert source.task.ood is not None
    return source.task.ood


@pytest.mark.parametrize("shape", [(50, 6, 6), (50, 6, 6, 3)])
def test_images_are_normalised_to_mean_0_and_deviation_1_in_every_channel(
    shape: tuple[int, ...],
) -> None:
    x = np.random.default_rng(0).integers(0, 200, size=shape, dtype=np.uint8)
    if len(shape) == 4:
        x[..., 1] //= 4
    inputs = Normaliser.of(x).inputs(x).double()

    assert inputs.shape == (50, 1 if len(shape) == 3 else 3, 6, 6)
    torch.testing.assert_close(inputs.mean((0, 2, 3)), torch.zeros(inputs.shape[1]).double())
    ones = torch.ones(inputs.shape[1]).double()
    torch.testing.assert_close(inputs.std((0, 2, 3), correction=0), ones)


def test_a_step_in_pixels_is_a_step_over_the_scale_in_inputs() -> None:
    x = np.random.default_rng(0).integers(0, 200, size=(5, 4, 4, 3), dtype=np.uint8)
    normaliser = Normaliser.of(x)
    moved = normaliser.inputs(x + np.uint8(51))  # 51 / 255 = 0.2

    expected = normaliser.inputs(x) + 0.2 / normaliser.scale(x)
    torch.testing.assert_close(moved, expected, rtol=1e-5, atol=1e-5)


def test_a_blank_channel_does_not_divide_by_zero() -> None:
    blank = np.full((3, 4, 4), 7, dtype=np.uint8)

    assert torch.equal(Normaliser.of(blank).inputs(blank), torch.zeros(3, 1, 4, 4))


def test_vectors_are_left_as_they_are() -> None:
    x = np.random.default_rng(0).normal(5, 3, size=(9, 2))
    normaliser = Normaliser.of(x)

    assert np.array_equal(normaliser.inputs(x).numpy(), x)
    assert torch.equal(normaliser.scale(x), torch.ones(1).double())


@pytest.mark.parametrize("task", ["ood/digits8-6789", "ood/toy-between"])
def test_stored_outputs_are_what_the_model_says_of_the_inputs(tmp_path: Path, task: str) -> None:
    source = pipeline(tmp_path, task)
    split = source.split(out(source), "ood", frozenset(NEEDS) - {"maps"})
    head = split.head

    torch.testing.assert_close(split.logits, split.model(split.inputs), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        split.logits, split.features @ head.weight.T + head.bias, rtol=1e-4, atol=1e-5
    )
    assert torch.equal(split.predictions, split.logits.argmax(1))
    assert split.n == len(split.inputs) == SIZES.n_ood


def test_feature_maps_average_to_the_features(tmp_path: Path) -> None:
    source = pipeline(tmp_path, "ood/digits8-6789")
    split = source.split(source.task.id, "val", frozenset({"maps", "features"}))

    torch.testing.assert_close(split.maps[-1].mean((2, 3)), split.features, rtol=1e-4, atol=1e-5)


def test_the_model_is_frozen_and_in_evaluation_mode(tmp_path: Path) -> None:
    source = pipeline(tmp_path, "ood/digits8-6789")
    model = source.split(source.task.id, "test", frozenset({"model"})).model

    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())


def test_softmax_regression_has_no_feature_maps(tmp_path: Path) -> None:
    source = pipeline(tmp_path, "ood/toy-hole")
    split = source.split(source.task.id, "val", frozenset({"maps"}))

    with pytest.raises(UsageError, match=r"Split.maps: not offered by this classifier"):
        _ = split.maps


def test_only_what_a_detector_needs_is_computed_or_shown() -> None:
    def never() -> torch.Tensor:
        raise AssertionError("was computed")

    fields = {"logits": never, "features": lambda: torch.ones(2, 2)}
    split = Split(2, 2, fields, frozenset({"features"}))

    assert torch.equal(split.features, torch.ones(2, 2))
    with pytest.raises(UsageError, match=r"Split.logits: add 'logits' to the detector's needs"):
        _ = split.logits
    with pytest.raises(UsageError, match=r"Split.inputs: add 'model' to the detector's needs"):
        _ = split.inputs
    with pytest.raises(UsageError, match=r"Split.labels: kept from a detector"):
        _ = split.labels


def test_a_class_missing_from_training_is_named(tmp_path: Path) -> None:
    few = replace(SIZES, n_train=3)

    with pytest.raises(UsageError, match=r"training set has no example of class .* all 6 classes"):
        pipeline(tmp_path, "ood/digits8-6789", few).outputs(SetRef("digits8"), "val")


def test_sets_of_another_shape_are_refused(tmp_path: Path) -> None:
    source = pipeline(tmp_path, "ood/digits8-6789", ood=SetRef("gaussian"))

    with pytest.raises(UsageError, match=r"gaussian: examples have shape \(28, 28\), expected"):
        source.outputs(out(source), "ood")


def test_the_out_of_distribution_set_has_no_say_in_the_classifier(tmp_path: Path) -> None:
    one = pipeline(tmp_path, "ood/glyph-gaussian")
    other = pipeline(tmp_path, "ood/glyph-letters-upper", replace(SIZES, n_ood=77))

    assert one.trainer.about == other.trainer.about


@pytest.mark.data
def test_data_sets_are_noted_even_when_every_asset_is_cached(
    tmp_path: Path,
) -> None:
    first = pipeline(tmp_path, "ood/mnist-kmnist")
    if any(first.ctx._data.missing(name) for name in ("mnist-test", "kmnist-test")):
        pytest.skip("MNIST and KMNIST are not under RLBENCH_DATA")
    first.outputs(out(first), "ood")
    second = pipeline(tmp_path, "ood/mnist-kmnist")
    second.outputs(out(second), "ood")

    assert set(second.ctx.used_data) == {"mnist-test", "kmnist-test"}


def test_the_bytes_do_not_depend_on_how_many_examples_are_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for name, at_once in (("few", 7), ("all", 10_000)):
        monkeypatch.setattr(sets, "AT_ONCE", at_once)
        monkeypatch.setattr(inputs, "AT_ONCE", at_once)
        source = pipeline(tmp_path / name, "ood/glyph-inverted")
        source.outputs(source.task.id, "test")
        files = (tmp_path / name / "assets").glob("*/*/*.npy")
        made.append({path.relative_to(tmp_path / name): path.read_bytes() for path in files})

    assert made[0] == made[1]
    assert {path.name for path in made[0]} >= {"x.npy", "y.npy", "features.npy", "input_std.npy"}
