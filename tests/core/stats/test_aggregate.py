"""The aggregates equal their definitions, refuse gaps, and move with the scores as they must."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import trim_mean

from rlbench.core.stats import Array, Statistic, iqm, mean, median, optimality_gap

AGGREGATES: list[Statistic] = [mean, median, iqm, optimality_gap]

score = st.floats(-100, 100, allow_subnormal=False)
tables = hnp.arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=score)


def slow_iqm(table: Array) -> float:
    values: list[float] = sorted(table.ravel().tolist())
    cut = int(0.25 * len(values))
    kept = values[cut : len(values) - cut]
    return sum(kept) / len(kept)


def slow_median(table: Array) -> float:
    means: list[float] = sorted(sum(column) / len(column) for column in table.T.tolist())
    return (means[(len(means) - 1) // 2] + means[len(means) // 2]) / 2


def slow_mean(table: Array) -> float:
    means: list[float] = [sum(column) / len(column) for column in table.T.tolist()]
    return sum(means) / len(means)


def slow_gap(table: Array) -> float:
    return sum(max(0.0, 1.0 - v) for v in table.ravel().tolist()) / table.size


@given(tables)
def test_aggregates_equal_their_definitions_written_as_loops(table: Array) -> None:
    assert float(iqm(table)) == pytest.approx(slow_iqm(table), abs=1e-9)
    assert float(median(table)) == pytest.approx(slow_median(table), abs=1e-9)
    assert float(mean(table)) == pytest.approx(slow_mean(table), abs=1e-9)
    assert float(optimality_gap(table)) == pytest.approx(slow_gap(table), abs=1e-9)


@given(tables)
def test_iqm_is_the_trimmed_mean_of_scipy(table: Array) -> None:
    assert float(iqm(table)) == pytest.approx(trim_mean(table, 0.25, axis=None), abs=1e-9)


def test_iqm_of_three_values_cuts_nothing() -> None:
    assert float(iqm([[0.0], [0.0], [9.0]])) == 3.0
    assert float(iqm([[0.0], [0.0], [9.0], [9.0]])) == 4.5
    assert float(iqm([[0.0], [1.0], [2.0], [99.0]])) == 1.5


def test_optimality_gap_does_not_credit_what_exceeds_gamma() -> None:
    assert float(optimality_gap([[0.5, 7.0]])) == 0.25
    assert float(optimality_gap([[0.5, 7.0]], gamma=2.0)) == 0.75


@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_leading_axes_are_batches(aggregate: Statistic) -> None:
    batch = np.random.default_rng(0).normal(size=(2, 3, 5, 4))
    together = aggregate(batch)
    assert together.shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        assert together[i, j] == pytest.approx(float(aggregate(batch[i, j])))


@given(tables, st.randoms(use_true_random=False))
@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_the_order_of_runs_and_of_tasks_does_not_matter(
    aggregate: Statistic, table: Array, random: Random
) -> None:
    rows, columns = list(range(table.shape[0])), list(range(table.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    shuffled = table[np.ix_(rows, columns)]
    assert float(aggregate(shuffled)) == pytest.approx(float(aggregate(table)), abs=1e-9)


@given(tables, st.floats(-5, 5), st.floats(0.1, 10))
@pytest.mark.parametrize("aggregate", [mean, median, iqm])
def test_location_metrics_follow_shift_and_scale_and_stay_within_the_scores(
    aggregate: Statistic, table: Array, shift: float, scale: float
) -> None:
    value = float(aggregate(table))
    assert float(aggregate(scale * table + shift)) == pytest.approx(scale * value + shift, abs=1e-8)
    assert table.min() - 1e-9 <= value <= table.max() + 1e-9


@given(tables, st.data())
def test_a_better_run_never_makes_an_aggregate_worse(table: Array, data: st.DataObject) -> None:
    better = table.copy()
    cell = tuple(data.draw(st.integers(0, size - 1)) for size in table.shape)
    better[cell] += data.draw(st.floats(0, 50))
    for aggregate in (mean, median, iqm):
        assert float(aggregate(better)) >= float(aggregate(table)) - 1e-9
    assert float(optimality_gap(better)) <= float(optimality_gap(table)) + 1e-9


@pytest.mark.parametrize("aggregate", AGGREGATES)
@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([[1.0, float("nan")], [0.0, 1.0]], "1 of 4 scores are NaN or infinite"),
        ([[1.0, None], [0.0, 1.0]], "a missing run is never counted as 0"),
        ([[1.0, float("inf")]], "NaN or infinite"),
        (np.zeros((0, 3)), "no scores"),
        (np.zeros((3, 0)), "no scores"),
        ([[1.0, 2.0], [1.0]], "same number of runs for every task"),
        ([["a"]], "full table of numbers"),
        ([1.0, 2.0], r"expected scores \(\.\.\., runs, tasks\), got an array of shape \(2,\)"),
    ],
)
def test_missing_and_malformed_scores_are_refused(
    aggregate: Statistic, scores: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        aggregate(scores)  # type: ignore[arg-type]
