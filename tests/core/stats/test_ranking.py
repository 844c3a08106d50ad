"""Ranks share on ties, widen with doubt, and the rank statistics are those of scipy."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats as scipy_stats

from rlbench.core.stats import (
    Array,
    RankInterval,
    average_ranks,
    friedman,
    kendall_matrix,
    kendall_tau,
    mean,
    nemenyi_distance,
    optimality_gap,
    rank_intervals,
)

score = st.integers(-8, 8).map(lambda k: k / 4)  # coarse, so that ties happen
lists = st.integers(2, 12).flatmap(
    lambda n: hnp.arrays(np.float64, st.just((n, 2)), elements=score)
)
tables = hnp.arrays(np.float64, st.tuples(st.integers(2, 8), st.integers(3, 6)), elements=score)


def test_clear_differences_give_certain_ranks_and_equal_methods_share_the_doubt() -> None:
    rng = np.random.default_rng(0)
    scores = {
        "low": rng.normal(0, 0.1, (5, 8)),
        "twin": rng.normal(1, 0.1, (5, 8)),
        "other twin": rng.normal(1, 0.1, (3, 8)),
        "high": rng.normal(2, 0.1, (10, 8)),
    }
    ranks = rank_intervals(scores, reps=2_000)
    assert list(ranks) == list(scores)
    assert ranks["high"] == RankInterval(1, 1, 1)
    assert ranks["low"] == RankInterval(4, 4, 4)
    assert {ranks["twin"].point, ranks["other twin"].point} == {2, 3}
    for twin in ("twin", "other twin"):
        assert (ranks[twin].low, ranks[twin].high) == (2, 3)
    gaps = rank_intervals(scores, optimality_gap, higher_is_better=False, reps=2_000)
    assert gaps["low"] == RankInterval(4, 4, 4)


def test_ties_share_the_better_rank_also_when_runs_are_summed_in_another_order() -> None:
    runs = [0.1, 0.2, 0.3]
    scores = {
        "a": np.array([runs]).T,
        "b": np.array([runs[::-1]]).T,
        "c": np.full((3, 1), 0.05),
    }
    ranks = rank_intervals(scores, mean, reps=500)
    assert [rank.point for rank in ranks.values()] == [1, 1, 3]
    constant = {name: np.full((2, 2), value) for name, value in [("a", 1), ("b", 1), ("c", 0)]}
    assert list(rank_intervals(constant, reps=50).values()) == [
        RankInterval(1, 1, 1),
        RankInterval(1, 1, 1),
        RankInterval(3, 3, 3),
    ]


@settings(max_examples=30)
@given(hnp.arrays(np.float64, (4, 3, 2), elements=score))
def test_rank_intervals_hold_the_point_and_ignore_the_order_of_methods(stack: Array) -> None:
    scores = dict(zip("abcd", stack, strict=True))
    ranks = rank_intervals(scores, reps=60)
    for rank in ranks.values():
        assert rank.low is not None
        assert rank.high is not None
        assert 1 <= rank.low <= rank.point <= rank.high <= 4
    turned = rank_intervals(dict(reversed(scores.items())), reps=60)
    assert turned == ranks
    stricter = rank_intervals({n: 3 * s + 1 for n, s in scores.items()}, reps=60)
    assert [r.point for r in stricter.values()] == [r.point for r in ranks.values()]


def test_the_corrected_rank_interval_is_at_least_as_wide_and_seeds_matter() -> None:
    rng = np.random.default_rng(3)
    scores = {str(k): rng.normal(0.15 * k, 1, (3, 5)) for k in range(8)}

    def width(ranks: dict[str, RankInterval]) -> int:
        return sum((r.high or 0) - (r.low or 0) for r in ranks.values())

    corrected = rank_intervals(scores, reps=1_000)
    assert width(corrected) > width(rank_intervals(scores, reps=1_000, method="percentile"))
    assert corrected == rank_intervals(scores, reps=1_000, seed=0)
    assert any(rank_intervals(scores, reps=40, seed=s) != corrected for s in range(1, 4))


def test_one_run_leaves_ranks_without_intervals() -> None:
    ranks = rank_intervals({"a": [[1.0, 2.0]], "b": [[0.0, 0.5], [0.2, 0.1]]}, reps=10)
    assert ranks == {"a": RankInterval(1, None, None), "b": RankInterval(2, None, None)}


def test_methods_must_cover_the_same_tasks() -> None:
    with pytest.raises(ValueError, match="the same tasks for all"):
        rank_intervals({"a": [[1.0, 2.0]], "b": [[1.0]]})
    with pytest.raises(ValueError, match="at least one method"):
        rank_intervals({})


@given(lists)
def test_kendall_tau_is_tau_b_of_scipy(columns: Array) -> None:
    x, y = columns.T
    expected = scipy_stats.kendalltau(x, y).statistic
    assert kendall_tau(x, y) == pytest.approx(expected, nan_ok=True)
    assert kendall_tau(x, -y) == pytest.approx(-expected, nan_ok=True)


def test_kendall_tau_counts_concordant_pairs() -> None:
    x, y = [1, 2, 3, 4, 5], [3, 1, 2, 5, 4]
    pairs = list(itertools.combinations(range(5), 2))
    agreed = sum((x[i] - x[j]) * (y[i] - y[j]) > 0 for i, j in pairs)
    assert kendall_tau(x, y) == (2 * agreed - len(pairs)) / len(pairs)
    with pytest.raises(ValueError, match="one length, got 5 and 2"):
        kendall_tau(x, [1, 2])


def test_kendall_matrix_holds_every_pair_also_when_cut_in_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    columns = np.random.default_rng(0).integers(0, 5, (30, 6)).astype(float)
    columns[:, 4] = 1.0
    whole = kendall_matrix(columns)
    monkeypatch.setattr("rlbench.core.stats.ranking._BLOCK", 30 * 6 * 7)
    np.testing.assert_array_equal(kendall_matrix(columns), whole)
    for i, j in np.ndindex(6, 6):
        expected = scipy_stats.kendalltau(columns[:, i], columns[:, j]).statistic
        assert whole[i, j] == pytest.approx(expected, nan_ok=True)
    assert np.isnan(whole[4]).all()


@given(tables)
def test_average_ranks_share_ties_and_sum_to_a_constant(table: Array) -> None:
    expected = scipy_stats.rankdata(-table, axis=1).mean(axis=0)
    np.testing.assert_allclose(average_ranks(table), expected)
    np.testing.assert_allclose(
        average_ranks(table, higher_is_better=False), scipy_stats.rankdata(table, axis=1).mean(0)
    )
    methods = table.shape[1]
    assert average_ranks(table).sum() == pytest.approx(methods * (methods + 1) / 2)


@given(tables)
def test_friedman_is_the_test_of_scipy(table: Array) -> None:
    ours = friedman(table)
    if (table == table[:, :1]).all():
        assert (ours.chi2, ours.chi2_p, ours.f, ours.f_p) == (0, 1, 0, 1)
        return
    theirs = scipy_stats.friedmanchisquare(*table.T)
    assert ours.chi2 == pytest.approx(theirs.statistic, abs=1e-9)
    assert ours.chi2_p == pytest.approx(theirs.pvalue, abs=1e-9)
    assert friedman(table, higher_is_better=False).chi2 == pytest.approx(ours.chi2, abs=1e-9)


def test_iman_davenport_is_the_f_of_ranks() -> None:
    """It equals the F of a two-way analysis of variance on the ranks (Conover 1999, 5.8)."""
    table = np.random.default_rng(0).normal(size=(9, 4)) + np.array([0, 0.5, 1, 1.2])
    ranks = scipy_stats.rankdata(-table, axis=1)
    between = 9 * ((ranks.mean(axis=0) - 2.5) ** 2).sum()
    within = ((ranks - 2.5) ** 2).sum() - between
    f = (between / 3) / (within / (8 * 3))
    result = friedman(table)
    assert result.f == pytest.approx(f)
    assert result.f_p == pytest.approx(scipy_stats.f.sf(f, 3, 24))
    np.testing.assert_allclose(result.average_ranks, ranks.mean(axis=0))


def test_friedman_when_all_tasks_agree() -> None:
    result = friedman(np.arange(3.0) + np.zeros((7, 1)))
    assert result.chi2 == pytest.approx(14)
    assert (result.f, result.f_p) == (math.inf, 0)
    with pytest.raises(ValueError, match="two tasks and two methods, got 1 and 3"):
        friedman([[1.0, 2.0, 3.0]])


@pytest.mark.parametrize(("methods", "q"), [(2, 1.960), (5, 2.728), (10, 3.164)])
def test_nemenyi_distance_has_the_quantiles_of_demsar_table_5(methods: int, q: float) -> None:
    expected = q * math.sqrt(methods * (methods + 1) / (6 * 14))
    assert nemenyi_distance(methods, 14) == pytest.approx(expected, rel=5e-4)


def test_nemenyi_distance_follows_alpha_and_the_number_of_tasks() -> None:
    quantile = scipy_stats.studentized_range.ppf(0.9, 4, math.inf)
    assert nemenyi_distance(4, 10, alpha=0.1) == pytest.approx(
        quantile / math.sqrt(2) * math.sqrt(20 / 60)
    )
    assert nemenyi_distance(4, 40) == pytest.approx(nemenyi_distance(4, 10) / 2)
    with pytest.raises(ValueError, match="needs two methods"):
        nemenyi_distance(1, 10)
