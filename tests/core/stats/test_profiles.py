"""Profiles count what they say, fall from 1 to 0, and curves agree with single intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rlbench.core.stats import (
    Array,
    bootstrap,
    bootstrap_interval,
    curve_band,
    iqm,
    median,
    performance_profile,
)

score = st.integers(0, 8).map(lambda k: k / 4)  # coarse, so that scores meet taus exactly
tables = hnp.arrays(np.float64, st.tuples(st.integers(2, 5), st.integers(1, 4)), elements=score)
TAUS = np.linspace(0, 2, 17)


@given(tables)
def test_profile_is_the_fraction_of_runs_strictly_above_tau(table: Array) -> None:
    band = performance_profile(table, TAUS, reps=20)
    for tau, value in zip(TAUS, band.point, strict=True):
        above = sum(v > tau for row in table.tolist() for v in row)
        assert value == above / table.size


@given(tables)
def test_task_profile_is_the_fraction_of_tasks_whose_mean_is_above_tau(table: Array) -> None:
    taus = TAUS + 1e-6  # a mean computed in another order must not sit on a threshold
    band = performance_profile(table, taus, per="task", reps=20)
    for tau, value in zip(taus, band.point, strict=True):
        above = sum(sum(column) / len(column) > tau for column in table.T.tolist())
        assert value == above / table.shape[1]


@settings(max_examples=50)
@given(tables, st.sampled_from(["run", "task"]))
def test_profiles_and_their_bands_fall_within_0_and_1(table: Array, per: str) -> None:
    band = performance_profile(table, TAUS, per=per, reps=100)  # type: ignore[arg-type]
    assert band.low is not None
    assert band.high is not None
    assert (np.diff(band.point) <= 0).all()
    for line in (band.low, band.point, band.high):
        assert (line >= 0).all()
        assert (line <= 1).all()
    assert (band.low <= band.point).all()
    assert (band.point <= band.high).all()


@pytest.mark.parametrize("per", ["run", "task"])
def test_profile_bands_are_the_bands_of_slow_resampling(per: str) -> None:
    table = np.random.default_rng(0).random((5, 4))
    taus = np.array([0.2, 0.45, 0.7])
    rng = np.random.default_rng(1)
    slow = []
    for _ in range(4_000):
        columns = [[table[rng.integers(5), j] for _ in range(5)] for j in range(4)]
        values = np.array(columns) if per == "run" else np.array(columns).mean(axis=1)
        slow.append([(values > tau).mean() for tau in taus])
    low, high = np.percentile(slow, [2.5, 97.5], axis=0)
    band = performance_profile(
        table,
        taus,
        per=per,  # type: ignore[arg-type]
        method="percentile",
        reps=4_000,
    )
    # Fractions move in steps of one run (1/20) or one task (1/4): at most one step apart.
    step = 0.051 if per == "run" else 0.251
    assert band.low is not None
    assert band.high is not None
    assert np.abs(band.low - low).max() <= step
    assert np.abs(band.high - high).max() <= step


def test_each_point_of_a_curve_is_the_interval_of_that_checkpoint() -> None:
    curves = np.random.default_rng(0).normal(size=(4, 3, 6)).cumsum(axis=2)
    band = curve_band(curves, reps=500, seed=5)
    assert band.low is not None
    assert band.high is not None
    assert band.point.shape == band.low.shape == band.high.shape == (6,)
    for step in range(6):
        single = bootstrap_interval(curves[:, :, step], iqm, reps=500, seed=5)
        assert (band.point[step], band.low[step], band.high[step]) == pytest.approx(
            (single.point, single.low, single.high)
        )


def test_curves_take_other_statistics_and_bounds() -> None:
    curves = np.random.default_rng(0).random((3, 4, 5))
    band = curve_band(curves, median, reps=300, bounds=(0.4, 0.6))
    np.testing.assert_allclose(band.point, median(np.moveaxis(curves, 2, 0)))
    assert band.low is not None
    assert band.low.min() >= 0.4


def test_equal_seeds_give_equal_bands_whatever_the_memory_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    curves = np.random.default_rng(0).random((4, 5, 3))
    bands = [
        [
            curve_band(curves, reps=333, seed=seed),
            performance_profile(curves[..., 0], TAUS, reps=333, seed=seed),
            performance_profile(curves[..., 0], TAUS, per="task", reps=333, seed=seed),
        ]
        for seed in (0, 1)
    ]
    monkeypatch.setattr(bootstrap, "_CHUNK", 1_000)
    again = [
        curve_band(curves, reps=333, seed=0),
        performance_profile(curves[..., 0], TAUS, reps=333, seed=0),
        performance_profile(curves[..., 0], TAUS, per="task", reps=333, seed=0),
    ]
    for first, other, repeated in zip(*bands, again, strict=True):
        assert first.low is not None
        np.testing.assert_array_equal(first.low, repeated.low)
        assert not np.array_equal(first.low, other.low)


def test_one_run_has_a_curve_but_no_band() -> None:
    for band in (
        performance_profile([[0.2, 0.8]], [0.5]),
        performance_profile([[0.2, 0.8]], [0.5], per="task"),
        curve_band([[[0.5], [0.5]]]),
    ):
        assert band.point.tolist() == [0.5]
        assert band.low is None
        assert band.high is None


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="per must be"):
        performance_profile([[0.0], [1.0]], [0.5], per="seed")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"expected scores \(taus\)"):
        performance_profile([[0.0], [1.0]], 0.5)
    with pytest.raises(ValueError, match=r"expected scores \(runs, tasks, steps\)"):
        curve_band([[0.0], [1.0]])
