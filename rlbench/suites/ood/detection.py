"""How well scores tell OOD from ID, when higher means more likely OOD.

Everything is read off one stable sort of the scores. Two conventions of "FPR at 95 %" live in the
literature and differ by tens of points, so both are computed and neither is called plain FPR95:

* `fpr95_id_pos`: the threshold keeps 95 % of ID; the share of OOD that it accepts (ODIN, Energy).
* `fpr95_ood_pos`: the threshold flags 95 % of OOD; the share of ID that it flags (MSP/OE, OpenOOD).

Likewise the area under the precision-recall curve by the trapezoid rule (OpenOOD) and as average
precision (OE), each with ID ("in") and with OOD ("out") as the positive class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ranking:
    """How many examples of each kind lie at and below every distinct score, in ascending order."""

    id_at: Counts
    ood_at: Counts

    @classmethod
    def of(cls, id_scores: npt.ArrayLike, ood_scores: npt.ArrayLike) -> Ranking:
        """Sort once.

        Args:
            id_scores: float (n_id,).
            ood_scores: float (n_ood,).

        Raises:
            ValueError: either is empty, not one-dimensional or holds NaN.
        """
        inside = checked_scores("ID scores", id_scores)
        outside = checked_scores("OOD scores", ood_scores)
        scores = np.concatenate([inside, outside])
        order = np.argsort(scores, kind="stable")
        ranked = scores[order]
        last = np.append(ranked[1:] != ranked[:-1], True)
        ood_upto = np.cumsum(order >= len(inside), dtype=np.int64)[last]
        all_upto = np.flatnonzero(last).astype(np.int64) + 1
        return cls(np.diff(all_upto - ood_upto, prepend=0), np.diff(ood_upto, prepend=0))

    @property
    def n_id(self) -> int:
        """Number of ID examples."""
        return int(self.id_at.sum())

    @property
    def n_ood(self) -> int:
        """Number of OOD examples."""
        return int(self.ood_at.sum())

    def reversed(self) -> Ranking:
        """The ranking of the negated scores with ID and OOD exchanged."""
        return Ranking(self.ood_at[::-1], self.id_at[::-1])


def checked_scores(name: str, scores: npt.ArrayLike) -> Scores:
    """`scores` as float64 (n,).

    Raises:
        ValueError: empty, not one-dimensional, not numbers, or NaN; says which.
    """
    array = np.asarray(scores)
    if array.dtype.kind not in "fiu" or array.ndim != 1:
        raise ValueError(f"{name}: expected numbers (n,), found {array.dtype} {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name}: empty; expected at least one example")
    array = array.astype(np.float64)
    if bad := int(np.isnan(array).sum()):
        raise ValueError(f"{name}: {bad} of {array.size} are NaN")
    return array


def auroc(ranking: Ranking) -> float:
    """P(OOD score > ID score) + P(equal) / 2, exact up to the last division (Mann-Whitney)."""
    id_below = np.cumsum(ranking.id_at) - ranking.id_at
    twice = int((ranking.ood_at * (2 * id_below + ranking.id_at)).sum())
    return twice / (2 * ranking.n_id * ranking.n_ood)


def fpr95_id_pos(ranking: Ranking) -> float:
    """Share of OOD at or below the lowest score that at least 95 % of ID lie at or below."""
    enough = int(np.searchsorted(np.cumsum(ranking.id_at), rank95(ranking.n_id)))
    return int(ranking.ood_at[: enough + 1].sum()) / ranking.n_ood


def fpr95_ood_pos(ranking: Ranking) -> float:
    """Share of ID at or above the highest score that at least 95 % of OOD lie at or above."""
    return fpr95_id_pos(ranking.reversed())


def rank95(n: int) -> int:
    """The smallest k with k / n >= 0.95, in whole numbers."""
    return (95 * n + 99) // 100


def average_precision(ranking: Ranking) -> float:
    """Sum over thresholds of precision times the gain in recall, OOD positive."""
    precision, recall = precision_recall(ranking)
    return float((precision * np.diff(recall, prepend=0.0)).sum())


def aupr_trapezoid(ranking: Ranking) -> float:
    """Area under the line through the precision-recall points, begun at (0, 1); OOD positive."""
    precision, recall = precision_recall(ranking)
    before = np.append(1.0, precision[:-1])
    return float(((precision + before) / 2 * np.diff(recall, prepend=0.0)).sum())


def precision_recall(ranking: Ranking) -> tuple[Scores, Scores]:
    """Precision and recall of OOD at every distinct threshold, from the highest score down."""
    hits = np.cumsum(ranking.ood_at[::-1])
    flagged = np.cumsum((ranking.ood_at + ranking.id_at)[::-1])
    return hits / flagged, hits / ranking.n_ood


def threshold95(id_val_scores: npt.ArrayLike) -> float:
    """The lowest validation score that at least 95 % of ID validation lie at or below.

    Whatever scores above it is called OOD; it is what a user of the detector would deploy.

    Raises:
        ValueError: the scores are empty or hold NaN.
    """
    scores = checked_scores("ID validation scores", id_val_scores)
    return float(np.partition(scores, rank95(scores.size) - 1)[rank95(scores.size) - 1])


def detection_metrics(id_scores: npt.ArrayLike, ood_scores: npt.ArrayLike) -> dict[str, float]:
    """Every figure of this module, by the name of its metric.

    Args:
        id_scores: float (n_id,).
        ood_scores: float (n_ood,).

    Raises:
        ValueError: either is empty, not one-dimensional or holds NaN.
    """
    ranking = Ranking.of(id_scores, ood_scores)
    mirrored = ranking.reversed()
    return {
        "auroc": auroc(ranking),
        "fpr95_id_pos": fpr95_id_pos(ranking),
        "fpr95_ood_pos": fpr95_ood_pos(ranking),
        "aupr_in_trapezoid": aupr_trapezoid(mirrored),
        "aupr_out_trapezoid": aupr_trapezoid(ranking),
        "aupr_in_ap": average_precision(mirrored),
        "aupr_out_ap": average_precision(ranking),
    }
