"""From a trial's evidence to metrics, for every kind of task."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_auc_score

from rlbench.suites.ood.detection import threshold95
from rlbench.suites.ood.metrics import METRICS, evidence_names, metric_names, metrics_of
from rlbench.suites.ood.params import Kind

Evidence = dict[str, np.ndarray]
KINDS: tuple[Kind, ...] = ("pair", "full-spectrum", "selective")


def evidence(kind: Kind = "pair") -> Evidence:
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 4
    every = {
        "id_val_scores": rng.normal(size=200),
        "id_val_labels": labels,
        "id_val_predictions": labels,
        "id_val_confidences": rng.uniform(size=200),
        "id_test_scores": rng.normal(size=200),
        "id_test_labels": labels,
        "id_test_predictions": np.where(np.arange(200) < 50, 0, labels),
        "id_test_confidences": rng.uniform(size=200),
        "shift_scores": rng.normal(0.5, size=100),
        "shift_labels": labels[:100],
        "shift_predictions": np.zeros(100, dtype=np.int64),
        "shift_confidences": rng.uniform(size=100),
        "ood_scores": rng.normal(1.0, size=300),
    }
    return {name: every[name] for name in evidence_names(kind)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_metric_of_a_kind_comes_out_within_its_bounds(kind: Kind) -> None:
    found = metrics_of(kind, evidence(kind))

    assert set(found) == metric_names(kind)
    for name, value in found.items():
        low, high = METRICS[name].low, METRICS[name].high
        assert low is not None
        assert high is not None
        assert low <= value <= high


def test_accuracy_and_deployed_threshold_are_read_off_the_right_sets() -> None:
    given_evidence = evidence()
    found = metrics_of("pair", given_evidence)
    threshold = np.sort(given_evidence["id_val_scores"])[189]

    wrong = np.sum(np.arange(50) % 4 != 0) / 200
    assert found["id_accuracy"] == 1 - wrong
    assert found["id_kept"] == np.mean(given_evidence["id_test_scores"] <= threshold)
    assert found["ood_flagged"] == np.mean(given_evidence["ood_scores"] > threshold)


def labelled(inside: np.ndarray, outside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat([0, 1], [len(inside), len(outside)]), np.concatenate([inside, outside])


def test_full_spectrum_counts_shifted_examples_as_in_distribution() -> None:
    e = evidence("full-spectrum")
    inside = np.concatenate([e["id_test_scores"], e["shift_scores"]])
    found = metrics_of("full-spectrum", e)

    assert found["auroc"] == pytest.approx(roc_auc_score(*labelled(inside, e["ood_scores"])))
    strict = metrics_of("pair", evidence("pair"))
    assert found["auroc_unshifted"] == strict["auroc"] != found["auroc"]
    assert found["id_accuracy"] == strict["id_accuracy"]
    assert found["shift_accuracy"] == 0.25
    assert found["shift_kept"] == np.mean(e["shift_scores"] <= threshold95(e["id_val_scores"]))


def test_selective_metrics_are_of_the_id_set_the_shifted_set_and_both() -> None:
    e = evidence("selective")
    # Scores that put every wrong answer last: then accuracy is limited by coverage alone.
    for part in ("id_test", "shift"):
        e[f"{part}_scores"] = (e[f"{part}_predictions"] != e[f"{part}_labels"]).astype(float)
    found = metrics_of("selective", e)
    rights = {"_id": 200 - 37, "_shift": 25, "": 200 - 37 + 25}
    sizes = {"_id": 200, "_shift": 100, "": 300}

    for end, right in rights.items():
        answered = np.arange(1, sizes[end] + 1)
        best = np.minimum(answered, right) / answered
        assert found[f"selective_auc{end}"] == pytest.approx(best.mean())
        assert found[f"coverage_at_accuracy_99{end}"] == pytest.approx(
            np.flatnonzero(best >= 0.99)[-1] / sizes[end] + 1 / sizes[end]
        )


def test_every_metric_goes_by_its_own_name() -> None:
    e = evidence()
    e["ood_scores"] = np.round(e["ood_scores"], 1)
    y, s = labelled(e["id_test_scores"], e["ood_scores"])
    kept, flagged = np.sort(e["id_test_scores"])[189], np.sort(e["ood_scores"])[15]
    precision, recall, _ = precision_recall_curve(y, s)
    precision_in, recall_in, _ = precision_recall_curve(1 - y, -s)
    found = metrics_of("pair", e)

    assert found["fpr95_id_pos"] == np.mean(e["ood_scores"] <= kept)
    assert found["fpr95_ood_pos"] == np.mean(e["id_test_scores"] >= flagged)
    assert found["aupr_out_ap"] == pytest.approx(average_precision_score(y, s))
    assert found["aupr_in_ap"] == pytest.approx(average_precision_score(1 - y, -s))
    assert found["aupr_out_trapezoid"] == pytest.approx(auc(recall, precision))
    assert found["aupr_in_trapezoid"] == pytest.approx(auc(recall_in, precision_in))


def test_a_score_at_the_threshold_counts_as_in_distribution() -> None:
    e = evidence()
    e["ood_scores"] = np.full(300, threshold95(e["id_val_scores"]))

    assert metrics_of("pair", e)["ood_flagged"] == 0.0


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
        metrics_of("pair", bad)


def test_confidences_that_are_no_probabilities_are_refused() -> None:
    bad = evidence("selective")
    bad["shift_confidences"] = bad["shift_confidences"] + 0.5

    with pytest.raises(ValueError, match=r"confidences: expected 0 to 1, found"):
        metrics_of("selective", bad)
