"""Two methods against each other: improvement, Welch's test, a stratified permutation test.

Why three: the probability of improvement says how often, Welch's test with its effect size says
by how much on one task, and the permutation test judges a whole suite. Differences of bootstrap
intervals are left out on purpose: at 3 to 10 runs they raise a false alarm up to twelve times
as often as they claim.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from rlbench.core.stats.aggregate import Array, Statistic, as_scores, iqm
from rlbench.core.stats.bootstrap import (
    Interval,
    Method,
    Seed,
    check_level,
    chunks,
    draw_counts,
    interval_ends,
)

Alternative = Literal["two-sided", "less", "greater"]
"""What the test looks for: x differs from y, x is less, or x is greater."""


@dataclass(frozen=True, slots=True)
class Welch:
    """Result of `welch`; differences are x - y, in the unit of the values."""

    difference: float
    low: float
    high: float
    t: float
    df: float
    p: float
    pooled_sd: float
    cohen_d: float
    hedges_g: float


@dataclass(frozen=True, slots=True)
class Permutation:
    """Result of `permutation_test`: statistic(x) - statistic(y), and its p value."""

    difference: float
    p: float


def probability_of_improvement(
    x: ArrayLike,
    y: ArrayLike,
    *,
    level: float = 0.95,
    reps: int = 10_000,
    method: Method = "corrected",
    seed: Seed = 0,
) -> Interval:
    """P(X > Y): the chance that a run of x beats a run of y on a task drawn at random.

    Per task it is the Mann-Whitney U over the number of pairs, ties counting one half, and then
    the mean over tasks (Agarwal et al. 2021, arXiv 2108.13264, section 4.3).

    Args:
        x: `(runs of x, tasks)`, higher is better.
        y: `(runs of y, tasks)`: the same tasks, any number of runs.
        level: two-sided confidence level, in (0, 1).
        reps: stratified bootstrap replicates, drawn for x and y independently.
        method: as for `bootstrap_interval`; corrected for the smaller number of runs.
        seed: equal ints give equal intervals.

    Returns:
        The interval, within [0, 1]; without ends when x or y has one run.

    Raises:
        ValueError: bad scores (see `as_scores`), different numbers of tasks, level, reps or
            method.
    """
    x, y = _same_tasks(x, y)
    wins = 0.5 + 0.5 * np.sign(x.T[:, :, None] - y.T[:, None, :])  # (tasks, x runs, y runs)
    tasks, nx, ny = wins.shape
    values = (nx + 2 * ny) * tasks
    of_x, of_y = np.random.default_rng(seed).spawn(2)
    parts = []
    for held_x, held_y in zip(
        draw_counts(of_x, reps, nx, tasks, values=values),
        draw_counts(of_y, reps, ny, tasks, values=values),
        strict=True,
    ):
        # Counts weigh the pairs: for every task, counts of x times wins times counts of y.
        against_y = held_x.transpose(2, 0, 1) @ wins
        parts.append(np.einsum("try,ryt->r", against_y, held_y) / wins.size)
    point = np.asarray(wins.mean())
    ends = interval_ends(
        point,
        np.concatenate(parts),
        runs=min(nx, ny),
        level=level,
        method=method,
        bounds=(0.0, 1.0),
    )
    if ends is None:
        return Interval(float(point), None, None, level)
    return Interval(float(point), float(ends[0]), float(ends[1]), level)


def welch(
    x: ArrayLike,
    y: ArrayLike,
    *,
    alternative: Alternative = "two-sided",
    level: float = 0.95,
) -> Welch:
    """Welch's t test of two means with unequal variances, and the effect size; needs scipy.

    Welch 1947 (Biometrika 34) with Satterthwaite's degrees of freedom; Cohen's d on the pooled
    standard deviation, and Hedges' g, which is d times the exact correction for few runs
    (Hedges 1981). One-sided tests still come with the two-sided interval.

    If neither sample varies, both means count as known: equal ones give t = 0, p = 1 and
    effect 0; others give an infinite t and effect, p = 0 (1 for the other side), an interval
    without width, and the degrees of freedom of the pooled test. If one varies, the formulas
    hold as they are.

    Args:
        x: `(runs of x,)`, at least two.
        y: `(runs of y,)`, at least two.
        alternative: what the p value is for, in terms of the mean of x.
        level: level of the two-sided interval of the difference.

    Raises:
        ValueError: bad values (see `as_scores`), fewer than two runs, alternative or level.
    """
    x, y = as_scores(x, "runs"), as_scores(y, "runs")
    _check_alternative(alternative)
    check_level(level)
    if min(len(x), len(y)) < 2:
        raise ValueError(f"a test of means needs two runs on each side, got {len(x)} and {len(y)}")
    from scipy.special import stdtr, stdtrit  # scipy.stats takes seconds to import

    (mean_x, var_x), (mean_y, var_y) = _moments(x), _moments(y)
    difference, pooled_df = mean_x - mean_y, len(x) + len(y) - 2
    part_x, part_y = var_x / len(x), var_y / len(y)
    error, df = math.sqrt(part_x + part_y), float(pooled_df)
    if error > 0:
        share = part_x / (part_x + part_y)
        df = 1 / (share**2 / (len(x) - 1) + (1 - share) ** 2 / (len(y) - 1))
    t = _ratio(difference, error)
    tails = {"less": stdtr(df, t), "greater": stdtr(df, -t), "two-sided": 2 * stdtr(df, -abs(t))}
    half = float(stdtrit(df, (1 + level) / 2)) * error
    sd = math.sqrt(((len(x) - 1) * var_x + (len(y) - 1) * var_y) / pooled_df)
    d = _ratio(difference, sd)
    return Welch(
        difference=difference,
        low=difference - half,
        high=difference + half,
        t=t,
        df=df,
        p=1.0 if error == 0 and difference == 0 else float(tails[alternative]),
        pooled_sd=sd,
        cohen_d=d,
        hedges_g=d * _hedges_correction(pooled_df),
    )


def permutation_test(
    x: ArrayLike,
    y: ArrayLike,
    statistic: Statistic = iqm,
    *,
    alternative: Alternative = "two-sided",
    reps: int = 2_000,
    seed: Seed = 0,
) -> Permutation:
    """Stratified permutation test of a difference of aggregate metrics over a suite.

    Labels are shuffled inside each task. The p value counts the observed labelling as one of
    the shuffles, and so is never 0 and holds its level (Phipson & Smyth 2010).

    Args:
        x: `(runs of x, tasks)`.
        y: `(runs of y, tasks)`: the same tasks, any number of runs.
        statistic: maps `(..., runs, tasks)` to `(...)`.
        alternative: what the p value is for, in terms of the statistic of x.
        reps: shuffles; the least p value is 1 / (reps + 1).
        seed: equal ints give equal p values.

    Raises:
        ValueError: bad scores (see `as_scores`), different numbers of tasks, alternative, reps.
    """
    x, y = _same_tasks(x, y)
    _check_alternative(alternative)
    pooled, rng = np.concatenate([x, y]), np.random.default_rng(seed)
    observed = float(statistic(x) - statistic(y))
    # The same runs summed in another order are a tie, not a smaller difference.
    slack = 1e-12 * float(np.abs(pooled).max())
    extreme = 0
    for count in chunks(reps, pooled.size):
        tables = rng.permuted(np.broadcast_to(pooled, (count, *pooled.shape)), axis=1)
        shuffled = statistic(tables[:, : len(x)]) - statistic(tables[:, len(x) :])
        excess = {
            "less": observed - shuffled,
            "greater": shuffled - observed,
            "two-sided": np.abs(shuffled) - abs(observed),
        }[alternative]
        extreme += int(np.count_nonzero(excess >= -slack))
    return Permutation(observed, (1 + extreme) / (1 + reps))


def _same_tasks(x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    first, second = as_scores(x, "runs", "tasks"), as_scores(y, "runs", "tasks")
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"both sides need the same tasks, got {first.shape[1]} and {second.shape[1]}"
        )
    return first, second


def _check_alternative(alternative: str) -> None:
    if alternative not in ("two-sided", "less", "greater"):
        raise ValueError(
            f'alternative must be "two-sided", "less" or "greater", got {alternative!r}'
        )


def _moments(values: Array) -> tuple[float, float]:
    """Mean and variance; exact for equal values, whose computed mean may differ from them."""
    if values.min() == values.max():
        return float(values[0]), 0.0
    return float(values.mean()), float(values.var(ddof=1))


def _ratio(difference: float, scale: float) -> float:
    if scale > 0:
        return difference / scale
    return math.copysign(math.inf, difference) if difference else 0.0


def _hedges_correction(df: int) -> float:
    return math.exp(math.lgamma(df / 2) - math.lgamma((df - 1) / 2)) / math.sqrt(df / 2)
