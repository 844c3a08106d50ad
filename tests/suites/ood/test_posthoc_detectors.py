"""The detectors beyond the first ten: each against a slow version, and what holds for all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from detecting import (
    BIAS,
    TEST,
    TRAIN,
    WEIGHT,
    C,
    D,
    linear,
    maps_of,
    rectified,
    scored,
    softmax,
    split_of,
    vectors,
)
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from rlbench.core.errors import RlbenchError, UsageError
from rlbench.core.seeding import generator
from rlbench.suites.ood import splits
from rlbench.suites.ood.detection import Ranking, auroc
from rlbench.suites.ood.detectors import knn, nnguide, tempscale
from rlbench.suites.ood.detectors.combined import L2, logistic_weights
from rlbench.suites.ood.detectors.dice import Dice
from rlbench.suites.ood.detectors.ensemble import Ensemble, McDropout
from rlbench.suites.ood.detectors.fdbd import Fdbd
from rlbench.suites.ood.detectors.gaussian import RIDGE
from rlbench.suites.ood.detectors.gradnorm import GradNorm
from rlbench.suites.ood.detectors.gram import MARGIN, Gram, gram_rows
from rlbench.suites.ood.detectors.klm import KlMatching
from rlbench.suites.ood.detectors.knn import Knn
from rlbench.suites.ood.detectors.logit import Gen, Msp
from rlbench.suites.ood.detectors.mahalanobis import Mahalanobis, RelativeMahalanobis
from rlbench.suites.ood.detectors.mahalanobis_ensemble import MahalanobisEnsemble
from rlbench.suites.ood.detectors.nnguide import NnGuide
from rlbench.suites.ood.detectors.pod import Pod
from rlbench.suites.ood.detectors.react import React
from rlbench.suites.ood.detectors.shaping import Ash, Scale
from rlbench.suites.ood.detectors.she import She
from rlbench.suites.ood.detectors.tempscale import TempScale
from rlbench.suites.ood.detectors.vim import Residual, Vim
from rlbench.suites.ood.splits import Detector

POSITIVE = rectified(90, 1)
POSITIVE_TEST, _ = rectified(40, 2)

DETECTORS: dict[str, Callable[[], Detector]] = {
    "tempscale": TempScale,
    "gen": lambda: Gen(gamma=0.1, top=2),
    "klm": KlMatching,
    "residual": lambda: Residual(kept=0.5),
    "dice": lambda: Dice(dropped=0.5),
    "ash-p": lambda: Ash(variant="p", pruned=0.5),
    "ash-b": lambda: Ash(variant="b", pruned=0.5),
    "ash-s": lambda: Ash(variant="s", pruned=0.5),
    "scale": lambda: Scale(pruned=0.5),
    "she": She,
    "gradnorm": lambda: GradNorm(temperature=1.0),
    "fdbd": Fdbd,
    "nnguide": lambda: NnGuide(k=5),
    "gram": lambda: Gram(powers=3),
    "mahalanobis-ensemble": lambda: MahalanobisEnsemble(magnitude=0.05),
    "ensemble": lambda: Ensemble(members=3),
    "mc-dropout": lambda: McDropout(rate=0.3, passes=7),
}
OLDER: dict[str, Callable[[], Detector]] = {
    "mahalanobis": Mahalanobis,
    "rmds": RelativeMahalanobis,
    "knn": lambda: Knn(k=5, unit=True),
    "vim": lambda: Vim(kept=0.5),
    "react": lambda: React(quantile=0.9),
    "pod": lambda: Pod(exemplars=7),
}
each_detector = pytest.mark.parametrize("name", DETECTORS)


def logits_of(z: np.ndarray) -> np.ndarray:
    result: np.ndarray = z @ WEIGHT.T + BIAS
    return result


def energy(z: np.ndarray, weight: np.ndarray = WEIGHT) -> float:
    return -math.log(np.exp(weight @ z + BIAS).sum())


def positive(detector: Detector) -> np.ndarray:
    return scored(detector, POSITIVE_TEST, POSITIVE)


# -- formulas -------------------------------------------------------------------------------------


def test_tempscale_finds_the_temperature_of_least_validation_loss() -> None:
    z, y = TRAIN

    def loss(t: float) -> float:
        return -float(
            np.mean([math.log(softmax(logits_of(v) / t)[c]) for v, c in zip(z, y, strict=True)])
        )

    best = minimize_scalar(loss, bounds=(0.05, 50), method="bounded", options={"xatol": 1e-9}).x
    detector = TempScale()
    top = np.array([softmax(logits_of(v) / best).max() for v in TEST])

    np.testing.assert_allclose(scored(detector), np.log((1 - top) / top), rtol=1e-4)
    assert detector.temperature == pytest.approx(best, rel=1e-5)


def test_tempscale_stops_at_its_bound_when_validation_has_no_error() -> None:
    z, _ = TRAIN
    detector = TempScale()
    detector.fit(split_of(z), split_of(z, logits_of(z).argmax(1)))

    assert detector.temperature == pytest.approx(tempscale.COLDEST)
    assert np.isfinite(detector.score(split_of(TEST)).numpy()).all()


@pytest.mark.parametrize(("gamma", "top"), [(0.1, 3), (0.5, 2), (2.0, 1), (0.1, 100)])
def test_gen_is_the_entropy_of_the_largest_probabilities(gamma: float, top: int) -> None:
    slow = []
    for z in TEST:
        p = sorted(softmax(logits_of(z)), reverse=True)[:top]
        slow.append(sum(q**gamma * (1 - q) ** gamma for q in p))

    np.testing.assert_allclose(scored(Gen(gamma=gamma, top=top)), slow, rtol=1e-7)


def test_gen_tells_confident_examples_apart_where_the_probability_rounds_to_one() -> None:
    sure = linear(np.eye(2, D), np.zeros(2))
    z = np.outer([50.0, 60.0], np.eye(D)[0])
    one, two = Gen(gamma=0.1, top=1).score(split_of(z, model=sure))

    assert one > two > 0


def test_klm_is_the_least_divergence_from_a_mean_softmax() -> None:
    p = np.array([softmax(f) for f in logits_of(TRAIN[0])])
    means = [p[p.argmax(1) == k].mean(0) for k in range(C)]
    slow = []
    for q in (softmax(f) for f in logits_of(TEST)):
        slow.append(min(sum(a * math.log(a / b) for a, b in zip(q, d, strict=True)) for d in means))

    np.testing.assert_allclose(scored(KlMatching()), slow, rtol=1e-8, atol=1e-12)


def test_klm_leaves_out_a_class_that_is_never_predicted() -> None:
    z = TRAIN[0][logits_of(TRAIN[0]).argmax(1) != 1]
    detector = KlMatching()
    detector.fit(split_of(z), split_of(z))
    p = np.array([softmax(f) for f in logits_of(z)])
    means = [p[p.argmax(1) == k].mean(0) for k in (0, 2)]
    slow = [
        min(sum(a * math.log(a / b) for a, b in zip(softmax(f), d, strict=True)) for d in means)
        for f in logits_of(TEST)
    ]

    np.testing.assert_allclose(detector.score(split_of(TEST)).numpy(), slow, rtol=1e-8, atol=1e-12)


def test_residual_is_the_length_outside_the_principal_subspace() -> None:
    z, _ = TRAIN
    origin = -np.linalg.pinv(WEIGHT) @ BIAS
    values, directions = np.linalg.eig((z - origin).T @ (z - origin))
    minor = directions[:, np.argsort(values)[: D // 2]]
    slow = [np.linalg.norm(minor.T @ (v - origin)) for v in TEST]

    np.testing.assert_allclose(scored(Residual(kept=0.5)), slow, rtol=1e-8)


@pytest.mark.parametrize("dropped", [0.0, 0.5, 0.9])
def test_dice_is_the_energy_of_the_weights_that_contribute_most(dropped: float) -> None:
    mean = TRAIN[0].mean(0)
    shares = [WEIGHT[c, d] * mean[d] for c, d in itertools.product(range(C), range(D))]
    bound = np.quantile(shares, dropped)
    kept = np.array([[w * m > bound for w, m in zip(row, mean, strict=True)] for row in WEIGHT])

    slow = [energy(z, WEIGHT * kept) for z in TEST]
    np.testing.assert_allclose(scored(Dice(dropped=dropped)), slow, rtol=1e-9)


def ash(z: np.ndarray, variant: str, pruned: float) -> np.ndarray:
    keep = sorted(range(D), key=lambda d: -z[d])[: D - round(D * pruned)]
    shaped = np.zeros(D)
    for d in keep:
        shaped[d] = z[d] if variant != "b" else sum(z) / len(keep)
    if variant == "s":
        shaped *= math.exp(sum(z) / sum(z[d] for d in keep))
    return shaped


@pytest.mark.parametrize("pruned", [0.0, 0.35, 0.65])
@pytest.mark.parametrize("variant", ["p", "b", "s"])
def test_ash_is_the_energy_of_each_examples_reshaped_features(variant: str, pruned: float) -> None:
    slow = [energy(ash(z, variant, pruned)) for z in POSITIVE_TEST]

    np.testing.assert_allclose(positive(Ash(variant=variant, pruned=pruned)), slow, rtol=1e-9)


@pytest.mark.parametrize("pruned", [0.0, 0.65])
def test_scale_multiplies_all_features_by_the_factor_of_ash_s(pruned: float) -> None:
    slow = []
    for z in POSITIVE_TEST:
        largest = sorted(z, reverse=True)[: D - round(D * pruned)]
        slow.append(energy(z * math.exp(sum(z) / sum(largest))))

    np.testing.assert_allclose(positive(Scale(pruned=pruned)), slow, rtol=1e-9)


@pytest.mark.parametrize("detector", [Ash("s", 0.65), Ash("b", 0.65), Scale(0.65)])
def test_features_that_are_all_zero_get_the_energy_of_the_bias(detector: Detector) -> None:
    assert detector.score(split_of(np.zeros((1, D)))).item() == pytest.approx(energy(np.zeros(D)))


@pytest.mark.parametrize("detector", [Ash("s", 0.65), Scale(0.65)])
def test_shaping_refuses_features_below_zero(detector: Detector) -> None:
    with pytest.raises(UsageError, match="features below 0"):
        detector.score(split_of(TEST))


def test_she_is_the_product_with_the_mean_of_correct_examples() -> None:
    z, y = TRAIN
    right = logits_of(z).argmax(1) == y
    patterns = [z[right & (y == c)].mean(0) for c in range(C)]
    slow = [-float(v @ patterns[logits_of(v).argmax()]) for v in TEST]

    np.testing.assert_allclose(scored(She()), slow, rtol=1e-9)


@pytest.mark.parametrize("t", [1.0, 2.5])
def test_gradnorm_is_the_norm_of_the_gradient_that_autograd_finds(t: float) -> None:
    layer = nn.Linear(D, C).double()
    layer.load_state_dict({"weight": torch.tensor(WEIGHT), "bias": torch.tensor(BIAS)})
    slow = []
    for z in TEST:
        loss = -(layer(torch.tensor(z)) / t).log_softmax(dim=0).sum()
        (gradient,) = torch.autograd.grad(loss, layer.weight)
        slow.append(-gradient.abs().sum().item())

    np.testing.assert_allclose(scored(GradNorm(temperature=t)), slow, rtol=1e-9)


def test_fdbd_is_the_mean_distance_to_the_decision_boundaries() -> None:
    mean, slow = TRAIN[0].mean(0), []
    for z in TEST:
        f = logits_of(z)
        y = int(f.argmax())
        gaps = [(f[y] - f[c]) / np.linalg.norm(WEIGHT[y] - WEIGHT[c]) for c in range(C) if c != y]
        slow.append(-float(np.mean(gaps)) / np.linalg.norm(z - mean))

    np.testing.assert_allclose(scored(Fdbd()), slow, rtol=1e-9)


@pytest.mark.parametrize("k", [1, 5, 90])
def test_nnguide_weighs_the_energy_by_the_nearest_directions(k: int) -> None:
    bank = [-energy(v) * v / np.linalg.norm(v) for v in TRAIN[0]]
    slow = []
    for z in TEST:
        near = sorted((float(v @ z) / np.linalg.norm(z) for v in bank), reverse=True)[:k]
        slow.append(float(np.mean(near)) * energy(z))

    np.testing.assert_allclose(scored(NnGuide(k=k)), slow, rtol=1e-9)


def naive_rows(stage: np.ndarray, powers: int) -> np.ndarray:
    """Row sums of whole Gram matrices of one example's maps [channels, h, w]."""
    flat = stage.reshape(len(stage), -1)
    rows = []
    for p in range(1, powers + 1):
        matrix = np.array([[sum(a**p * b**p) for b in flat] for a in flat])
        sums = matrix.sum(1)
        rows.append(np.sign(sums) * np.abs(sums) ** (1 / p))
    return np.concatenate(rows)


