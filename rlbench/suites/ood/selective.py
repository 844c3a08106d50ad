"""Selective classification: answer where the score is low, abstain elsewhere (arXiv 1705.08500).

Coverage is the share of examples that are answered, selective accuracy the share of right answers
among them. Everything is read off one sort of the scores; where scores are tied, each of the tied
examples counts as the mean of all of them, so that the order of the examples has no say.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rlbench.suites.ood.detection import Scores, checked_scores

LEVELS = (90, 95, 99)
"""Coverages and accuracies asked for, in per cent (those of DCM, arXiv 2306.04974)."""
BINS = 15
"""Of the calibration error, as in Guo et al. 2017 (arXiv 1706.04599)."""


def accuracy_by_coverage(scores: npt.ArrayLike, right: npt.ArrayLike) -> Scores:
    """Selective accuracy when the k examples of lowest score are answered, at index k - 1.

    Args:
        scores: float (n,); higher = more likely to abstain.
        right: bool (n,), whether the prediction is right.

    Returns:
        float64 (n,).

    Raises:
        ValueError: the arrays are empty, hold NaN or differ in length.
    """
    given = checked_scores("scores", scores)
    hits = np.asarray(right, dtype=np.float64)
    if hits.shape != given.shape:
        raise ValueError(f"right: expected {given.shape}, found {hits.shape}")
    order = np.argsort(given, kind="stable")
    ranked = given[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    k = np.arange(1, given.size + 1)
    upto = np.cumsum(hits[order])[last]
    answered: Scores = np.interp(k, np.append(0, last + 1), np.append(0.0, upto))
    return answered / k


def accuracy_at(curve: Scores, per_cent: int) -> float:
    """Selective accuracy when at least `per_cent` of the examples are answered."""
    k = (per_cent * curve.size + 99) // 100
    return float(curve[k - 1])


def coverage_at(curve: Scores, per_cent: int) -> float:
    """The largest coverage at which selective accuracy is at least `per_cent`; 0 if at none."""
    enough = np.flatnonzero(100 * curve >= per_cent - 1e-9)
    return (int(enough[-1]) + 1) / curve.size if enough.size else 0.0


def area(curve: Scores) -> float:
    """Mean selective accuracy over all coverages 1/n, 2/n, … 1 (one minus the AURC)."""
    return float(curve.mean())


def calibration_error(confidences: npt.ArrayLike, right: npt.ArrayLike) -> float:
    """Expected calibration error over `BINS` equal intervals of the confidence (Guo et al., eq. 3).

    Args:
        confidences: float (n,) in [0, 1]: the probability of the predicted class.
        right: bool (n,).

    Raises:
        ValueError: a confidence is no probability.
    """
    p = checked_scores("confidences", confidences)
    if p.min() < 0 or p.max() > 1:
        raise ValueError(f"confidences: expected 0 to 1, found {p.min():g} to {p.max():g}")
    # A bin is open to the left, as in the paper; what is certain belongs to the last one.
    chosen = np.clip(np.ceil(p * BINS).astype(np.int64) - 1, 0, BINS - 1)
    gap = np.bincount(chosen, np.asarray(right, dtype=np.float64) - p, minlength=BINS)
    return float(np.abs(gap).sum() / p.size)


def selective_metrics(
    scores: npt.ArrayLike, right: npt.ArrayLike, confidences: npt.ArrayLike
) -> dict[str, float]:
    """Every figure of this module, by the name of its metric; arrays (n,).

    Raises:
        ValueError: the arrays are empty, hold NaN or differ in length.
    """
    curve = accuracy_by_coverage(scores, right)
    return {
        "selective_auc": area(curve),
        **{f"accuracy_at_coverage_{level}": accuracy_at(curve, level) for level in LEVELS},
        **{f"coverage_at_accuracy_{level}": coverage_at(curve, level) for level in LEVELS},
        "ece": calibration_error(confidences, right),
    }
