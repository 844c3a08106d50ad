"""Every number of the inconsistency report against brute force."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rlbench.core.stats import Array
from rlbench.suites.ood.views.field import Field, Pair, whole_part
from rlbench.suites.ood.views.inconsistency import (
    MARGIN,
    Inconsistency,
    analyse,
    cliques,
    drawn_means,
    holm,
    worse_than_best,
)

SEEDS = (0, 1, 2, 3, 4)


def field_of(scores: Any, groups: Any = None, seeds: Any = None) -> Field:
    """A field from scores `(pairs, detectors, seeds)`, or a list of pairs of different seeds."""
    tables = tuple(np.asarray(table, dtype=float) for table in scores)
    words = groups or ["near"] * len(tables)
    pairs = tuple(
        Pair(f"key{j}", f"pair{j}", "glyph", word, tuple(range(table.shape[1])))
        for j, (word, table) in enumerate(zip(words, tables, strict=True))
    )
    return Field(tuple(f"d{i}" for i in range(len(tables[0]))), pairs, tables)


@pytest.fixture(scope="module")
def found() -> Inconsistency:
    """Six detectors that differ, on five pairs, of which one has three seeds."""
    rng = np.random.default_rng(7)
    tables = [rng.uniform(0.4, 0.9, (6, 1)) + rng.normal(0, 0.02, (6, n)) for n in (5, 5, 3, 5, 5)]
    tables[1][3] = tables[1][4]  # a tie
    return analyse(field_of(tables, ["near", "near", "far", "far", "far"]))


def means_of(field: Field) -> Array:
    return np.array([[row.mean() for row in table] for table in field.scores]).T


def test_ranks_are_scipys_and_rows_go_by_their_average(found: Inconsistency) -> None:
    expected = np.array([stats.rankdata(-column) for column in means_of(found.field).round(12).T]).T

    np.testing.assert_array_equal(found.ranks, expected)
    np.testing.assert_allclose(found.average, expected.mean(axis=1))
    assert list(found.average) == sorted(found.average)
    assert sorted(found.field.detectors) == [f"d{i}" for i in range(6)]


def test_tau_between_pairs_is_scipys(found: Inconsistency) -> None:
    means = means_of(found.field).round(12)
    expected = [[stats.kendalltau(x, y).statistic for y in means.T] for x in means.T]

    np.testing.assert_allclose(found.tau, expected)
    upper = [expected[i][j] for i, j in itertools.combinations(range(5), 2)]
    assert found.mean_tau == pytest.approx(np.mean(upper))


def test_tau_between_seeds_compares_the_orders_of_two_seeds_of_one_pair(
    found: Inconsistency,
) -> None:
    per_pair = [
        np.mean([
            stats.kendalltau(table[:, s], table[:, t]).statistic
            for s, t in itertools.combinations(range(table.shape[1]), 2)
        ])
        for table in found.field.scores
    ]  # fmt: skip

    assert found.seed_tau == pytest.approx(np.mean(per_pair))


def test_a_pair_on_which_all_tie_has_no_order() -> None:
    found = analyse(field_of([[[0.5] * 2] * 3, [[0.7] * 2, [0.6] * 2, [0.5] * 2]]))

    assert math.isnan(found.tau[0, 1])
    assert math.isnan(found.mean_tau)
    assert list(found.ranks[:, 0]) == [2.0, 2.0, 2.0]


def wins_by_hand(means: Array) -> list[float]:
    shares = [0.0] * len(means)
    for column in means.T.round(12):
        best = [i for i, value in enumerate(column) if value == max(column)]
        for i in best:
            shares[i] += 1 / len(best) / means.shape[1]
    return shares


def test_a_win_is_shared_by_those_that_tie_for_it(found: Inconsistency) -> None:
    points = [interval.point for interval in found.wins]

    assert points == pytest.approx(wins_by_hand(means_of(found.field)))
    assert sum(points) == pytest.approx(1)


def test_regret_is_the_greatest_distance_from_the_best(found: Inconsistency) -> None:
    means = means_of(found.field)
    for i, (interval, worst) in enumerate(zip(found.regret, found.worst, strict=True)):
        gaps = [max(means[:, j]) - means[i, j] for j in range(5)]
        assert interval.point == pytest.approx(max(gaps))
        assert worst == gaps.index(max(gaps))


def test_groups_are_averaged_over_their_pairs(found: Inconsistency) -> None:
    means = means_of(found.field)

    assert list(found.groups) == ["near", "far"]
    assert [i.point for i in found.groups["near"]] == pytest.approx(means[:, :2].mean(axis=1))
    assert [i.point for i in found.groups["far"]] == pytest.approx(means[:, 2:].mean(axis=1))


def test_with_three_seeds_intervals_are_those_of_all_27_resamples() -> None:
    """The extreme draws have chance 1/27 each, so they are the ends, before the widening."""
    rng = np.random.default_rng(3)
    scores = rng.uniform(0.3, 0.7, (4, 3, 3))
    result = analyse(field_of(scores))
    order = [int(name[1:]) for name in result.field.detectors]
    drawn = [scores[:, order][..., list(d)] for d in itertools.product(range(3), repeat=3)]

    def ends(point: float, values: list[float]) -> tuple[float, float]:
        low, high = (point + math.sqrt(3 / 2) * (end - point) for end in (min(values), max(values)))
        return max(0.0, min(low, point)), min(1.0, max(high, point))

    for i in range(3):
        group = [d[:, i].mean() for d in drawn]
        low, high = ends(scores[:, order[i]].mean(), group)
        assert (result.groups["near"][i].low, result.groups["near"][i].high) == pytest.approx(
            (low, high)
        )
        shares = [wins_by_hand(d.mean(axis=2).T)[i] for d in drawn]
        wins = result.wins[i]
        assert wins.low is not None
        assert wins.high is not None
        assert min(shares) - 1 <= wins.low <= wins.point <= wins.high <= 1
        assert (wins.low, wins.high) == pytest.approx(outer(wins.point, shares))


def outer(point: float, values: list[float]) -> tuple[float, float]:
    """The widened ends of the middle 95 % of equally likely values, the point inside."""
    ordered, n = sorted(values), len(values)
    low, high = ordered[math.floor(0.025 * n)], ordered[math.ceil(0.975 * n) - 1]
    stretched = [point + math.sqrt(3 / 2) * (end - point) for end in (low, high)]
    return max(0.0, min(stretched[0], low, point)), min(1.0, max(stretched[1], high, point))


def test_detectors_and_pairs_with_the_same_seeds_share_their_draws() -> None:
    rng = np.random.default_rng(0)
    runs = rng.uniform(0.4, 0.6, 5)
    other = rng.uniform(0.4, 0.6, (2, 3))
    field = field_of([[runs, runs + 0.1], [runs, runs + 0.2], other])

    drawn = drawn_means(field, 500)

    np.testing.assert_allclose(drawn[1, 0] - drawn[0, 0], 0.1)
    np.testing.assert_allclose(drawn[1, 1] - drawn[0, 1], 0.2)
    np.testing.assert_array_equal(drawn[0, 0], drawn[0, 1])
    assert abs(np.corrcoef(drawn[0, 0], drawn[0, 2])[0, 1]) < 0.2


def test_equal_fields_give_equal_numbers(found: Inconsistency) -> None:
    again = analyse(found.field)

    assert (again.wins, again.regret, again.groups) == (found.wins, found.regret, found.groups)


def test_with_one_seed_there_is_neither_interval_nor_test() -> None:
    found = analyse(field_of([[[0.9], [0.5], [0.1]], [[0.8], [0.9], [0.1]]]))

    assert {(i.low, i.high) for i in (*found.wins, *found.regret)} == {(None, None)}
    assert not found.worse.any()
    assert math.isnan(found.seed_tau)


# -- significance ---------------------------------------------------------------------------------


def worse_by_hand(field: Field) -> set[tuple[int, int]]:
    """Welch's test by scipy of every two, then Holm's procedure step by step."""
    tests = []
    for j, table in enumerate(field.scores):
        for i, k in itertools.combinations(range(len(table)), 2):
            p = stats.ttest_ind(table[i], table[k], equal_var=False).pvalue
            tests.append((p, j, i, k))
    rejected = set()
    for step, (p, j, i, k) in enumerate(sorted(tests)):
        if p > 0.05 / (len(tests) - step):
            break
        rejected.add((j, i, k))
    worse = set()
    for j, i, k in rejected:
        means = field.scores[j].mean(axis=1)
        best = int(means.argmax())
        loser = {i, k} - {best}
        if best in (i, k) and means[best] - means[next(iter(loser))] >= MARGIN:
            worse.add((next(iter(loser)), j))
    return worse


@pytest.mark.parametrize("noise", [0.01, 0.05, 0.15])
def test_worse_than_the_best_is_welch_with_holm_over_the_whole_field(noise: float) -> None:
    rng = np.random.default_rng(11)
    scores = rng.uniform(0.3, 0.9, (4, 6, 1)) + rng.normal(0, noise, (4, 6, 5))
    field = field_of(scores)

    found = worse_than_best(field)

    assert {(int(i), int(j)) for i, j in np.argwhere(found)} == worse_by_hand(field)


def test_a_sure_difference_below_the_margin_is_not_called_worse() -> None:
    tiny, real = 0.9 * MARGIN, 1.1 * MARGIN
    best = np.array([0.9, 0.9 + 1e-9, 0.9, 0.9 + 1e-9, 0.9])
    field = field_of([[best, best - tiny, best - real]])

    assert worse_than_best(field).tolist() == [[False], [False], [True]]


def test_equal_detectors_are_seldom_told_apart_though_the_best_is_chosen_by_the_same_seeds() -> (
    None
):
    rng = np.random.default_rng(5)
    fields = rng.normal(0.8, 0.02, (150, 2, 8, 5))

    false = sum(bool(worse_than_best(field_of(scores)).any()) for scores in fields)

    assert false <= 13  # 5 % of 150 are 7.5; more than 13 has chance 1.5 %


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_rejects_what_its_definition_rejects(p: list[float]) -> None:
    adjusted = holm(np.array(p))

    order = sorted(range(len(p)), key=lambda i: p[i])
    for position, i in enumerate(order):
        steps = [p[k] * (len(p) - s) for s, k in enumerate(order[: position + 1])]
        assert adjusted[i] == pytest.approx(min(1.0, max(steps)))


@given(st.lists(st.integers(4, 40), min_size=2, max_size=9), st.floats(0.1, 6))
def test_bars_are_all_the_longest_runs_that_are_not_told_apart(
    quarters: list[int], distance: float
) -> None:
    ranks = np.array(sorted(quarters)) / 4
    runs = [
        (i, j)
        for i, j in itertools.combinations(range(len(ranks)), 2)
        if ranks[j] <= ranks[i] + distance
    ]
    longest = [
        (i, j) for i, j in runs if not any((a, b) != (i, j) and a <= i and j <= b for a, b in runs)
    ]

    assert cliques(ranks, distance) == longest


# -- the whole part -------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from("uvwxyz")), min_size=1))
def test_the_whole_part_has_no_gap_and_is_everything_where_nothing_is_missing(
    have: dict[str, set[str]],
) -> None:
    rows, keys = whole_part(have)

    assert all(keys <= have[row] for row in rows)
    if all(have.values()) and len({frozenset(each) for each in have.values()}) == 1:
        assert (set(rows), keys) == (set(have), next(iter(have.values())))


def test_a_new_pair_costs_no_detector_and_a_new_detector_no_pair() -> None:
    have = {name: set("uvwx") for name in "abcd"}

    assert whole_part({**have, "a": set("uvwxz")}) == (list("abcd"), set("uvwx"))
    assert whole_part({**have, "e": set("u")}) == (list("abcd"), set("uvwx"))
