"""Statistics of benchmark results: numpy arrays in, points and intervals out.

Score tables are `(runs, tasks)`, normalised, higher is better, complete. `bootstrap_interval`
and `iqm` are where to start; nothing here reads a record or knows a suite.
"""

from rlbench.core.stats.aggregate import (
    Array,
    Statistic,
    iqm,
    mean,
    median,
    optimality_gap,
)
from rlbench.core.stats.bootstrap import (
    Band,
    Interval,
    Method,
    Seed,
    bootstrap_interval,
    t_interval,
)
from rlbench.core.stats.compare import (
    Alternative,
    Permutation,
    Welch,
    permutation_test,
    probability_of_improvement,
    welch,
)
from rlbench.core.stats.profiles import curve_band, performance_profile
from rlbench.core.stats.ranking import (
    Friedman,
    RankInterval,
    average_ranks,
    friedman,
    kendall_matrix,
    kendall_tau,
    nemenyi_distance,
    rank_intervals,
)

__all__ = [
    "Alternative",
    "Array",
    "Band",
    "Friedman",
    "Interval",
    "Method",
    "Permutation",
    "RankInterval",
    "Seed",
    "Statistic",
    "Welch",
    "average_ranks",
    "bootstrap_interval",
    "curve_band",
    "friedman",
    "iqm",
    "kendall_matrix",
    "kendall_tau",
    "mean",
    "median",
    "nemenyi_distance",
    "optimality_gap",
    "performance_profile",
    "permutation_test",
    "probability_of_improvement",
    "rank_intervals",
    "t_interval",
    "welch",
]
