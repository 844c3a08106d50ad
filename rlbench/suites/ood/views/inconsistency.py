"""How far detectors keep their order from pair to pair, in numbers.

Intervals come from a bootstrap over seeds. A seed is drawn together for all detectors and for all
pairs with the same seeds, since detectors on one pair share the classifier and the images, and so
do pairs of one family: drawn apart, the seeds would promise more than they know.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rlbench.core.stats import (
    Array,
    Friedman,
    Interval,
    average_ranks,
    friedman,
    kendall_matrix,
    mean,
    nemenyi_distance,
    welch,
)
from rlbench.core.stats.bootstrap import interval_ends, resample
from rlbench.suites.ood.views.field import Field, rounded

LEVEL = 0.95
ALPHA = 1 - LEVEL
MARGIN = 0.001
"""AUROC: what is less far behind the best is not called worse, however sure the difference is."""
REPS = 4_000


@dataclass(frozen=True, eq=False)
class Inconsistency:
    """What the field says; detectors are in the order of their average rank."""

    field: Field
    ranks: Array
    """`(detectors, pairs)`, 1 is best; ties take their mean rank."""
    average: Array
    """`(detectors,)`, ascending."""
    tau: Array
    """Kendall's tau-b between pairs `(pairs, pairs)`; NaN for a pair on which all tie."""
    seed_tau: float
    """Mean tau between the seeds of one pair: what chance alone leaves; NaN with one seed."""
    wins: tuple[Interval, ...]
    """Share of pairs on which each detector is best; ties share the win."""
    groups: Mapping[str, tuple[Interval, ...]]
    """Mean AUROC over the pairs of each group, in the order of the pairs."""
    worse: NDArray[np.bool_]
    """`(detectors, pairs)`: significantly behind the best, and by more than `MARGIN`."""
    regret: tuple[Interval, ...]
    """How far each is behind the best on the pair where it is farthest behind, AUROC."""
    worst: tuple[int, ...]
    """That pair, by position."""
    friedman: Friedman
    distance: float
    """Nemenyi's critical difference of average ranks."""

    @property
    def mean_tau(self) -> float:
        """Mean of `tau` over different pairs."""
        return mean_off_diagonal(self.tau)

    @property
    def bars(self) -> list[tuple[int, int]]:
        """First and last detector of each group that Nemenyi's test does not tell apart."""
        return cliques(self.average, self.distance)


def analyse(field: Field, *, reps: int = REPS) -> Inconsistency:
    """All numbers of a field of at least two detectors on at least two pairs; needs scipy."""
    every = range(len(field.pairs))
    order = np.argsort(_ranks(field.means).mean(axis=1).round(9), kind="stable")
    field = field.part(order.tolist(), every)
    means, drawn = field.means, drawn_means(field, reps)
    ranks = _ranks(means)
    runs = min(len(pair.seeds) for pair in field.pairs)
    gaps = means.max(axis=0) - means
    members = {
        group: [j for j in every if field.pairs[j].group == group]
        for group in dict.fromkeys(pair.group for pair in field.pairs)
    }
    return Inconsistency(
        field=field,
        ranks=ranks,
        average=ranks.mean(axis=1),
        tau=kendall_matrix(means),
        seed_tau=seed_tau(field),
        wins=_intervals(win_shares(means), win_shares(drawn), runs),
        groups={
            group: _intervals(means[:, at].mean(axis=1), drawn[:, at].mean(axis=1), runs)
            for group, at in members.items()
        },
        worse=worse_than_best(field),
        regret=_intervals(gaps.max(axis=1), (drawn.max(axis=0) - drawn).max(axis=1), runs),
        worst=tuple(gaps.argmax(axis=1).tolist()),
        friedman=friedman(means.T),
        distance=nemenyi_distance(*means.shape, alpha=ALPHA),
    )