def test_gram_sums_relative_deviations_from_the_predicted_classs_bounds() -> None:
    def stages(z: np.ndarray) -> list[np.ndarray]:
        return [naive_rows(stage[0].numpy(), 3) for stage in maps_of(torch.tensor(z[None]))]

    train = [(stages(z), c) for z, c in zip(*TRAIN, strict=True)]
    held_out, _ = vectors(30, 5)

    def deviations(z: np.ndarray) -> np.ndarray:
        y, found = int(logits_of(z).argmax()), []
        for i, g in enumerate(stages(z)):
            seen = np.array([own[i] for own, c in train if c == y])
            low, high = seen.min(0), seen.max(0)
            below = np.maximum(low - g, 0) / np.abs(low + MARGIN)
            above = np.maximum(g - high, 0) / np.abs(high + MARGIN)
            found.append(sum(below) + sum(above))
        return np.array(found)

    usual = np.mean([deviations(z) for z in held_out], axis=0)
    detector = Gram(powers=3)
    detector.fit(split_of(*TRAIN), split_of(held_out))

    slow = [(deviations(z) / usual).sum() for z in TEST]
    np.testing.assert_allclose(detector.score(split_of(TEST)).numpy(), slow, rtol=1e-8)


def test_gram_rows_are_those_of_the_matrices_for_signed_maps_too() -> None:
    maps = np.random.default_rng(0).normal(size=(5, 4, 3, 2))
    slow = [naive_rows(stage, 5) for stage in maps]

    np.testing.assert_allclose(gram_rows(torch.tensor(maps), 5).numpy(), slow, rtol=1e-9)


