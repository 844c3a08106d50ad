"""Selective classification figures against brute force, ties included."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlbench.suites.ood import selective

examples = st.lists(st.tuples(st.integers(-2, 2).map(float), st.booleans()), min_size=1)
few = st.lists(st.tuples(st.integers(0, 1).map(float), st.booleans()), min_size=1, max_size=5)


def unzip(pairs: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([s for s, _ in pairs]), np.array([r for _, r in pairs])


@given(few)
def test_ties_count_as_the_mean_over_all_their_orders(pairs: list[tuple[float, bool]]) -> None:
    orders = [
        o for o in itertools.permutations(pairs) if [s for s, _ in o] == sorted(s for s, _ in o)
    ]
    hits = np.array([np.cumsum([r for _, r in order]) for order in orders]).mean(axis=0)

    curve = selective.accuracy_by_coverage(*unzip(pairs))
    np.testing.assert_allclose(curve, hits / np.arange(1, len(pairs) + 1))


@given(examples, st.randoms(use_true_random=False))
def test_the_order_of_examples_has_no_say(pairs: list[tuple[float, bool]], random: object) -> None:
    before = selective.accuracy_by_coverage(*unzip(pairs))
    random.shuffle(pairs)  # type: ignore[attr-defined]

    np.testing.assert_allclose(before, selective.accuracy_by_coverage(*unzip(pairs)))


@given(examples, st.sampled_from(selective.LEVELS))
def test_levels_are_met_and_nothing_better_meets_them(
    pairs: list[tuple[float, bool]], level: int
) -> None:
    scores, right = unzip(pairs)
    curve = selective.accuracy_by_coverage(scores, right)
    shares = np.arange(1, len(pairs) + 1) / len(pairs)
    reached = shares[curve >= level / 100 - 1e-12]

    assert selective.coverage_at(curve, level) == pytest.approx(max(reached, default=0.0))
    answered = int(np.flatnonzero(100 * np.arange(1, len(pairs) + 1) >= level * len(pairs))[0])
    assert selective.accuracy_at(curve, level) == curve[answered]


def test_a_score_that_knows_every_error_beats_chance_and_one_that_inverts_it_loses() -> None:
    right = np.arange(1000) % 5 > 0
    best, worst = (
        selective.area(selective.accuracy_by_coverage(sign * right.astype(float), right))
        for sign in (-1, 1)
    )
    blind = selective.area(selective.accuracy_by_coverage(np.zeros(1000), right))

    assert blind == pytest.approx(0.8)
    assert worst < 0.7
    assert best > 0.97


def test_the_area_is_that_of_a_grid_of_a_thousand_coverages() -> None:
    rng = np.random.default_rng(0)
    scores, right = rng.normal(size=12_000), rng.uniform(size=12_000) < 0.7
    curve = selective.accuracy_by_coverage(scores + right, right)
    grid = np.linspace(1 / 1000, 1, 1000)
    coarse = np.trapezoid([curve[int(c * 12_000) - 1] for c in grid], grid)

    # The grid leaves out the first thousandth.
    assert selective.area(curve) == pytest.approx(coarse, abs=2e-3)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    p = np.array([0.9] * 10 + [0.6] * 10 + [1.0] * 5)
    right = np.array([True] * 7 + [False] * 3 + [True] * 6 + [False] * 4 + [True] * 5)

    assert selective.calibration_error(p, right) == pytest.approx(10 / 25 * 0.2)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1))
def test_calibration_error_is_that_of_a_loop_over_bins(pairs: list[tuple[float, bool]]) -> None:
    p, right = unzip(pairs)
    edges = [b / selective.BINS for b in range(selective.BINS + 1)]
    total = 0.0
    for low, high in itertools.pairwise(edges):
        inside = (np.ceil(p * selective.BINS) == round(high * selective.BINS)) | (
            (low == 0) & (p == 0)
        )
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - p[inside].mean())

    assert selective.calibration_error(p, right) == pytest.approx(total)
