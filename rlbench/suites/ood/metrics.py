"""What a trial of each kind of task leaves as evidence, and which metrics come of it.

Scores are higher where the detector takes an example for out of distribution. The figures
themselves are worked out in `detection` and `selective`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from rlbench.core.suite import Metric
from rlbench.suites.ood.detection import (
    Ranking,
    Scores,
    auroc,
    checked_scores,
    detection_metrics,
    threshold95,
)
from rlbench.suites.ood.params import Kind
from rlbench.suites.ood.selective import LEVELS, selective_metrics

Evidence = Mapping[str, np.ndarray[Any, Any]]

_PARTS: Mapping[Kind, tuple[str, ...]] = {
    "pair": ("id_val", "id_test"),
    "full-spectrum": ("id_val", "id_test", "shift"),
    "selective": ("id_val", "id_test", "shift"),
}
"""The labelled sets that a trial leaves figures of."""
_TESTED = ("id_test", "shift")
_SETS = {"": _TESTED, "_id": ("id_test",), "_shift": ("shift",)}
"""What the end of a selective metric's name says that it is measured on."""


def evidence_names(kind: Kind) -> tuple[str, ...]:
    """The arrays of a trial's evidence.

    For each labelled set its `scores` float64, `labels` and `predictions` integer, and for
    selective classification `confidences` float64, the probability of the prediction, all (n,);
    then the scores of the out-of-distribution set, if there is one.
    """
    fields = ["scores", "labels", "predictions"]
    if kind == "selective":
        fields.append("confidences")
    names = [f"{part}_{field}" for part in _PARTS[kind] for field in fields]
    return (*names, *(["ood_scores"] if kind != "selective" else []))


def _share(name: str, doc: str, *, lower: bool = False) -> Metric:
    return Metric(name, doc, "fraction", "lower" if lower else "higher", 0.0, 1.0)


_DETECTION = (
    _share("auroc", "chance that an OOD example scores above an ID one, ties half"),
    _share("fpr95_id_pos", "OOD accepted when at least 95 % of ID is accepted", lower=True),
    _share("fpr95_ood_pos", "ID flagged when at least 95 % of OOD is flagged", lower=True),
    _share("aupr_in_trapezoid", "area under precision-recall, ID positive"),
    _share("aupr_out_trapezoid", "area under precision-recall, OOD positive"),
    _share("aupr_in_ap", "average precision, ID positive"),
    _share("aupr_out_ap", "average precision, OOD positive"),
    _share("ood_flagged", "OOD flagged at the threshold that keeps 95 % of ID validation"),
)
_ALWAYS = (
    _share("id_accuracy", "classifier's accuracy on the ID test set"),
    _share("id_kept", "ID test accepted at the threshold that keeps 95 % of ID validation"),
)
_SHIFTED = (
    _share("shift_accuracy", "classifier's accuracy on the shifted ID set"),
    _share("shift_kept", "shifted ID accepted at the threshold that keeps 95 % of ID validation"),
)
_STRICT = (_share("auroc_unshifted", "AUROC when the shifted set is left out"),)


def _selective() -> Iterator[Metric]:
    on = {"": "ID test and shifted together", "_id": "ID test", "_shift": "the shifted set"}
    for end, where in on.items():
        yield _share(f"selective_auc{end}", f"mean accuracy over all coverages, {where}")
        for n in LEVELS:
            yield _share(f"accuracy_at_coverage_{n}{end}", f"with {n} % answered, {where}")
        for n in LEVELS:
            doc = f"most that can be answered with {n} % right, {where}"
            yield _share(f"coverage_at_accuracy_{n}{end}", doc)
        yield _share(f"ece{end}", f"expected calibration error of the softmax, {where}", lower=True)


_BY_KIND: Mapping[Kind, tuple[Metric, ...]] = {
    "pair": (*_DETECTION, *_ALWAYS),
    "full-spectrum": (*_DETECTION, *_STRICT, *_ALWAYS, *_SHIFTED),
    "selective": (*_selective(), *_ALWAYS, *_SHIFTED),
}
METRICS: Mapping[str, Metric] = {m.name: m for metrics in _BY_KIND.values() for m in metrics}
"""Every metric of the suite."""


def metric_names(kind: Kind) -> frozenset[str]:
    """The metrics of a kind of task."""
    return frozenset(metric.name for metric in _BY_KIND[kind])


def metrics_of(kind: Kind, evidence: Evidence) -> dict[str, float]:
    """Every metric of the kind from a trial's evidence.

    Raises:
        ValueError: an array is missing, malformed, empty or NaN, or a label set holds one class.
    """
    _check_evidence(kind, evidence)
    threshold = threshold95(evidence["id_val_scores"])
    found: dict[str, float] = {}
    for part in (part for part in _PARTS[kind] if part in _TESTED):
        name = part.removesuffix("_test")
        found[f"{name}_accuracy"] = float(np.mean(_right(evidence, part)))
        found[f"{name}_kept"] = float(np.mean(_scores(evidence, part) <= threshold))
    if kind == "selective":
        return found | _selective_metrics(evidence)
    outside = _scores(evidence, "ood")
    inside = _scores(evidence, "id_test")
    if kind == "full-spectrum":
        found["auroc_unshifted"] = auroc(Ranking.of(inside, outside))
        inside = np.concatenate([inside, _scores(evidence, "shift")])
    found["ood_flagged"] = float(np.mean(outside > threshold))
    return found | detection_metrics(inside, outside)


def _selective_metrics(evidence: Evidence) -> dict[str, float]:
    found: dict[str, float] = {}
    for end, parts in _SETS.items():
        scores = np.concatenate([_scores(evidence, part) for part in parts])
        right = np.concatenate([_right(evidence, part) for part in parts])
        confidences = np.concatenate([evidence[f"{part}_confidences"] for part in parts])
        on = selective_metrics(scores, right, confidences)
        found |= {f"{name}{end}": value for name, value in on.items()}
    return found


def _scores(evidence: Evidence, part: str) -> Scores:
    return checked_scores(f"{part}_scores", evidence[f"{part}_scores"])


def _right(evidence: Evidence, part: str) -> np.ndarray[Any, Any]:
    right: np.ndarray[Any, Any] = evidence[f"{part}_predictions"] == evidence[f"{part}_labels"]
    return right


def _check_evidence(kind: Kind, evidence: Evidence) -> None:
    names = evidence_names(kind)
    if missing := [name for name in names if name not in evidence]:
        raise ValueError(f"evidence: missing {', '.join(missing)}")
    for part in _PARTS[kind]:
        size = np.shape(evidence[f"{part}_scores"])
        for field, kinds in (("labels", "iu"), ("predictions", "iu"), ("confidences", "f")):
            name = f"{part}_{field}"
            array = evidence[name] if name in names else None
            if array is not None and (array.dtype.kind not in kinds or array.shape != size):
                expected = "integers" if kinds == "iu" else "floats"
                raise ValueError(
                    f"{name}: expected {expected} {size}, found {array.dtype} {array.shape}"
                )
        labels = evidence[f"{part}_labels"]
        if labels.size and labels.min() == labels.max():
            raise ValueError(f"{part}_labels: all are class {labels[0]}; expected at least two")