def test_gram_names_a_class_without_examples() -> None:
    z, y = TRAIN

    with pytest.raises(RlbenchError, match=r"Gram: no training example of class \[1\] of 3"):
        scored(Gram(powers=1), train=(z[y != 1], y[y != 1]))


def test_mahalanobis_ensemble_steps_towards_the_nearest_class_at_every_stage() -> None:
    z, y = TRAIN
    step, outside = 0.05, z * 0.4 - 0.5

    def pooled(x: Tensor) -> list[Tensor]:
        return [stage.mean(dim=(2, 3)) for stage in maps_of(x)]

    models = []
    for stage in pooled(torch.tensor(z)):
        means = torch.stack([stage[y == c].mean(0) for c in range(C)])
        off = stage - means[torch.tensor(y)]
        covariance = off.T @ off / len(z)
        ridge = RIDGE * covariance.diagonal().mean() * torch.eye(stage.shape[1])
        models.append((means, torch.linalg.inv(covariance + ridge)))

    def nearest(x: Tensor, i: int) -> Tensor:
        means, precision = models[i]
        gaps = pooled(x[None])[i][0] - means
        return torch.stack([gap @ precision @ gap for gap in gaps]).min()

    def distances(v: np.ndarray) -> list[float]:
        found = []
        for i in range(2):
            x = torch.tensor(v, requires_grad=True)
            (slope,) = torch.autograd.grad(nearest(x, i), x)
            found.append(nearest((x - step * slope.sign()).detach(), i).item())
        return found

    inside_scores, outside_scores = ([distances(v) for v in part] for part in (z, outside))
    weights = logistic_weights(torch.tensor(inside_scores), torch.tensor(outside_scores)).numpy()

    slow = [distances(v) @ weights for v in TEST]
    np.testing.assert_allclose(scored(MahalanobisEnsemble(magnitude=step)), slow, rtol=1e-6)


