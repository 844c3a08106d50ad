"""Detection metrics against scikit-learn and brute force, ties included."""

from __future__ import annotations

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

from rlbench.suites.ood import detection
from rlbench.suites.ood.detection import Ranking, threshold95

# Few distinct values, so that most examples are tied.
tied = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=60)
spread = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)
scores = tied | spread


def labelled(inside: list[float], outside: list[float]) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat([0, 1], [len(inside), len(outside)]), np.array(inside + outside)


@given(scores, scores)
def test_auroc_counts_pairs_with_ties_as_half(inside: list[float], outside: list[float]) -> None:
    wins = sum((o > i) + (o == i) / 2 for o in outside for i in inside)

    assert detection.auroc(Ranking.of(inside, outside)) == wins / (len(inside) * len(outside))


@given(scores, scores)
def test_areas_agree_with_scikit_learn(inside: list[float], outside: list[float]) -> None:
    y, s = labelled(inside, outside)
    ranking = Ranking.of(inside, outside)
    precision, recall, _ = precision_recall_curve(y, s)
    precision_in, recall_in, _ = precision_recall_curve(1 - y, -s)

    assert detection.auroc(ranking) == pytest.approx(roc_auc_score(y, s), abs=1e-12)
    assert detection.average_precision(ranking) == pytest.approx(average_precision_score(y, s))
    assert detection.aupr_trapezoid(ranking) == pytest.approx(auc(recall, precision))
    mirrored = ranking.reversed()
    assert detection.average_precision(mirrored) == pytest.approx(
        average_precision_score(1 - y, -s)
    )
    assert detection.aupr_trapezoid(mirrored) == pytest.approx(auc(recall_in, precision_in))


@given(scores, scores)
def test_fpr_is_the_least_over_all_thresholds_that_reach_95_percent(
    inside: list[float], outside: list[float]
) -> None:
    i, o = np.array(inside), np.array(outside)
    thresholds = np.unique(np.concatenate([i, o]))
    accepted = [np.mean(o <= t) for t in thresholds if 100 * np.sum(i <= t) >= 95 * len(i)]
    flagged = [np.mean(i >= t) for t in thresholds if 100 * np.sum(o >= t) >= 95 * len(o)]

    ranking = Ranking.of(inside, outside)
    assert detection.fpr95_id_pos(ranking) == min(accepted)
    assert detection.fpr95_ood_pos(ranking) == min(flagged)


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
    assert detection.fpr95_id_pos(ranking) == 0.5
    assert detection.fpr95_ood_pos(ranking) == 0.06


@pytest.mark.parametrize(
    ("inside", "outside", "auroc", "fpr"), [([0, 1], [2, 3], 1.0, 0.0), ([2, 2], [2, 2], 0.5, 1.0)]
)
def test_separated_and_constant_scores_give_the_extremes(
    inside: list[float], outside: list[float], auroc: float, fpr: float
) -> None:
    ranking = Ranking.of(inside, outside)

    assert detection.auroc(ranking) == auroc
    assert (detection.fpr95_id_pos(ranking), detection.fpr95_ood_pos(ranking)) == (fpr, fpr)


@given(scores)
def test_threshold_keeps_95_percent_and_no_lower_score_does(validation: list[float]) -> None:
    values = np.array(validation)
    threshold = threshold95(values)
    lower = values[values < threshold]

    assert 100 * np.sum(values <= threshold) >= 95 * len(values)
    if len(lower):
        assert 100 * np.sum(values <= lower.max()) < 95 * len(values)
