"""Speed of rlbench's statistics beside rliable, as ratios in one process.

rliable 1.2 needs pandas < 3 and arch < 8, so it does not fit the usual environment. Make one
for it, anywhere, and run this file there from the root of the checkout:

    python -m venv rliable-env
    rliable-env/bin/pip install rliable "pandas<3" "arch<8" pytest hypothesis
    rliable-env/bin/pip install -e .
    rliable-env/bin/python benchmarks/stats.py
    rliable-env/bin/python -m pytest tests/core/stats

Both sides compute plain percentile intervals from the same scores with the same number of
replicates, on one thread. The random draws differ, so the ends of the intervals agree up to
Monte Carlo error only, which is checked; where rliable would take a minute, both draw fewer
replicates. rliable runs once; ours, which is over in a blink, three times, the median counts.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is imported: one thread each

import statistics
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rlbench.core.stats import (
    Array,
    Band,
    Interval,
    bootstrap_interval,
    performance_profile,
    probability_of_improvement,
)

TARGET = 30  # times faster on the interval of the IQM
RUNS, TASKS = 10, 26
TAUS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Job:
    """One computation both ways; each side returns the ends of its intervals `(2, ...)`."""

    name: str
    ours: Callable[[], Array]
    theirs: Callable[[], Array]
    tolerance: float


def ends(result: Interval | Band) -> Array:
    """Stack the ends of an interval or band."""
    assert result.low is not None
    assert result.high is not None
    return np.array([result.low, result.high])


def make_jobs() -> list[Job]:
    """Pair our computations with those of rliable, on the same scores."""
    from rliable import library, metrics

    rng = np.random.default_rng(0)
    x, y = rng.beta(2, 3, (RUNS, TASKS)), rng.beta(2, 2.5, (RUNS, TASKS))

    def their_interval(
        scores: object, statistic: Callable[..., float], reps: int
    ) -> Callable[[], Array]:
        return lambda: np.asarray(
            library.get_interval_estimates(
                {"x": scores}, lambda *s: np.array([statistic(*s)]), reps=reps
            )[1]["x"][:, 0]
        )

    return [
        Job(
            "IQM, 50,000 replicates",
            lambda: ends(bootstrap_interval(x, reps=50_000, method="percentile")),
            their_interval(x, metrics.aggregate_iqm, 50_000),
            tolerance=0.001,
        ),
        Job(
            "profile, 101 taus, 2,000 replicates",
            lambda: ends(performance_profile(x, TAUS, reps=2_000, method="percentile")),
            lambda: np.asarray(
                library.create_performance_profile({"x": x}, TAUS, reps=2_000)[1]["x"]
            ),
            tolerance=2 / x.size + 1e-9,  # fractions move in steps of one run
        ),
        Job(
            "P(X > Y), 200 replicates",
            lambda: ends(probability_of_improvement(x, y, reps=200, method="percentile")),
            their_interval((x, y), metrics.probability_of_improvement, 200),
            tolerance=0.02,
        ),
    ]


def timed(compute: Callable[[], Array], repeats: int) -> tuple[float, Array]:
    """Median seconds of `repeats` calls, and what the last one returned."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = compute()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), result


def main() -> int:
    """Print the table; 1 when an interval disagrees or the target is missed, 2 without rliable."""
    try:
        jobs = make_jobs()
    except ImportError as error:
        print(f"rliable does not import ({error}).\n\n{__doc__}", file=sys.stderr)
        return 2
    np.random.seed(0)  # noqa: NPY002 - rliable ignores its random_state and draws from here
    ratios = []
    print(f"{RUNS} runs x {TASKS} tasks, percentile intervals, one thread")
    print(f"{'':36}{'rliable':>10}{'rlbench':>10}{'ratio':>8}{'ends differ by':>16}")
    for job in jobs:
        our_seconds, our_ends = timed(job.ours, 3)
        their_seconds, their_ends = timed(job.theirs, 1)
        ratios.append(their_seconds / our_seconds)
        apart = float(np.abs(our_ends - their_ends).max())
        seconds = f"{their_seconds:8.3f} s{our_seconds:8.4f} s"
        print(f"{job.name:36}{seconds}{ratios[-1]:7.0f}x{apart:16.5f}")
        if apart > job.tolerance:
            print(f"{job.name}: ends differ by more than {job.tolerance}", file=sys.stderr)
            return 1
    if ratios[0] < TARGET:
        print(f"the IQM is {ratios[0]:.0f}x as fast, less than {TARGET}x", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # arch warns about rliable's calls
    sys.exit(main())