def test_logistic_weights_are_those_of_a_balanced_penalised_regression() -> None:
    rng = np.random.default_rng(3)
    inside, outside = rng.normal(size=(80, 3)), rng.normal(size=(30, 3)) * 2 + [1.0, 0.0, -1.0]
    x = np.concatenate([inside, outside]) * [1.0, 10.0, 0.1]
    scale = x.std(axis=0, ddof=1)
    y = np.arange(110) >= 80
    model = LogisticRegression(C=1 / (110 * L2), class_weight="balanced", tol=1e-10)
    model.fit((x - x.mean(axis=0)) / scale, y)

    found = logistic_weights(torch.tensor(x[:80]), torch.tensor(x[80:])).numpy()
    np.testing.assert_allclose(found, model.coef_[0] / scale, rtol=1e-4)


def test_ensemble_is_the_log_odds_of_the_mean_probability() -> None:
    test = split_of(TEST)
    slow = []
    for i in range(len(TEST)):
        top = np.mean([softmax(test.member(m)[i].numpy()) for m in range(3)], axis=0).max()
        slow.append(math.log((1 - top) / top))

    np.testing.assert_allclose(Ensemble(members=3).score(test).numpy(), slow, rtol=1e-8)


def test_mc_dropout_averages_passes_that_each_leave_out_some_features() -> None:
    masks = generator("ood-mc-dropout", 7).random((7, D)) >= 0.3
    slow = []
    for z in TEST:
        top = np.mean([softmax(logits_of(z * mask / 0.7)) for mask in masks], axis=0).max()
        slow.append(math.log((1 - top) / top))

    np.testing.assert_allclose(scored(McDropout(rate=0.3, passes=7)), slow, rtol=1e-8)


