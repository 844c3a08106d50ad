"""Orders of methods: rank intervals, Kendall's tau-b, Friedman's test and Nemenyi's distance."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlbench.core.stats.aggregate import Array, Statistic, as_scores, iqm
from rlbench.core.stats.bootstrap import Method, Seed, check_level, resample, stretch

_BLOCK = 1 << 21  # pairwise signs held at a time by kendall_matrix, 16 MiB


@dataclass(frozen=True, slots=True)
class RankInterval:
    """Rank of one method, 1 is best; the ends are None where some method has one run."""

    point: int
    low: int | None
    high: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Friedman:
    """Result of `friedman`: both forms of the statistic, and the average rank per method."""

    chi2: float
    chi2_p: float
    f: float
    f_p: float
    average_ranks: Array


def rank_intervals(
    scores: Mapping[str, ArrayLike],
    statistic: Statistic = iqm,
    *,
    higher_is_better: bool = True,
    level: float = 0.95,
    reps: int = 10_000,
    method: Method = "corrected",
    seed: Seed = 0,
) -> dict[str, RankInterval]:
    """Ranks of methods by an aggregate metric, each with a stratified bootstrap interval.

    In every replicate all methods are resampled, independently, and ranked. Equal values share
    the better rank (1, 1, 3). The interval always holds the point rank, also where the leader
    is so by chance and hardly ever leads again.

    Args:
        scores: `(runs, tasks)` per method: the same tasks for all, any number of runs.
        statistic: maps `(..., runs, tasks)` to `(...)`.
        higher_is_better: False for a statistic like `optimality_gap`.
        level: two-sided confidence level of each rank, in (0, 1).
        reps: bootstrap replicates.
        method: "corrected" stretches each method's replicates as `bootstrap_interval` does.
        seed: equal ints give equal intervals, in whatever order the methods come.

    Returns:
        The rank interval of each method, in the order of `scores`.

    Raises:
        ValueError: no method, bad scores (see `as_scores`), different numbers of tasks, level,
            reps or method.
    """
    check_level(level)
    tables = {name: as_scores(table, "runs", "tasks") for name, table in scores.items()}
    if len({table.shape[1] for table in tables.values()}) != 1:
        raise ValueError("ranks need at least one method, and the same tasks for all of them")
    sign = 1.0 if higher_is_better else -1.0
    values = np.array([float(statistic(table)) for table in tables.values()])
    factors = np.array([stretch(len(table), method) for table in tables.values()])
    ranks = _shared_ranks(sign * values[None])[0].tolist()
    if min(len(table) for table in tables.values()) < 2:
        return {
            name: RankInterval(rank, None, None) for name, rank in zip(tables, ranks, strict=True)
        }
    streams = np.random.default_rng(seed).spawn(len(tables))
    stream_of = dict(zip(sorted(tables), streams, strict=True))
    drawn = np.stack(
        [resample(t, statistic, reps=reps, seed=stream_of[name]) for name, t in tables.items()],
        axis=1,
    )
    drawn += (factors - 1) * (drawn - values)
    tail = (1 - level) / 2
    ends = np.quantile(_shared_ranks(sign * drawn), [tail, 1 - tail], axis=0, method="inverted_cdf")
    return {
        name: RankInterval(rank, min(int(low), rank), max(int(high), rank))
        for name, rank, low, high in zip(tables, ranks, *ends, strict=True)
    }


def kendall_tau(x: ArrayLike, y: ArrayLike) -> float:
    """Kendall's tau-b of two score lists `(items,)`: 1 same order, -1 reversed, ties removed.

    NaN when one of them is constant, which has no order.

    Raises:
        ValueError: bad values (see `as_scores`), or different lengths.
    """
    first, second = as_scores(x, "items"), as_scores(y, "items")
    if len(first) != len(second):
        raise ValueError(f"expected two lists of one length, got {len(first)} and {len(second)}")
    return float(kendall_matrix(np.stack([first, second], axis=1))[0, 1])


def kendall_matrix(columns: ArrayLike) -> Array:
    """Kendall's tau-b of every pair of columns `(items, columns)`.

    `tau_b = sum(s_x s_y) / sqrt(sum(s_x^2) sum(s_y^2))` over pairs of items, `s` the sign of
    their difference (Kendall 1945): one matrix product for all columns, exact in integers.

    Returns:
        `(columns, columns)`, symmetric; NaN in the row and column of a constant column.

    Raises:
        ValueError: bad values (see `as_scores`).
    """
    table = as_scores(columns, "items", "columns")
    items, width = table.shape
    products = np.zeros((width, width))
    block = max(1, _BLOCK // table.size)
    for start in range(0, items, block):
        signs = np.sign(table[start : start + block, None, :] - table).reshape(-1, width)
        products += signs.T @ signs
    untied = np.diag(products)
    scale = np.sqrt(np.outer(untied, untied))
    return np.divide(products, scale, out=np.full_like(products, np.nan), where=scale > 0)


def average_ranks(scores: ArrayLike, *, higher_is_better: bool = True) -> Array:
    """Mean over tasks of the rank of each method, 1 is best; ties take their mean rank.

    Args:
        scores: `(tasks, methods)`, each row in its own unit.
        higher_is_better: False for losses.

    Returns:
        `(methods,)`.

    Raises:
        ValueError: bad scores (see `as_scores`).
    """
    return np.asarray(_mean_ranks(scores, higher_is_better).mean(axis=0))


def friedman(scores: ArrayLike, *, higher_is_better: bool = True) -> Friedman:
    """Friedman's test that all methods rank alike over tasks; needs scipy.

    The chi-square statistic with the correction for ties (Conover 1999, section 5.8), and the
    less conservative F of Iman & Davenport 1980 (Demsar 2006, JMLR 7, section 3.2.2). If all
    tasks agree on the order, F is infinite and its p 0; if all methods tie on all tasks, both
    statistics are 0 and both p 1.

    Args:
        scores: `(tasks, methods)`, at least two of each, each row in its own unit.
        higher_is_better: False for losses.

    Raises:
        ValueError: bad scores (see `as_scores`), or fewer than two tasks or methods.
    """
    ranks = _mean_ranks(scores, higher_is_better)
    tasks, methods = ranks.shape
    if min(tasks, methods) < 2:
        raise ValueError(f"needs two tasks and two methods, got {tasks} and {methods}")
    from scipy.special import chdtrc, fdtrc  # scipy.stats takes seconds to import

    centred = ranks - (methods + 1) / 2
    spread = float(np.square(centred).sum())
    average = ranks.mean(axis=0)
    if spread == 0:
        return Friedman(0.0, 1.0, 0.0, 1.0, average)
    chi2 = (methods - 1) * float(np.square(centred.sum(axis=0)).sum()) / spread
    rest = tasks * (methods - 1) - chi2
    agreed = rest < 1e-9 * chi2  # rest is then 0 up to rounding
    f = math.inf if agreed else (tasks - 1) * chi2 / rest
    f_p = 0.0 if agreed else float(fdtrc(methods - 1, (methods - 1) * (tasks - 1), f))
    return Friedman(chi2, float(chdtrc(methods - 1, chi2)), f, f_p, average)


def nemenyi_distance(methods: int, tasks: int, *, alpha: float = 0.05) -> float:
    """Nemenyi's critical difference of average ranks at level `alpha`; needs scipy.

    `q sqrt(k (k + 1) / (6 N))` with q the studentised range quantile for infinite degrees of
    freedom over sqrt(2) (Demsar 2006, JMLR 7, section 3.2.2).

    Raises:
        ValueError: fewer than two methods, no task, or alpha outside (0, 1).
    """
    check_level(1 - alpha)
    if methods < 2 or tasks < 1:
        raise ValueError(f"needs two methods and one task, got {methods} and {tasks}")
    from scipy.stats import studentized_range  # in no lighter module

    q = float(studentized_range.ppf(1 - alpha, methods, math.inf)) / math.sqrt(2)
    return q * math.sqrt(methods * (methods + 1) / (6 * tasks))


def _shared_ranks(values: Array) -> NDArray[np.int64]:
    """Ranks in each row `(reps, methods)`, 1 is greatest; equal values share the better one."""
    # The same runs summed in another order differ by rounding: that is a tie.
    bar = values + 1e-12 * np.abs(values).max()
    above = [(values > bar[:, [j]]).sum(axis=1) for j in range(values.shape[1])]
    return 1 + np.stack(above, axis=1)


def _mean_ranks(scores: ArrayLike, higher_is_better: bool) -> Array:
    """Ranks in each row `(tasks, methods)`, 1 is best; ties take the mean of their ranks."""
    table = as_scores(scores, "tasks", "methods")
    signs = np.sign(table[:, None, :] - table[:, :, None])
    beaten_by = signs.sum(axis=2) if higher_is_better else -signs.sum(axis=2)
    return np.asarray((table.shape[1] + 1 + beaten_by) / 2)
