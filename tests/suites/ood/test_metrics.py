"""Detection metrics against scikit-learn and brute force, ties included."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    auc,
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
)

from rlbench.suites.ood import metrics
from rlbench.suites.ood.metrics import METRICS, Ranking, pair_metrics, threshold95

# Few distinct values, so that most examples are tied.
tied = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=60)
spread = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)
scores = tied | spread

Evidence = dict[str, np.ndarray]


def labelled(inside: list[float], outside: list[float]) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat([0, 1], [len(inside), len(outside)]), np.array(inside + outside)


@given(scores, scores)
def test_auroc_counts_pairs_with_ties_as_half(inside: list[float], outside: list[float]) -> None:
    wins = sum((o > i) + (o == i) / 2 for o in outside for i in inside)

    assert metrics.auroc(Ranking.of(inside, outside)) == wins / (len(inside) * len(outside))


@given(scores, scores)
def test_areas_agree_with_scikit_learn(inside: list[float], outside: list[float]) -> None:
    y, s = labelled(inside, outside)
    ranking = Ranking.of(inside, outside)
    precision, recall, _ = precision_recall_curve(y, s)
    precision_in, recall_in, _ = precision_recall_curve(1 - y, -s)

    assert metrics.auroc(ranking) == pytest.approx(roc_auc_score(y, s), abs=1e-12)
    assert metrics.average_precision(ranking) == pytest.approx(average_precision_score(y, s))
    assert metrics.aupr_trapezoid(ranking) == pytest.approx(auc(recall, precision))
    mirrored = ranking.reversed()
    assert metrics.average_precision(mirrored) == pytest.approx(average_precision_score(1 - y, -s))
    assert metrics.aupr_trapezoid(mirrored) == pytest.approx(auc(recall_in, precision_in))


@given(scores, scores)
def test_fpr_is_the_least_over_all_thresholds_that_reach_95_percent(
    inside: list[float], outside: list[float]
) -> None:
    i, o = np.array(inside), np.array(outside)
    thresholds = np.unique(np.concatenate([i, o]))
    accepted = [np.mean(o <= t) for t in thresholds if 100 * np.sum(i <= t) >= 95 * len(i)]
    flagged = [np.mean(i >= t) for t in thresholds if 100 * np.sum(o >= t) >= 95 * len(o)]

    ranking = Ranking.of(inside, outside)
    assert metrics.fpr95_id_pos(ranking) == min(accepted)
    assert metrics.fpr95_ood_pos(ranking) == min(flagged)


@given(tied, tied, st.randoms(use_true_random=False))
def test_order_of_examples_and_monotone_rescaling_change_nothing(
    inside: list[float], outside: list[float], random: object
) -> None:
    before = Ranking.of(inside, outside)
    random.shuffle(inside)  # type: ignore[attr-defined]
    random.shuffle(outside)  # type: ignore[attr-defined]
    after = Ranking.of([x**3 + x for x in inside], [x**3 + x for x in outside])

    assert np.array_equal(before.id_at, after.id_at)
    assert np.array_equal(before.ood_at, after.ood_at)


def test_the_two_conventions_of_fpr_differ() -> None:
    inside = [0.0] * 94 + [10.0] * 6
    outside = [5.0] * 50 + [11.0] * 50

    ranking = Ranking.of(inside, outside)
    assert metrics.fpr95_id_pos(ranking) == 0.5
    assert metrics.fpr95_ood_pos(ranking) == 0.06


@pytest.mark.parametrize(
    ("inside", "outside", "auroc", "fpr"), [([0, 1], [2, 3], 1.0, 0.0), ([2, 2], [2, 2], 0.5, 1.0)]
)
def test_separated_and_constant_scores_give_the_extremes(
    inside: list[float], outside: list[float], auroc: float, fpr: float
) -> None:
    ranking = Ranking.of(inside, outside)

    assert metrics.auroc(ranking) == auroc
    assert (metrics.fpr95_id_pos(ranking), metrics.fpr95_ood_pos(ranking)) == (fpr, fpr)


@given(scores)
def test_threshold_keeps_95_percent_and_no_lower_score_does(validation: list[float]) -> None:
    values = np.array(validation)
    threshold = threshold95(values)
    lower = values[values < threshold]

    assert 100 * np.sum(values <= threshold) >= 95 * len(values)
    if len(lower):
        assert 100 * np.sum(values <= lower.max()) < 95 * len(values)


def evidence(seed: int = 0) -> Evidence:
    rng = np.random.default_rng(seed)
    labels = np.arange(200) % 4
    return {
        "id_val_scores": rng.normal(size=200),
        "id_val_labels": labels,
        "id_val_predictions": labels,
        "id_test_scores": rng.normal(size=200),
        "id_test_labels": labels,
        "id_test_predictions": np.where(np.arange(200) < 50, 0, labels),
        "ood_scores": rng.normal(1.0, size=300),
    }


def test_every_declared_metric_comes_out_within_its_bounds() -> None:
    found = pair_metrics(evidence())

    assert set(found) == set(METRICS)
    for name, value in found.items():
        low, high = METRICS[name].low, METRICS[name].high
        assert low is not None
        assert high is not None
        assert low <= value <= high


def test_accuracy_and_deployed_threshold_are_read_off_the_right_sets() -> None:
    given_evidence = evidence()
    found = pair_metrics(given_evidence)
    threshold = np.sort(given_evidence["id_val_scores"])[189]

    wrong = np.sum(np.arange(50) % 4 != 0) / 200
    assert found["id_accuracy"] == 1 - wrong
    assert found["id_kept"] == np.mean(given_evidence["id_test_scores"] <= threshold)
    assert found["ood_flagged"] == np.mean(given_evidence["ood_scores"] > threshold)


def test_every_metric_goes_by_its_own_name() -> None:
    e = evidence()
    e["ood_scores"] = np.round(e["ood_scores"], 1)
    y, s = labelled(list(e["id_test_scores"]), list(e["ood_scores"]))
    kept, flagged = np.sort(e["id_test_scores"])[189], np.sort(e["ood_scores"])[15]
    precision, recall, _ = precision_recall_curve(y, s)
    precision_in, recall_in, _ = precision_recall_curve(1 - y, -s)
    found = pair_metrics(e)

    assert found["fpr95_id_pos"] == np.mean(e["ood_scores"] <= kept)
    assert found["fpr95_ood_pos"] == np.mean(e["id_test_scores"] >= flagged)
    assert found["aupr_out_ap"] == pytest.approx(average_precision_score(y, s))
    assert found["aupr_in_ap"] == pytest.approx(average_precision_score(1 - y, -s))
    assert found["aupr_out_trapezoid"] == pytest.approx(auc(recall, precision))
    assert found["aupr_in_trapezoid"] == pytest.approx(auc(recall_in, precision_in))


def test_a_score_at_the_threshold_counts_as_in_distribution() -> None:
    e = evidence()
    e["ood_scores"] = np.full(300, threshold95(e["id_val_scores"]))

    assert pair_metrics(e)["ood_flagged"] == 0.0


def _drop(e: Evidence) -> None:
    del e["ood_scores"]


def _empty(e: Evidence) -> None:
    e["ood_scores"] = np.zeros(0)


def _nan(e: Evidence) -> None:
    e["id_test_scores"][3] = np.nan


def _single(e: Evidence) -> None:
    e["id_test_labels"] = np.full(200, 2)


def _short(e: Evidence) -> None:
    e["id_val_predictions"] = np.zeros(7, dtype=np.int64)


def _matrix(e: Evidence) -> None:
    e["ood_scores"] = np.zeros((3, 2))


def _text(e: Evidence) -> None:
    e["ood_scores"] = np.array(["1", "2"])


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (_drop, "evidence: missing ood_scores"),
        (_empty, "ood_scores: empty"),
        (_nan, "id_test_scores: 1 of 200 are NaN"),
        (_single, "id_test_labels: all are class 2; expected at least two"),
        (_short, r"id_val_predictions: expected integers \(200,\), found int64 \(7,\)"),
        (_matrix, r"ood_scores: expected numbers \(n,\), found float64 \(3, 2\)"),
        (_text, r"ood_scores: expected numbers \(n,\), found <U1"),
    ],
)
def test_bad_evidence_is_refused_by_name(damage: Callable[[Evidence], None], line: str) -> None:
    bad = evidence()
    damage(bad)

    with pytest.raises(ValueError, match=line):
        pair_metrics(bad)
