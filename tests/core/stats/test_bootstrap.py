"""Intervals: right against an exact bootstrap, reproducible, honest about few runs."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats as scipy_stats

from rlbench.core.stats import (
    Array,
    Interval,
    Method,
    Statistic,
    bootstrap,
    bootstrap_interval,
    iqm,
    mean,
    median,
    optimality_gap,
    t_interval,
)

score = st.floats(-10, 10, allow_subnormal=False)
tables = hnp.arrays(np.float64, st.tuples(st.integers(2, 5), st.integers(1, 4)), elements=score)


def ends(interval: Interval) -> tuple[float, float]:
    assert interval.low is not None
    assert interval.high is not None
    return interval.low, interval.high


@pytest.mark.parametrize("statistic", [mean, median, iqm, optimality_gap])
def test_replicates_have_the_exact_bootstrap_distribution(statistic: Statistic) -> None:
    """All (3^3)^2 equally likely resamples of two tasks, listed, against the drawn ones."""
    table = np.array([[0.1, 0.4], [0.5, 0.7], [1.3, 0.2]])
    every_column = list(itertools.product(range(3), repeat=3))
    resamples = [
        np.stack([table[list(a), 0], table[list(b), 1]], axis=1)
        for a, b in itertools.product(every_column, every_column)
    ]
    exact = np.array([float(statistic(resampled)) for resampled in resamples])
    drawn = bootstrap.resample(table, statistic, reps=20_000, seed=3)
    cuts = np.unique(exact) + 1e-9
    exact_cdf = (exact[:, None] <= cuts).mean(axis=0)
    drawn_cdf = (drawn[:, None] <= cuts).mean(axis=0)
    assert np.abs(exact_cdf - drawn_cdf).max() < 0.012  # Kolmogorov's 1 % bound at 20,000


def test_tasks_are_resampled_independently_and_never_mixed() -> None:
    table = np.array([[0.0, 100.0], [1.0, 101.0]])
    first = bootstrap.resample(table, lambda s: s[..., 0].mean(axis=-1), reps=4_000, seed=0)
    second = bootstrap.resample(table, lambda s: s[..., 1].mean(axis=-1), reps=4_000, seed=0)
    assert set(first) == {0.0, 0.5, 1.0}
    assert set(second) == {100.0, 100.5, 101.0}
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05


def test_percentile_ends_are_the_quantiles_of_the_replicates() -> None:
    table = np.random.default_rng(0).normal(size=(4, 3))
    replicates = bootstrap.resample(table, iqm, reps=5_000, seed=7)
    interval = bootstrap_interval(table, reps=5_000, level=0.9, method="percentile", seed=7)
    assert ends(interval) == pytest.approx(tuple(np.percentile(replicates, [5, 95])))
    assert interval.point == float(iqm(table))
    assert interval.level == 0.9


@pytest.mark.parametrize("runs", [2, 3, 5, 10])
def test_the_default_stretches_the_percentile_interval_about_the_point(runs: int) -> None:
    table = np.random.default_rng(runs).normal(size=(runs, 6))
    low, high = ends(bootstrap_interval(table, reps=2_000, method="percentile"))
    interval = bootstrap_interval(table, reps=2_000)
    factor = (runs / (runs - 1)) ** 0.5
    point = interval.point
    assert ends(interval) == pytest.approx(
        (point - factor * (point - low), point + factor * (high - point))
    )


@settings(max_examples=50)
@given(tables)
def test_the_corrected_interval_contains_the_point_and_the_percentile_interval(
    table: Array,
) -> None:
    corrected = bootstrap_interval(table, reps=200)
    low, high = ends(corrected)
    plain_low, plain_high = ends(bootstrap_interval(table, reps=200, method="percentile"))
    assert low <= plain_low <= plain_high <= high
    assert low - 1e-9 <= corrected.point <= high + 1e-9


@settings(max_examples=50)
@given(tables, st.floats(-5, 5), st.floats(0.1, 10))
def test_the_interval_follows_shift_and_scale(table: Array, shift: float, scale: float) -> None:
    low, high = ends(bootstrap_interval(table, reps=200))
    moved = ends(bootstrap_interval(scale * table + shift, reps=200))
    assert moved == pytest.approx((scale * low + shift, scale * high + shift), abs=1e-8)


def test_equal_seeds_give_equal_output_and_others_differ() -> None:
    table = np.random.default_rng(0).normal(size=(5, 4))
    assert bootstrap_interval(table, seed=1, reps=500) == bootstrap_interval(
        table, seed=1, reps=500
    )
    assert bootstrap_interval(table, seed=1, reps=500) != bootstrap_interval(
        table, seed=2, reps=500
    )
    rng = np.random.default_rng(1)
    first, second = (bootstrap_interval(table, seed=rng, reps=500) for _ in range(2))
    assert first == bootstrap_interval(table, seed=1, reps=500)
    assert first != second


def test_memory_chunks_do_not_show_in_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    table = np.random.default_rng(0).normal(size=(5, 7))
    whole = bootstrap.resample(table, iqm, reps=999)
    monkeypatch.setattr(bootstrap, "_CHUNK", 35 * 10)
    np.testing.assert_array_equal(bootstrap.resample(table, iqm, reps=999), whole)


def test_more_confidence_is_wider_and_bounds_cut() -> None:
    table = np.array([[0.9, 1.0], [1.0, 0.97], [0.95, 1.0]])
    narrow = ends(bootstrap_interval(table, level=0.5, reps=2_000))
    wide = ends(bootstrap_interval(table, level=0.99, reps=2_000))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
    assert wide[1] > 1.0
    assert ends(bootstrap_interval(table, level=0.99, reps=2_000, bounds=(0, 1)))[1] == 1.0


@pytest.mark.parametrize("method", ["corrected", "percentile"])
def test_one_run_has_a_point_but_no_interval(method: Method) -> None:
    interval = bootstrap_interval([[0.25, 0.75]], method=method, reps=10)
    assert interval == Interval(0.5, None, None, 0.95)
    assert t_interval([0.5]) == Interval(0.5, None, None, 0.95)


def test_runs_that_agree_exactly_have_an_interval_without_width() -> None:
    assert bootstrap_interval(np.full((3, 5), 0.5), reps=100) == Interval(0.5, 0.5, 0.5)


def test_corrected_interval_covers_closer_to_its_level_than_the_percentile_one() -> None:
    """Three runs of five tasks, standard normal scores, whose population IQM is 0."""
    rng = np.random.default_rng(2024)
    repetitions = 300
    covered = {"percentile": 0, "corrected": 0}
    for seed, table in enumerate(rng.normal(size=(repetitions, 3, 5))):
        low, high = ends(bootstrap_interval(table, reps=1_000, method="percentile", seed=seed))
        covered["percentile"] += low <= 0 <= high
        low, high = ends(bootstrap_interval(table, reps=1_000, seed=seed))
        covered["corrected"] += low <= 0 <= high
    percentile, corrected = (covered[m] / repetitions for m in ("percentile", "corrected"))
    assert 0.78 < percentile < 0.90
    assert 0.87 < corrected < 0.97
    assert corrected - percentile > 0.03


@given(st.lists(score, min_size=2, max_size=12), st.floats(0.5, 0.99))
def test_t_interval_is_the_one_of_scipy(values: list[float], level: float) -> None:
    interval = t_interval(values, level=level)
    expected = scipy_stats.t.interval(
        level,
        len(values) - 1,
        np.mean(values),
        np.std(values, ddof=1) / len(values) ** 0.5 + 1e-300,
    )
    assert ends(interval) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_a_level_that_is_no_probability_is_refused(level: float) -> None:
    with pytest.raises(ValueError, match=r"level must lie between 0 and 1, like 0\.95"):
        bootstrap_interval([[0.0], [1.0]], level=level, reps=10)
    with pytest.raises(ValueError, match="level must lie"):
        t_interval([0.0, 1.0], level=level)


def test_bad_arguments_are_named() -> None:
    table = [[0.0], [1.0]]
    with pytest.raises(ValueError, match="reps must be at least 1, got 0"):
        bootstrap_interval(table, reps=0)
    with pytest.raises(ValueError, match='"corrected" or "percentile", got \'bca\''):
        bootstrap_interval(table, method="bca", reps=10)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="as iqm does"):
        bootstrap_interval(table, lambda s: np.asarray(s.mean()), reps=10)
    with pytest.raises(ValueError, match="NaN"):
        bootstrap_interval([[0.0], [np.nan]])
    with pytest.raises(ValueError, match=r"expected scores \(runs, tasks\)"):
        bootstrap_interval(np.zeros((2, 2, 2)))
