"""What goes beyond one classifier's outputs: ensembles, dropout, validation on OOD images."""

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
from rlbench.core.suite import Outcome
from rlbench.core.trial import Trial, resolve_params
from rlbench.suites.ood.features import Pipeline
from rlbench.suites.ood.params import protocol, task_params
from rlbench.suites.ood.splits import Split
from rlbench.suites.ood.suite import SUITE

REGISTRY = Registry.load()
SIZES = {"n_train": 200, "n_val": 40, "n_test": 60, "n_ood": 50, "epochs": 1}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def trial_of(task: str, baseline: str) -> Trial:
    spec = replace(REGISTRY.tasks[task], tiers={"smoke": SIZES})
    recipe = REGISTRY.baselines[f"ood/{baseline}"]
    return Trial(spec, recipe, resolve_params(spec, recipe, "smoke", {}), {}, "smoke", 0)


def context(root: Path, trial: Trial) -> Context:
    return Context(
        trial,
        assets=AssetStore(root, "0" * 64),
        data=DataStore(REGISTRY.data),
        checkpoint=root / "checkpoint.npz",
    )


def run(root: Path, task: str, baseline: str) -> Outcome:
    trial = trial_of(task, baseline)
    return SUITE.run(trial, context(root, trial))


def shown(root: Path, task: str, part: Any, *needs: str, labelled: bool = False) -> Split:
    trial = trial_of(task, "msp")
    pipeline = Pipeline(context(root, trial), task_params(trial.task), protocol(trial.task, SIZES))
    return pipeline.split(pipeline.task.id, part, frozenset(needs), labelled=labelled)


def test_members_of_an_ensemble_differ_and_the_first_is_the_tasks_own(shared: Path) -> None:
    split = shown(shared, "ood/glyph-inverted", "test", "members", "logits")
    members = [split.member(number) for number in (0, 1, 2)]

    assert torch.equal(members[0], split.logits)
    assert len({tuple(np.round(member[0].numpy(), 6)) for member in members}) == 3


def test_the_classifier_for_dropout_is_another_and_its_outputs_fit_its_last_layer(
    shared: Path,
) -> None:
    split = shown(shared, "ood/glyph-inverted", "test", "dropout", "features")
    z, head = split.thinned(0.5)

    assert z.shape == split.features.shape
    assert not torch.equal(z, split.features)
    assert head.weight.shape == (10, z.shape[1])


def test_maps_come_in_parts_equal_to_the_whole_and_to_those_with_gradients(shared: Path) -> None:
    split = shown(shared, "ood/glyph-inverted", "test", "maps", "model")
    parts = [maps for (maps,) in split.parts("maps", rows=25)]
    fresh = split.maps_of(split.inputs.requires_grad_(True))

    assert all(stage.requires_grad for stage in fresh)
    for i, stage in enumerate(split.maps):
        torch.testing.assert_close(torch.cat([maps[i] for maps in parts]), stage)
        torch.testing.assert_close(fresh[i].detach(), stage)


def test_ood_validation_is_shown_unlabelled_on_the_validation_set_only(shared: Path) -> None:
    val = shown(shared, "ood/glyph-inverted", "val", "logits", "val_ood", labelled=True)

    assert val.ood.logits.shape == (50, 10)
    with pytest.raises(UsageError, match="labels: kept from a detector"):
        _ = val.ood.labels
    with pytest.raises(UsageError, match=r"Split.ood: .*\(val_ood\)"):
        _ = shown(shared, "ood/glyph-inverted", "test", "val_ood").ood
    with pytest.raises(UsageError, match=r"Split.ood: .*\(val_ood\)"):
        _ = shown(shared, "ood/digits8-6789", "val", "val_ood", labelled=True).ood


def test_what_was_chosen_is_noted_and_does_not_depend_on_the_tested_set(shared: Path) -> None:
    grid = REGISTRY.baselines["ood/ash-tuned"].params["grid"].value["pruned"]
    one, two = (run(shared, f"ood/glyph-{name}", "ash-tuned") for name in ("inverted", "gaussian"))

    assert one.notes["tuned"]["pruned"] in grid
    assert one.notes["tuned"] == two.notes["tuned"]
    assert one.notes["tuned_auroc"] == two.notes["tuned_auroc"]


@pytest.mark.parametrize("baseline", ["ensemble", "mc-dropout", "mahalanobis-ensemble"])
def test_a_repeated_trial_gives_the_same_bits(tmp_path: Path, shared: Path, baseline: str) -> None:
    one, two = (run(root, "ood/glyph-inverted", baseline) for root in (shared, tmp_path))

    assert one.evidence["ood_scores"].tobytes() == two.evidence["ood_scores"].tobytes()