def _ranks(means: Array) -> Array:
    return np.stack([average_ranks(column[None]) for column in means.T], axis=1)


def drawn_means(field: Field, reps: int) -> Array:
    """Bootstrap replicates of the means `(detectors, pairs, reps)`; see the module."""
    drawn = np.empty((len(field.detectors), len(field.pairs), reps))
    strata = sorted({pair.seeds for pair in field.pairs})
    streams = np.random.default_rng(0).spawn(len(strata))
    for seeds, stream in zip(strata, streams, strict=True):
        at = [j for j, pair in enumerate(field.pairs) if pair.seeds == seeds]
        table = np.stack([field.scores[j] for j in at], axis=1)
        drawn[:, at] = resample(table[..., None], mean, reps=reps, seed=stream)
    return rounded(drawn)


def win_shares(means: Array) -> Array:
    """Share of pairs that each detector wins: `(detectors, pairs, ...)` to `(detectors, ...)`."""
    best = means == means.max(axis=0)
    return np.asarray((best / best.sum(axis=0)).mean(axis=1))


def seed_tau(field: Field) -> float:
    """Mean over pairs of the mean Kendall tau-b between the orders that two seeds give."""
    found = [mean_off_diagonal(kendall_matrix(t)) for t in field.scores if t.shape[1] > 1]
    return _mean_known(np.array(found))


def mean_off_diagonal(matrix: Array) -> float:
    """Mean of what is known beside the diagonal; NaN where nothing is."""
    return _mean_known(matrix[~np.eye(len(matrix), dtype=bool)])


def _mean_known(values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan


def worse_than_best(field: Field) -> NDArray[np.bool_]:
    """Who is significantly worse than the best on each pair `(detectors, pairs)`.

    Welch's two-sided test of every two detectors on every pair, with Holm's step-down correction
    for all of them together: of fields in which nothing differs, at most 5 % hold a single false
    call. All are tested, though only those with the best are asked for, because the best is chosen
    by the same seeds. That detectors share each seed's classifier is ignored, which errs to "not
    told apart". Pairs with one seed are not tested.
    """
    means = field.means
    best = means.argmax(axis=0)
    tests = [
        (j, i, k)
        for j, table in enumerate(field.scores)
        for i, k in combinations(range(len(table)), 2)
        if table.shape[1] > 1
    ]
    p = [welch(field.scores[j][i], field.scores[j][k]).p for j, i, k in tests]
    found = np.zeros(means.shape, dtype=bool)
    for (j, i, k), adjusted in zip(tests, holm(np.array(p)), strict=True):
        if best[j] in (i, k):
            found[k if best[j] == i else i, j] = adjusted <= ALPHA
    return np.asarray(found & (means.max(axis=0) - means >= MARGIN))


def holm(p: Array) -> Array:
    """Holm's adjusted p values `(tests,)` (Scandinavian Journal of Statistics 6, 1979)."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def cliques(average: Array, distance: float) -> list[tuple[int, int]]:
    """Longest runs of ascending average ranks within `distance`, as first and last position."""
    found: list[tuple[int, int]] = []
    for first, rank in enumerate(average):
        last = int(np.searchsorted(average, rank + distance, side="right")) - 1
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found


def _intervals(points: Array, drawn: Array, runs: int) -> tuple[Interval, ...]:
    """Corrected bootstrap intervals of fractions `(detectors,)`, which hold their points.

    A greatest gap or a win is biased when drawn again, and may leave the point outside.
    """
    ends = interval_ends(
        points, drawn, runs=runs, level=LEVEL, method="corrected", bounds=(0.0, 1.0)
    )
    if ends is None:
        return tuple(Interval(float(point), None, None, LEVEL) for point in points)
    low, high = np.minimum(ends[0], points), np.maximum(ends[1], points)
    return tuple(
        Interval(float(p), float(a), float(b), LEVEL)
        for p, a, b in zip(points, low, high, strict=True)
    )
