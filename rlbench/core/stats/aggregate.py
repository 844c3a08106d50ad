"""Aggregate metrics of a score matrix, one row per run and one column per task.

The definitions are those of Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of
the Statistical Precipice" (arXiv 2108.13264). Scores are already normalised, higher is better,
and complete: every task has the same number of runs. Each function works on the last two axes
and keeps the leading ones, so that the bootstrap calls it on all its replicates at once.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
"""An array of 64-bit floats; every number in this package is computed in them."""

Statistic = Callable[[Array], Array]
"""Maps scores `(..., runs, tasks)` to values `(...)`, like `iqm`."""


def as_scores(scores: ArrayLike, *axes: str, batched: bool = False) -> Array:
    """Check scores and return them as floats.

    Args:
        scores: numbers with the axes named in `axes`, in any unit.
        axes: the names of the axes, such as "runs", "tasks".
        batched: accept more axes in front.

    Raises:
        ValueError: the table is ragged, empty, not numeric, has other axes, or holds NaN or an
            infinity: what is missing is missing and is never counted as 0.
    """
    shape = f"({'..., ' if batched else ''}{', '.join(axes)})"
    try:
        array = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"expected scores {shape}: a full table of numbers, the same number of runs for "
            f"every task ({error})"
        ) from error
    if array.ndim < len(axes) or (array.ndim > len(axes) and not batched):
        raise ValueError(f"expected scores {shape}, got an array of shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"no scores: an array of shape {array.shape} is empty")
    missing = array.size - np.count_nonzero(np.isfinite(array))
    if missing:
        raise ValueError(
            f"{missing} of {array.size} scores are NaN or infinite; a missing run is never "
            "counted as 0: finish it, or leave its task out for every method"
        )
    return array


def mean(scores: ArrayLike) -> Array:
    """Mean over tasks of the task means.

    Args:
        scores: `(..., runs, tasks)`.

    Returns:
        `(...)`; for one matrix a 0-d array, which `float` takes.

    Raises:
        ValueError: NaN, infinite, ragged or no scores (see `as_scores`).
    """
    return np.asarray(_table(scores).mean(axis=(-2, -1)))


def median(scores: ArrayLike) -> Array:
    """Median over tasks of the task means; arguments, result and errors as for `mean`."""
    return np.asarray(np.median(_table(scores).mean(axis=-2), axis=-1))


def iqm(scores: ArrayLike) -> Array:
    """Interquartile mean: the 25 % trimmed mean of all runs of all tasks together.

    Of `k = runs * tasks` values `int(k / 4)` are dropped at each end, as in
    `scipy.stats.trim_mean`; three values or fewer are all kept (arXiv 2108.13264, section 4.3).
    Arguments, result and errors as for `mean`.
    """
    array = _table(scores)
    # A full sort beats a partition here: numpy sorts rows of doubles with SIMD instructions.
    ordered = np.sort(array.reshape(*array.shape[:-2], -1), axis=-1)
    size = ordered.shape[-1]
    cut = int(0.25 * size)
    return np.asarray(ordered[..., cut : size - cut].mean(axis=-1))


def optimality_gap(scores: ArrayLike, gamma: float = 1.0) -> Array:
    """Mean amount by which runs fall short of the score `gamma`; smaller is better.

    `gamma - mean(min(x, gamma))` (arXiv 2108.13264, section 4.3): what exceeds `gamma` does not
    make up for what falls short. Arguments, result and errors as for `mean`.
    """
    return np.asarray(gamma - np.minimum(_table(scores), gamma).mean(axis=(-2, -1)))


def _table(scores: ArrayLike) -> Array:
    return as_scores(scores, "runs", "tasks", batched=True)
