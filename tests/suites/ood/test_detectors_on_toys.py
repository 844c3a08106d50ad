"""Where each detector wins and fails on the toy pairs, which were built to show just that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rlbench.core.assets import AssetStore
from rlbench.core.context import Context
from rlbench.core.data import DataStore
from rlbench.core.registry import Registry
from rlbench.core.trial import Trial, resolve_params
from rlbench.suites.ood.suite import SUITE

REGISTRY = Registry.load()
SEEDS = range(5)

# AUROC in percent: a reference computed from the definitions by other code, n = 2000, five seeds.
EXPECTED = {
    "between": {"msp": 97.2, "mahalanobis": 14.5, "rmds": 96.9, "knn": 8.6, "pod": 14.7},
    "far-in-class": {"msp": 0.0, "mahalanobis": 99.9, "rmds": 100.0, "knn": 99.9, "pod": 99.9},
    "off-subspace": {"msp": 50.0, "mahalanobis": 100.0, "rmds": 51.2, "knn": 99.6, "pod": 61.6},
    "wrong-covariance": {"msp": 51.7, "mahalanobis": 60.4, "rmds": 32.1, "knn": 94.8, "pod": 50.4},
    "hole": {"msp": 49.4, "mahalanobis": 21.1, "rmds": 49.6, "knn": 100.0, "pod": 0.0},
}


def auroc(root: AssetStore, toy: str, baseline: str, seed: int) -> float:
    task, recipe = REGISTRY.tasks[f"ood/toy-{toy}"], REGISTRY.baselines[f"ood/{baseline}"]
    params = resolve_params(task, recipe, "small", {})
    trial = Trial(task, recipe, params, {}, "small", seed)
    ctx = Context(trial, assets=root, data=DataStore({}), checkpoint=Path("unused.npz"))
    return SUITE.metrics_of(task, SUITE.run(trial, ctx).evidence)["auroc"]


@pytest.mark.parametrize("toy", EXPECTED)
def test_detectors_win_and_fail_where_the_toy_says(tmp_path: Path, toy: str) -> None:
    assets = AssetStore(tmp_path, "0" * 64)
    measured = {
        baseline: 100 * float(np.mean([auroc(assets, toy, baseline, seed) for seed in SEEDS]))
        for baseline in EXPECTED[toy]
    }

    assert measured == pytest.approx(EXPECTED[toy], abs=3.0)


def test_logit_detectors_agree_on_two_classes(tmp_path: Path) -> None:
    assets = AssetStore(tmp_path, "0" * 64)
    found = [auroc(assets, "between", name, 0) for name in ("msp", "maxlogit", "energy", "odin")]

    assert found == pytest.approx([found[0]] * 4, abs=0.01)
