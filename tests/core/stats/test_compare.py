"""Comparisons agree with scipy and with loops, hold their level, and state the edge cases."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats as scipy_stats

from rlbench.core.stats import (
    Alternative,
    Array,
    Interval,
    bootstrap,
    iqm,
    mean,
    permutation_test,
    probability_of_improvement,
    welch,
)

ALTERNATIVES: list[Alternative] = ["two-sided", "less", "greater"]
score = st.integers(-8, 8).map(lambda k: k / 4)  # coarse, so that ties happen
samples = st.lists(st.floats(-100, 100, allow_subnormal=False), min_size=2, max_size=10)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Array, Array]:
    tasks = draw(st.integers(1, 4))
    sides = [
        draw(hnp.arrays(np.float64, (draw(st.integers(2, 6)), tasks), elements=score))
        for _ in range(2)
    ]
    return sides[0], sides[1]


@settings(max_examples=50)
@given(pairs())
def test_probability_of_improvement_counts_won_pairs(pair: tuple[Array, Array]) -> None:
    x, y = pair
    per_task = []
    for task in range(x.shape[1]):
        won = [
            1.0 if a > b else 0.5 if a == b else 0.0
            for a, b in itertools.product(x[:, task], y[:, task])
        ]
        per_task.append(sum(won) / len(won))
    interval = probability_of_improvement(x, y, reps=50)
    assert interval.point == pytest.approx(sum(per_task) / len(per_task))
    assert interval.low is not None
    assert interval.high is not None
    assert 0 <= interval.low <= interval.point + 1e-12
    assert interval.point - 1e-12 <= interval.high <= 1
    back = probability_of_improvement(y, x, reps=50)
    assert back.point == pytest.approx(1 - interval.point)


def test_probability_of_improvement_is_mann_whitney_over_pairs() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 6, (7, 4)), rng.integers(1, 7, (5, 4))
    u = [scipy_stats.mannwhitneyu(x[:, j], y[:, j]).statistic / 35 for j in range(4)]
    assert probability_of_improvement(x, y, reps=10).point == pytest.approx(np.mean(u))
    ties = probability_of_improvement([[0.5], [0.5], [0.5]], [[0.5], [0.5], [0.4]], reps=10)
    assert ties.point == pytest.approx(2 / 3)


def test_probability_of_improvement_interval_is_the_one_of_slow_resampling() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(0.5, 1, (5, 3)), rng.normal(0, 1, (4, 3))
    slow = []
    for _ in range(4_000):
        won = [
            (x[rng.integers(5, size=5), j][:, None] > y[rng.integers(4, size=4), j]).mean()
            for j in range(3)
        ]
        slow.append(np.mean(won))
    interval = probability_of_improvement(x, y, method="percentile")
    assert (interval.low, interval.high) == pytest.approx(
        np.percentile(slow, [2.5, 97.5]), abs=0.02
    )


def test_identical_columns_give_one_half_and_one_run_gives_no_interval() -> None:
    same = [[0.3, 1.0], [0.3, 1.0]]
    assert probability_of_improvement(same, same, reps=20) == Interval(0.5, 0.5, 0.5)
    assert probability_of_improvement([[1.0, 1.0]], same, reps=20) == Interval(0.75, None, None)
    with pytest.raises(ValueError, match="the same tasks, got 2 and 1"):
        probability_of_improvement(same, [[1.0]])


def test_probability_of_improvement_is_reproducible(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 6)), rng.normal(size=(4, 6))
    whole = probability_of_improvement(x, y, reps=500, seed=1)
    assert whole != probability_of_improvement(x, y, reps=500, seed=2)
    monkeypatch.setattr(bootstrap, "_CHUNK", 1_000)
    again = probability_of_improvement(x, y, reps=500, seed=1)
    assert (again.low, again.high) == pytest.approx((whole.low, whole.high))


@settings(max_examples=60)
@given(samples, samples, st.sampled_from(ALTERNATIVES))
def test_welch_is_the_test_of_scipy(
    x: list[float], y: list[float], alternative: Alternative
) -> None:
    assume(np.std(x) > 1e-3)
    assume(np.std(y) > 1e-3)
    ours = welch(x, y, alternative=alternative, level=0.9)
    theirs = scipy_stats.ttest_ind(x, y, equal_var=False, alternative=alternative)
    assert ours.t == pytest.approx(theirs.statistic, rel=1e-6, abs=1e-9)
    assert ours.df == pytest.approx(theirs.df, rel=1e-6)
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-12)
    two_sided = scipy_stats.ttest_ind(x, y, equal_var=False)
    assert (ours.low, ours.high) == pytest.approx(
        tuple(two_sided.confidence_interval(0.9)), rel=1e-6, abs=1e-6
    )


def test_effect_size_is_in_pooled_standard_deviations() -> None:
    x, y = [2.0, 4.0, 6.0], [1.0, 2.0, 3.0, 4.0]
    result = welch(x, y)
    pooled = math.sqrt((2 * 4.0 + 3 * np.var(y, ddof=1)) / 5)
    assert result.difference == 1.5
    assert result.pooled_sd == pytest.approx(pooled)
    assert result.cohen_d == pytest.approx(1.5 / pooled)
    # The usual approximation of Hedges' correction is 1 - 3 / (4 df - 1).
    assert result.hedges_g == pytest.approx(result.cohen_d * (1 - 3 / 19), rel=2e-3)


def test_welch_when_nothing_varies_is_certain_both_ways() -> None:
    up = welch([0.3, 0.3, 0.3], [0.1, 0.1])
    assert (up.t, up.df, up.p) == (math.inf, 3, 0)
    assert up.difference == up.low == up.high == pytest.approx(0.2)
    assert up.cohen_d == up.hedges_g == math.inf
    assert welch([0.3, 0.3], [0.1, 0.1], alternative="less").p == 1
    assert welch([0.1, 0.1], [0.3, 0.3], alternative="less").p == 0
    assert welch([0.1, 0.1], [0.3, 0.3]).hedges_g == -math.inf


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_welch_of_equal_constants_finds_nothing(alternative: Alternative) -> None:
    result = welch([0.1, 0.1, 0.1], [0.1] * 7, alternative=alternative)
    assert (result.t, result.p, result.cohen_d, result.difference) == (0, 1, 0, 0)


def test_welch_when_one_side_varies_uses_its_degrees_of_freedom() -> None:
    result = welch([0.1, 0.2, 0.4], [0.5] * 6)
    assert result.df == pytest.approx(2)
    assert result.p == pytest.approx(scipy_stats.ttest_1samp([0.1, 0.2, 0.4], 0.5).pvalue)


def test_a_single_run_cannot_be_tested() -> None:
    with pytest.raises(ValueError, match="needs two runs on each side, got 1 and 3"):
        welch([1.0], [1.0, 2.0, 3.0])


def test_permutation_p_value_is_the_exact_one_of_all_relabellings() -> None:
    x, y = np.array([[0.1, 0.9], [0.8, 1.4], [1.2, 0.7]]), np.array([[0.0, 0.1], [0.2, 0.6]])
    pooled = np.concatenate([x, y])
    observed = float(iqm(x) - iqm(y))
    choices = list(itertools.combinations(range(5), 3))
    differences = []
    for of_tasks in itertools.product(choices, choices):
        inside = np.stack([pooled[list(rows), j] for j, rows in enumerate(of_tasks)], axis=1)
        outside = np.stack(
            [np.delete(pooled[:, j], list(rows)) for j, rows in enumerate(of_tasks)], axis=1
        )
        differences.append(float(iqm(inside) - iqm(outside)))
    drawn = np.array(differences)
    expected = {
        "greater": (drawn >= observed - 1e-12).mean(),
        "less": (drawn <= observed + 1e-12).mean(),
        "two-sided": (np.abs(drawn) >= abs(observed) - 1e-12).mean(),
    }
    for alternative in ALTERNATIVES:
        result = permutation_test(x, y, alternative=alternative, reps=20_000)
        assert result.p == pytest.approx(expected[alternative], abs=0.012)
        assert result.difference == observed


def test_permutation_test_sees_a_clear_drop_and_holds_its_level() -> None:
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(10, 6))
    drop = permutation_test(rng.normal(-2, 1, (4, 6)), reference, alternative="less", reps=500)
    assert drop.p == pytest.approx(1 / 501)
    p_values = [
        permutation_test(a[:3], a[3:], mean, alternative="less", reps=99, seed=i).p
        for i, a in enumerate(rng.normal(size=(300, 8, 3)))
    ]
    assert sum(p <= 0.05 for p in p_values) / 300 < 0.09


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_permutation_test_of_equal_constants_finds_nothing(alternative: Alternative) -> None:
    few, many = np.full((3, 2), 0.1), np.full((4, 2), 0.1)
    assert permutation_test(few, many, mean, alternative=alternative, reps=50).p == 1


def test_permutation_test_of_equal_tables_finds_nothing_and_is_reproducible() -> None:
    table = np.random.default_rng(0).normal(size=(4, 3))
    assert permutation_test(table, table, reps=200).p == 1
    first, again, other = (
        permutation_test(table, table[:2], reps=300, seed=seed).p for seed in (1, 1, 2)
    )
    assert first == again != other


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="alternative must be"):
        welch([1.0, 2.0], [1.0, 2.0], alternative="smaller")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="alternative must be"):
        permutation_test([[1.0]], [[2.0]], alternative="smaller")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="reps must be at least 1"):
        permutation_test([[1.0]], [[2.0]], reps=0)
