"""Curves with pointwise bands: performance profiles and sample-efficiency curves."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from rlbench.core.stats.aggregate import Array, Statistic, as_scores, iqm
from rlbench.core.stats.bootstrap import (
    BAND_REPS,
    Band,
    Method,
    Seed,
    draw_counts,
    draws,
    interval_ends,
    resample,
)


def performance_profile(
    scores: ArrayLike,
    taus: ArrayLike,
    *,
    per: Literal["run", "task"] = "run",
    level: float = 0.95,
    reps: int = BAND_REPS,
    method: Method = "corrected",
    seed: Seed = 0,
) -> Band:
    """Performance profile F(tau): the fraction of scores strictly above each tau.

    Agarwal et al. 2021, arXiv 2108.13264, section 4.2. It shows the whole distribution, and is
    unbiased whatever the number of runs when counted per run; counted per task, on task means,
    it is easier to read and depends on the number of runs.

    Args:
        scores: `(runs, tasks)`, normalised.
        taus: `(k,)` thresholds in the unit of the scores.
        per: count runs of all tasks together, or the means of tasks.
        level: two-sided confidence level of each point of the band, in (0, 1).
        reps: stratified bootstrap replicates.
        method: as for `bootstrap_interval`.
        seed: equal ints give equal bands.

    Returns:
        A band of fractions over `(k,)`, within [0, 1].

    Raises:
        ValueError: bad scores or taus (see `as_scores`), per, level, reps or method.
    """
    array, cuts = as_scores(scores, "runs", "tasks"), as_scores(taus, "taus")
    rng = np.random.default_rng(seed)
    if per == "run":
        point, replicates = _run_profile(array, cuts, reps, rng)
    elif per == "task":
        point, replicates = _task_profile(array, cuts, reps, rng)
    else:
        raise ValueError(f'per must be "run" or "task", got {per!r}')
    return _band(
        point, replicates.T, runs=len(array), level=level, method=method, bounds=(0.0, 1.0)
    )


def curve_band(
    scores: ArrayLike,
    statistic: Statistic = iqm,
    *,
    level: float = 0.95,
    reps: int = BAND_REPS,
    method: Method = "corrected",
    bounds: tuple[float, float] | None = None,
    seed: Seed = 0,
) -> Band:
    """Sample-efficiency curve: an aggregate metric at every checkpoint, with its band.

    A run is drawn with its whole curve, so that neighbouring checkpoints share their
    replicates (arXiv 2108.13264, section 4.1).

    Args:
        scores: `(runs, tasks, steps)`, every run evaluated at the same checkpoints.
        statistic: maps `(..., runs, tasks)` to `(...)`.
        level: two-sided confidence level of each point of the band, in (0, 1).
        reps: stratified bootstrap replicates.
        method: as for `bootstrap_interval`.
        bounds: as for `bootstrap_interval`.
        seed: equal ints give equal bands.

    Returns:
        A band over `(steps,)`.

    Raises:
        ValueError: bad scores (see `as_scores`), level, reps or method.
    """
    array = np.moveaxis(as_scores(scores, "runs", "tasks", "steps"), -1, 0)
    replicates = resample(array, statistic, reps=reps, seed=seed)
    return _band(
        statistic(array), replicates, runs=array.shape[1], level=level, method=method, bounds=bounds
    )


def _run_profile(
    scores: Array, taus: Array, reps: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Point `(k,)` and replicates `(reps, k)`: linear in the runs, so a product with counts."""
    above = (scores.reshape(-1, 1) > taus).astype(np.float64)
    size, k = above.shape
    held = draw_counts(rng, reps, *scores.shape, values=size + k)
    return above.mean(axis=0), np.concatenate([c.reshape(-1, size) @ above / size for c in held])


def _task_profile(
    scores: Array, taus: Array, reps: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Point `(k,)` and replicates `(reps, k)` of the fraction of task means above tau."""
    runs, tasks = scores.shape
    flat = scores.ravel()

    def above(table: Array) -> Array:
        return np.asarray((table.mean(axis=-2)[..., None] > taus).mean(axis=-2))

    rows = draws(rng, reps, runs, tasks, values=tasks * (runs + len(taus)))
    return above(scores), np.concatenate(
        [above(flat.take(r).reshape(-1, runs, tasks)) for r in rows]
    )


def _band(
    point: Array,
    replicates: Array,
    *,
    runs: int,
    level: float,
    method: Method,
    bounds: tuple[float, float] | None,
) -> Band:
    ends = interval_ends(point, replicates, runs=runs, level=level, method=method, bounds=bounds)
    return Band(point, None, None, level) if ends is None else Band(point, *ends, level)