@pytest.mark.parametrize("detector", [Ensemble(members=1), McDropout(rate=0.0, passes=4)])
def test_one_classifier_averaged_is_the_plain_softmax_detector(detector: Detector) -> None:
    np.testing.assert_allclose(scored(detector), scored(Msp()), rtol=1e-9)


# -- what holds for all of them -------------------------------------------------------------------


@each_detector
def test_a_score_depends_on_its_own_example_only(name: str) -> None:
    detector = DETECTORS[name]()
    whole = positive(detector)
    order = np.random.default_rng(0).permutation(len(POSITIVE_TEST))
    one_by_one = [detector.score(split_of(z[None])).item() for z in POSITIVE_TEST[order]]

    np.testing.assert_allclose(one_by_one, whole[order], rtol=1e-8)


@each_detector
def test_the_order_of_training_examples_does_not_matter(name: str) -> None:
    z, y = POSITIVE
    order = np.random.default_rng(1).permutation(len(z))

    shuffled = scored(DETECTORS[name](), POSITIVE_TEST, (z[order], y[order]))
    np.testing.assert_allclose(shuffled, positive(DETECTORS[name]()), rtol=1e-6, atol=1e-9)


@each_detector
def test_scoring_again_gives_the_same_bits(name: str) -> None:
    assert positive(DETECTORS[name]()).tobytes() == positive(DETECTORS[name]()).tobytes()


@pytest.mark.parametrize("name", [*DETECTORS, *OLDER])
def test_reading_a_set_in_parts_does_not_show(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make = (DETECTORS | OLDER)[name]
    whole = positive(make())
    monkeypatch.setattr(splits, "PART", 7)
    for module in (knn, nnguide):
        monkeypatch.setattr(module, "BLOCK", 11)
        monkeypatch.setattr(module, "QUERIES", 9)

    np.testing.assert_allclose(positive(make()), whole, rtol=1e-8, atol=1e-10)


def clear_case(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confident ID features along three axes, and faint ones that lie across them."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % C
    inside = 4 * np.repeat(np.eye(C)[y], 2, axis=1) + np.abs(rng.normal(size=(n, D))) * 0.1
    outside = np.tile([1.2, 0.0], C) + np.abs(rng.normal(size=(n, D))) * 0.1
    return inside, y, outside


@each_detector
def test_a_higher_score_means_out_of_distribution(name: str) -> None:
    model = linear(np.repeat(np.eye(C), 2, axis=1), np.zeros(C))
    z, y, seen = clear_case(120, 1)
    inside, _, outside = clear_case(60, 2)
    detector = DETECTORS[name]()
    fit = split_of(z, y, model=model, ood=seen)
    detector.fit(fit, fit)
    scores = [detector.score(split_of(part, model=model)).numpy() for part in (inside, outside)]

    assert auroc(Ranking.of(*scores)) > 0.95


@pytest.mark.parametrize(("detector", "line"), [
    (NnGuide(k=91), "NnGuide: k is 91, but there are 90"),
    (Residual(kept=1.0), "Residual: kept is 1 of 6 features"),
])  # fmt: skip
def test_settings_that_leave_nothing_to_measure_are_refused(detector: Any, line: str) -> None:
    with pytest.raises(UsageError, match=line):
        scored(detector)


def test_she_stores_all_examples_of_a_class_of_which_none_is_classified_correctly() -> None:
    z, y = TRAIN
    predicted = logits_of(z).argmax(1)
    wrong = np.where(predicted == 1, 0, y)
    patterns = [z[(wrong == c) & ((predicted == c) | (c == 1))].mean(axis=0) for c in range(C)]
    named = logits_of(TEST).argmax(1)

    found = scored(She(), train=(z, wrong))

    np.testing.assert_allclose(found, -(TEST * np.array(patterns)[named]).sum(axis=1))
