"""Stratified bootstrap intervals of aggregate metrics, and Student's t for one task.

For every task on its own, runs are drawn with replacement, and the metric is computed again
(Agarwal et al. 2021, arXiv 2108.13264, section 4.1). With the three to ten runs that are usual
here the plain percentile interval is too narrow: the empirical variance of n runs is
(n - 1) / n of what it estimates, and a nominal 95 % interval of the IQM covers 86 % at 3 runs
of 5 tasks (2,000 simulated tables of normal scores). The default method stretches the interval
about the point by sqrt(n / (n - 1)), which makes that 93 %, and 94 % at 10 runs;
`method="percentile"` gives the published one.

One run tells nothing about its own spread, so with one run there is no interval: both ends are
None, whatever the method. When all runs agree exactly, the interval has no width, which says
that the resampling found no spread, not that there is none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlbench.core.stats.aggregate import Array, Statistic, as_scores, iqm

Method = Literal["corrected", "percentile"]
Seed = int | np.random.Generator
"""An int, or a generator, which then moves on: only an int gives equal output twice."""

POINT_REPS = 50_000
BAND_REPS = 2_000
_CHUNK = 1 << 16  # values resampled at a time: 512 KiB stay in cache, and memory stays flat


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with its confidence interval; the ends are None when there is one run."""

    point: float
    low: float | None
    high: float | None
    level: float = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """A curve `(k,)` with pointwise confidence intervals, None when there is one run."""

    point: Array
    low: Array | None
    high: Array | None
    level: float = 0.95


def bootstrap_interval(
    scores: ArrayLike,
    statistic: Statistic = iqm,
    *,
    level: float = 0.95,
    reps: int = POINT_REPS,
    method: Method = "corrected",
    bounds: tuple[float, float] | None = None,
    seed: Seed = 0,
) -> Interval:
    """Stratified bootstrap interval of an aggregate metric.

    Args:
        scores: `(runs, tasks)`, normalised.
        statistic: maps `(..., runs, tasks)` to `(...)`.
        level: two-sided confidence level, in (0, 1).
        reps: bootstrap replicates.
        method: "corrected" for few runs, or plain "percentile" as published.
        bounds: the metric's least and greatest value; a stretched interval is cut there.
        seed: equal ints give equal intervals.

    Raises:
        ValueError: bad scores (see `as_scores`), level, reps or method.
    """
    array = as_scores(scores, "runs", "tasks")
    point = statistic(array)
    replicates = resample(array, statistic, reps=reps, seed=seed)
    ends = interval_ends(
        point, replicates, runs=len(array), level=level, method=method, bounds=bounds
    )
    if ends is None:
        return Interval(float(point), None, None, level)
    return Interval(float(point), float(ends[0]), float(ends[1]), level)


def t_interval(values: ArrayLike, *, level: float = 0.95) -> Interval:
    """Student's t interval of the mean of one task's runs `(runs,)`; needs scipy.

    For one task's mean it keeps its level from two runs on, where a bootstrap does not.

    Raises:
        ValueError: bad values (see `as_scores`), or a level outside (0, 1).
    """
    array = as_scores(values, "runs")
    check_level(level)
    point, runs = float(array.mean()), len(array)
    if runs == 1:
        return Interval(point, None, None, level)
    from scipy.special import stdtrit  # scipy.stats takes seconds to import

    half = float(stdtrit(runs - 1, (1 + level) / 2)) * float(array.std(ddof=1)) / runs**0.5
    return Interval(point, point - half, point + half, level)


def resample(
    scores: Array, statistic: Statistic, *, reps: int = POINT_REPS, seed: Seed = 0
) -> Array:
    """Values of `statistic` on stratified bootstrap replicates.

    Args:
        scores: `(..., runs, tasks)`; what shares the leading axes shares the draws.
        statistic: maps `(..., runs, tasks)` to `(...)`.
        reps: bootstrap replicates.
        seed: equal ints give equal replicates.

    Returns:
        `(..., reps)`.

    Raises:
        ValueError: bad scores, fewer than one replicate, or a statistic of another shape.
    """
    array = as_scores(scores, "runs", "tasks", batched=True)
    *lead, runs, tasks = array.shape
    flat = array.reshape(*lead, runs * tasks)
    rng = np.random.default_rng(seed)
    parts = []
    for rows in draws(rng, reps, runs, tasks, values=flat.size):
        values = statistic(flat.take(rows, axis=-1).reshape(*lead, len(rows), runs, tasks))
        if np.shape(values) != (*lead, len(rows)):
            raise ValueError("statistic must map scores (..., runs, tasks) to (...), as iqm does")
        parts.append(values)
    return np.concatenate(parts, axis=-1)


def chunks(reps: int, values: int) -> Iterator[int]:
    """Cut `reps` replicates that need `values` floats each into counts that fit the cache."""
    if reps < 1:
        raise ValueError(f"reps must be at least 1, got {reps}")
    chunk = max(1, _CHUNK // values)
    for start in range(0, reps, chunk):
        yield min(chunk, reps - start)


def draws(
    rng: np.random.Generator, reps: int, runs: int, tasks: int, *, values: int
) -> Iterator[NDArray[np.int64]]:
    """Yield the replicates in chunks `(count, runs * tasks)` of positions in the flat matrix.

    `values` is the number of floats that the caller needs per replicate. The stream of draws
    does not depend on how it is cut into chunks.
    """
    column = np.tile(np.arange(tasks), runs)
    for count in chunks(reps, values):
        rows = rng.integers(0, runs, size=(count, runs * tasks))
        rows *= tasks
        rows += column
        yield rows


def draw_counts(
    rng: np.random.Generator, reps: int, runs: int, tasks: int, *, values: int
) -> Iterator[Array]:
    """Yield how often each replicate holds each run, in chunks `(count, runs, tasks)`.

    A statistic that is linear in the runs is a product with these counts.
    """
    size = runs * tasks
    for rows in draws(rng, reps, runs, tasks, values=values):
        cells = rows + size * np.arange(len(rows))[:, None]
        held = np.bincount(cells.ravel(), minlength=cells.size)
        yield held.reshape(-1, runs, tasks).astype(np.float64)


def interval_ends(
    point: Array,
    replicates: Array,
    *,
    runs: int,
    level: float,
    method: Method,
    bounds: tuple[float, float] | None = None,
) -> tuple[Array, Array] | None:
    """Ends of the interval from replicates `(..., reps)` of `point` `(...)`; None for one run."""
    check_level(level)
    factor = stretch(runs, method)
    if runs < 2:
        return None
    tail = (1 - level) / 2
    low, high = np.quantile(replicates, [tail, 1 - tail], axis=-1)
    # Outwards only: an end on the wrong side of the point would otherwise leave it further.
    low = np.minimum(low, point + factor * (low - point))
    high = np.maximum(high, point + factor * (high - point))
    if bounds is not None:
        low, high = np.clip(low, *bounds), np.clip(high, *bounds)
    return np.asarray(low), np.asarray(high)


def stretch(runs: int, method: Method) -> float:
    """The factor by which `method` stretches a percentile interval of `runs` runs."""
    if method not in ("corrected", "percentile"):
        raise ValueError(f'method must be "corrected" or "percentile", got {method!r}')
    return float((runs / (runs - 1)) ** 0.5) if method == "corrected" and runs > 1 else 1.0


def check_level(level: float) -> None:
    """Raise ValueError unless `level` is a confidence level like 0.95."""
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, like 0.95, got {level}")
