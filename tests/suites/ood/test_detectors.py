"""Every detector's formula against a slow version of its own, and what a user may rely on."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from detecting import BIAS, TEST, TRAIN, WEIGHT, C, D, scored, softmax, split_of
from sklearn.covariance import ledoit_wolf
from torch import Tensor, nn

from rlbench.core.errors import RlbenchError, UsageError
from rlbench.suites.ood.classifiers import build, initialise
from rlbench.suites.ood.detectors import gaussian, knn
from rlbench.suites.ood.detectors.knn import Knn
from rlbench.suites.ood.detectors.logit import Energy, MaxLogit, Msp, log_odds
from rlbench.suites.ood.detectors.mahalanobis import Mahalanobis, RelativeMahalanobis
from rlbench.suites.ood.detectors.odin import Odin, confidence_loss_gradient
from rlbench.suites.ood.detectors.pod import Pod
from rlbench.suites.ood.detectors.react import React
from rlbench.suites.ood.detectors.vim import Vim
from rlbench.suites.ood.splits import Detector, Split

DETECTORS: dict[str, Callable[[], Detector]] = {
    "msp": Msp,
    "maxlogit": MaxLogit,
    "energy": lambda: Energy(temperature=1.0),
    "odin": lambda: Odin(temperature=10.0, magnitude=0.05),
    "mahalanobis": Mahalanobis,
    "rmds": RelativeMahalanobis,
    "knn": lambda: Knn(k=5, unit=True),
    "vim": lambda: Vim(kept=0.5),
    "react": lambda: React(quantile=0.9),
    "pod": lambda: Pod(exemplars=7),
}


# -- formulas -------------------------------------------------------------------------------------


def test_msp_is_the_log_odds_of_the_largest_probability() -> None:
    top = np.array([softmax(WEIGHT @ z + BIAS).max() for z in TEST])

    np.testing.assert_allclose(scored(Msp()), np.log((1 - top) / top), rtol=1e-9)


def test_msp_tells_confident_examples_apart_where_the_probability_rounds_to_one() -> None:
    logits = torch.tensor([[60.0, 0.0, 0.0], [70.0, 0.0, 0.0]])

    assert torch.equal(*logits.softmax(dim=1).max(dim=1).values[:, None])
    assert log_odds(logits)[0] > log_odds(logits)[1]


def test_maxlogit_is_the_negative_of_the_largest_logit() -> None:
    np.testing.assert_allclose(
        scored(MaxLogit()), [-max(WEIGHT @ z + BIAS) for z in TEST], rtol=1e-12
    )


@pytest.mark.parametrize("t", [1.0, 3.0])
def test_energy_is_the_scaled_log_sum_exp(t: float) -> None:
    slow = [-t * math.log(sum(math.exp(f / t) for f in WEIGHT @ z + BIAS)) for z in TEST]

    np.testing.assert_allclose(scored(Energy(temperature=t)), slow, rtol=1e-12)


def test_odin_moves_each_input_against_the_sign_of_its_gradient() -> None:
    t, step = 2.0, 0.05
    slow = []
    for z in TEST:
        p = softmax((WEIGHT @ z + BIAS) / t)
        gradient = WEIGHT.T @ (p - np.eye(C)[p.argmax()]) / t
        moved = z - step * np.where(gradient >= 0, 1.0, -1.0)
        top = softmax((WEIGHT @ moved + BIAS) / t).max()
        slow.append(math.log((1 - top) / top))

    np.testing.assert_allclose(scored(Odin(temperature=t, magnitude=step)), slow, rtol=1e-8)


def test_odin_gradient_agrees_with_finite_differences_on_the_network() -> None:
    model = build("resnet8", 1, 4)
    initialise(model, np.random.default_rng(0))
    model.double().eval().requires_grad_(False)
    x = torch.tensor(np.random.default_rng(1).normal(size=(3, 1, 8, 8)))
    gradient = confidence_loss_gradient(model, x, 2.0)
    predicted = model(x).argmax(1)

    def loss(inputs: Tensor) -> Tensor:
        return nn.functional.cross_entropy(model(inputs) / 2.0, predicted, reduction="none")

    for row, column in [(0, 0), (3, 4), (7, 2)]:
        nudge = torch.zeros_like(x)
        nudge[:, 0, row, column] = 1e-6
        slope = (loss(x + nudge) - loss(x - nudge)) / 2e-6
        torch.testing.assert_close(gradient[:, 0, row, column], slope, rtol=1e-4, atol=1e-8)


def test_odin_measures_its_step_in_units_of_the_raw_input() -> None:
    wide = split_of(TEST, input_std=4.0)
    detector = Odin(temperature=1.0, magnitude=0.2)

    expected = scored(Odin(temperature=1.0, magnitude=0.05))
    np.testing.assert_array_equal(detector.score(wide).numpy(), expected)


def test_odin_counts_a_zero_gradient_as_positive() -> None:
    # So confident that the probability is 1 and the gradient vanishes, but the logits still move.
    model = build("softmax", 1, 2)
    model.head.load_state_dict({"weight": torch.tensor([[1.0], [-1.0]]), "bias": torch.zeros(2)})
    x = torch.tensor([[1000.0]], dtype=torch.float64)
    fields = {"model": lambda: model, "inputs": lambda: x, "input_std": lambda: torch.ones(1)}
    split = Split(1, 2, fields, frozenset({"model"}))

    assert Odin(temperature=1.0, magnitude=0.5).score(split).item() == -2 * (1000.0 - 0.5)


def tied_covariance(z: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    means = np.array([z[y == c].mean(0) for c in range(C)])
    covariance = np.zeros((D, D))
    for v, c in zip(z, y, strict=True):
        covariance += np.outer(v - means[c], v - means[c]) / len(z)
    return means, covariance


def distance(z: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> float:
    ridge = gaussian.RIDGE * np.trace(covariance) / D * np.eye(D)
    return float((z - mean) @ np.linalg.inv(covariance + ridge) @ (z - mean))


def test_mahalanobis_is_the_distance_to_the_nearest_class() -> None:
    means, covariance = tied_covariance(*TRAIN)
    slow = [min(distance(z, mean, covariance) for mean in means) for z in TEST]

    np.testing.assert_allclose(scored(Mahalanobis()), slow, rtol=1e-9)


def test_rmds_takes_the_distance_under_one_gaussian_off() -> None:
    means, covariance = tied_covariance(*TRAIN)
    z0 = TRAIN[0]
    whole = np.cov(z0.T, bias=True)
    slow = [
        min(distance(z, mean, covariance) for mean in means) - distance(z, z0.mean(0), whole)
        for z in TEST
    ]

    np.testing.assert_allclose(scored(RelativeMahalanobis()), slow, rtol=1e-8)


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("k", [1, 5, 90])
def test_knn_is_the_distance_to_the_kth_neighbour(k: int, unit: bool) -> None:
    def scaled(z: np.ndarray) -> np.ndarray:
        return z / np.linalg.norm(z) if unit else z

    bank = [scaled(v) for v in TRAIN[0]]
    slow = [sorted(float(np.linalg.norm(scaled(z) - v)) for v in bank)[k - 1] for z in TEST]

    np.testing.assert_allclose(scored(Knn(k=k, unit=unit)), slow, rtol=1e-9)


def test_knn_is_exact_for_near_duplicates_in_single_precision() -> None:
    def split(z: Tensor) -> Split:
        return Split(len(z), 1, {"features": lambda: z}, frozenset({"features"}))

    bank = torch.nn.functional.normalize(torch.ones(1, 64), dim=1)
    near = bank.clone()
    near[0, 0] += 1e-6
    detector = Knn(k=1, unit=False)
    detector.fit(split(bank), split(bank))

    expected = float((near.double() - bank.double()).norm())
    assert detector.score(split(near)).item() == pytest.approx(expected, rel=1e-9)


def test_vim_adds_the_scaled_residual_to_the_energy() -> None:
    z, _ = TRAIN
    origin = -np.linalg.pinv(WEIGHT) @ BIAS
    values, vectors_ = np.linalg.eig((z - origin).T @ (z - origin))
    minor = vectors_[:, np.argsort(values)[: D // 2]]

    def residual(v: np.ndarray) -> float:
        return float(np.linalg.norm(minor.T @ (v - origin)))

    alpha = sum(max(WEIGHT @ v + BIAS) for v in z) / sum(residual(v) for v in z)
    slow = [alpha * residual(v) - np.log(np.exp(WEIGHT @ v + BIAS).sum()) for v in TEST]

    np.testing.assert_allclose(scored(Vim(kept=0.5)), slow, rtol=1e-8)


def test_react_is_the_energy_of_clipped_features() -> None:
    clip = np.sort(TRAIN[0].ravel())[math.floor(0.9 * (TRAIN[0].size - 1)) :][:2]
    share = 0.9 * (TRAIN[0].size - 1) % 1
    bound = clip[0] + share * (clip[1] - clip[0])
    slow = [-np.log(np.exp(WEIGHT @ np.minimum(z, bound) + BIAS).sum()) for z in TEST]

    np.testing.assert_allclose(scored(React(quantile=0.9)), slow, rtol=1e-9)


def test_pod_is_the_mean_distance_to_the_first_exemplars_of_the_nearest_class() -> None:
    z, y = TRAIN
    kept = [z[y == c][:7] for c in range(C)]
    slow = [min(np.mean([((v - p) ** 2).sum() for p in own]) for own in kept) for v in TEST]

    np.testing.assert_allclose(scored(Pod(exemplars=7)), slow, rtol=1e-9)


# -- what holds for all of them -------------------------------------------------------------------


@pytest.mark.parametrize("name", DETECTORS)
def test_a_score_depends_on_its_own_example_only(name: str) -> None:
    whole = scored(DETECTORS[name]())
    order = np.random.default_rng(0).permutation(len(TEST))
    detector = DETECTORS[name]()
    detector.fit(split_of(*TRAIN), split_of(*TRAIN))
    one_by_one = [float(detector.score(split_of(z[None]))[0]) for z in TEST]

    np.testing.assert_allclose(scored(DETECTORS[name](), TEST[order]), whole[order], rtol=1e-9)
    np.testing.assert_allclose(one_by_one, whole, rtol=1e-9)


@pytest.mark.parametrize("name", [name for name in DETECTORS if name != "pod"])
def test_the_order_of_training_examples_does_not_matter(name: str) -> None:
    z, y = TRAIN
    order = np.random.default_rng(1).permutation(len(z))

    shuffled = scored(DETECTORS[name](), train=(z[order], y[order]))
    np.testing.assert_allclose(shuffled, scored(DETECTORS[name]()), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", DETECTORS)
def test_scoring_again_gives_the_same_bits(name: str) -> None:
    assert scored(DETECTORS[name]()).tobytes() == scored(DETECTORS[name]()).tobytes()


def test_knn_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = scored(Knn(k=9, unit=True))
    monkeypatch.setattr(knn, "BLOCK", 4)
    monkeypatch.setattr(knn, "QUERIES", 7)

    np.testing.assert_allclose(scored(Knn(k=9, unit=True)), whole, rtol=1e-12)


# -- edges ----------------------------------------------------------------------------------------


def test_features_that_are_always_zero_do_no_harm() -> None:
    dead = TRAIN[0].copy()
    dead[:, 2] = 0.0
    test = TEST.copy()
    test[:, 2] = 0.0

    for detector in (Mahalanobis(), RelativeMahalanobis(), Vim(kept=0.5)):
        assert np.isfinite(scored(detector, test, (dead, TRAIN[1]))).all()


def test_no_more_examples_than_dimensions_get_the_shrunk_covariance_of_ledoit_and_wolf() -> None:
    z, y = TRAIN[0][:D], np.arange(D) % C
    means = np.array([z[y == c].mean(0) for c in range(C)])
    covariance, _ = ledoit_wolf(z - means[y], assume_centered=True)
    slow = [min(distance(v, mean, covariance) for mean in means) for v in TEST]

    np.testing.assert_allclose(scored(Mahalanobis(), train=(z, y)), slow, rtol=1e-9)


@pytest.mark.parametrize("cls", [Mahalanobis, RelativeMahalanobis, lambda: Pod(exemplars=3)])
def test_a_class_without_examples_is_named(cls: Callable[[], Detector]) -> None:
    z, y = TRAIN

    with pytest.raises(RlbenchError, match=r"no training example of class \[1\] of 3"):
        scored(cls(), train=(z[y != 1], y[y != 1]))


@pytest.mark.parametrize("name", ["mahalanobis", "rmds", "vim", "pod"])
def test_features_that_are_not_finite_are_refused_naming_the_detector(name: str) -> None:
    z = TRAIN[0].copy()
    z[TRAIN[1] == 1, 0] = np.nan
    detector = DETECTORS[name]()

    with pytest.raises(RlbenchError, match=f"^{type(detector).__name__}: .* not finite"):
        scored(detector, train=(z, TRAIN[1]))


def test_settings_that_leave_nothing_to_measure_are_refused() -> None:
    with pytest.raises(UsageError, match="k is 91, but there are 90"):
        scored(Knn(k=91, unit=True))
    with pytest.raises(UsageError, match="a subspace of 6; expected one of 1 to 5"):
        scored(Vim(kept=1.0))
