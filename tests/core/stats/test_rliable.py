"""Same numbers as rliable, the published implementation, where it is installed.

It needs pandas < 3, so it has an environment of its own: see `benchmarks/stats.py`.
"""

from collections.abc import Callable

import numpy as np
import pytest

from rlbench.core.stats import (
    Statistic,
    bootstrap_interval,
    iqm,
    mean,
    median,
    optimality_gap,
    performance_profile,
    probability_of_improvement,
)

REASON = "rliable does not import here; benchmarks/stats.py says how to make it an environment"
library = pytest.importorskip("rliable.library", reason=REASON, exc_type=ImportError)
metrics = pytest.importorskip("rliable.metrics", reason=REASON, exc_type=ImportError)

pytestmark = pytest.mark.filterwarnings("ignore")  # arch warns about rliable's calls

SCORES = np.random.default_rng(0).beta(2, 3, size=(5, 8))
OTHERS = np.random.default_rng(1).beta(3, 3, size=(5, 8)).round(1)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (mean, metrics.aggregate_mean),
        (median, metrics.aggregate_median),
        (iqm, metrics.aggregate_iqm),
        (optimality_gap, metrics.aggregate_optimality_gap),
    ],
)
def test_points_are_equal_and_percentile_intervals_meet(
    ours: Statistic, theirs: Callable[..., float]
) -> None:
    np.random.seed(0)  # noqa: NPY002 - rliable ignores its random_state and draws from here
    points, intervals = library.get_interval_estimates(
        {"a": SCORES}, lambda scores: np.array([theirs(scores)]), reps=5_000
    )
    interval = bootstrap_interval(SCORES, ours, method="percentile")
    assert interval.point == pytest.approx(points["a"][0])
    assert (interval.low, interval.high) == pytest.approx(intervals["a"][:, 0], abs=0.005)


@pytest.mark.parametrize("per", ["run", "task"])
def test_profiles_are_equal_and_their_bands_meet(per: str) -> None:
    np.random.seed(0)  # noqa: NPY002 - as above
    taus = np.linspace(0, 1, 21)
    points, bands = library.create_performance_profile(
        {"a": SCORES}, taus, use_score_distribution=per == "run", reps=2_000
    )
    band = performance_profile(SCORES, taus, per=per, method="percentile")  # type: ignore[arg-type]
    np.testing.assert_allclose(band.point, points["a"])
    # Ends move in steps of one run or one task, so they may differ by one.
    step = 1 / SCORES.size if per == "run" else 1 / SCORES.shape[1]
    assert band.low is not None
    assert band.high is not None
    assert np.abs(np.stack([band.low, band.high]) - bands["a"]).max() <= step + 1e-9


def test_probability_of_improvement_is_equal_and_intervals_meet() -> None:
    np.random.seed(0)  # noqa: NPY002 - as above
    points, intervals = library.get_interval_estimates(
        {"a": (SCORES.round(1), OTHERS)},
        lambda x, y: np.array([metrics.probability_of_improvement(x, y)]),
        reps=400,
    )
    interval = probability_of_improvement(SCORES.round(1), OTHERS, method="percentile")
    assert interval.point == pytest.approx(points["a"][0])
    assert (interval.low, interval.high) == pytest.approx(intervals["a"][:, 0], abs=0.03)
