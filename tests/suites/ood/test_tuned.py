"""Hyperparameters chosen on ID and OOD validation, and never on what is tested."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from detecting import TEST, TRAIN, split_of

from rlbench.core.errors import UsageError
from rlbench.suites.ood.detection import Ranking, auroc
from rlbench.suites.ood.detectors.knn import Knn
from rlbench.suites.ood.detectors.tuned import Tuned
from rlbench.suites.ood.splits import Split

KNN = "rlbench.suites.ood.detectors.knn:Knn"
KS = [1, 5, 40, 80]
OUTSIDE = np.random.default_rng(4).normal(size=(50, TRAIN[0].shape[1])) * 3 + 1


def validation() -> tuple[Split, Split]:
    return split_of(*TRAIN), split_of(TRAIN[0][::2], TRAIN[1][::2], ood=OUTSIDE)


def tuned(**grid: list[Any]) -> Tuned:
    return Tuned(detector=KNN, params={"unit": False}, grid=grid)


def test_the_value_with_the_best_validation_auroc_is_used_and_noted() -> None:
    train, val = validation()
    found = {}
    for k in KS:
        plain = Knn(k=k, unit=False)
        plain.fit(train, val)
        found[k] = auroc(Ranking.of(plain.score(val).numpy(), plain.score(val.ood).numpy()))
    best = max(found, key=found.__getitem__)
    detector, chosen = tuned(k=KS), Knn(k=best, unit=False)
    for one in (detector, chosen):
        one.fit(train, val)

    assert detector.notes == {"tuned": {"k": best}, "tuned_auroc": found[best]}
    assert min(found.values()) < found[best]
    test = split_of(TEST)
    assert np.array_equal(detector.score(test).numpy(), chosen.score(test).numpy())


def test_a_value_that_the_sets_are_too_small_for_is_left_out() -> None:
    detector = tuned(k=[1000, 3])
    detector.fit(*validation())

    assert detector.notes["tuned"] == {"k": 3}


def test_a_grid_that_never_fits_says_why() -> None:
    with pytest.raises(UsageError, match="k is 1000, but there are 90"):
        tuned(k=[500, 1000]).fit(*validation())


def test_an_empty_grid_is_refused() -> None:
    with pytest.raises(UsageError, match="grid: expected values"):
        tuned(k=[])


def test_it_needs_what_the_detector_needs_and_ood_validation() -> None:
    assert tuned(k=KS).needs == {"features", "val_ood"}
