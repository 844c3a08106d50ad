"""Two looks: small and chance drops pass, real ones are found, and one bad batch is not enough."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from rlbench.gate.statistical import MANY_CELLS, first_look, judge, second_look, suite_look

numbers = st.floats(-100, 100, allow_nan=False).map(lambda x: round(x, 3))
TEN = np.linspace(-1.4, 1.4, 10)
FIVE = np.linspace(-1.0, 1.0, 5)


@given(
    reference=st.lists(numbers, min_size=10, max_size=10, unique=True),
    candidate=st.lists(numbers, min_size=5, max_size=5, unique=True),
    min_effect=st.floats(0.001, 10),
)
def test_a_flag_means_welch_below_five_percent_and_a_drop_that_matters(
    reference: list[float], candidate: list[float], min_effect: float
) -> None:
    look = first_look(reference, candidate, min_effect)
    p = scipy_stats.ttest_ind(candidate, reference, equal_var=False, alternative="less").pvalue
    drop = np.mean(reference) - np.mean(candidate)

    assert look.p == pytest.approx(p, abs=1e-9)
    assert look.drop == pytest.approx(drop, abs=1e-9)
    assert look.least >= max(min_effect, look.sd)
    assert look.fell == (look.p < 0.05 and look.drop >= look.least)


def test_a_drop_below_the_least_effect_is_never_flagged_however_certain() -> None:
    certain = first_look([0.9] * 10, [0.899] * 5, min_effect=0.01)

    assert certain.p == 0
    assert not certain.fell
    assert first_look([0.9] * 10, [0.88] * 5, min_effect=0.01).fell


def test_an_improvement_is_never_flagged() -> None:
    assert not first_look(TEN, FIVE + 5, 0.1).fell


def test_many_cells_make_the_second_look_stricter() -> None:
    shifted = FIVE - 1.2
    few = second_look(TEN, shifted, 0.1, cells=MANY_CELLS)
    many = second_look(TEN, shifted, 0.1, cells=MANY_CELLS + 1)

    assert 0.01 < few.p < 0.05
    assert few.fell
    assert not many.fell


def test_only_a_drop_on_fresh_seeds_as_well_is_a_regression() -> None:
    fell, stood = first_look(TEN, FIVE - 3, 0.1), first_look(TEN, FIVE, 0.1)
    again = second_look(TEN, FIVE - 3, 0.1, cells=10)
    recovered = second_look(TEN, FIVE, 0.1, cells=10)

    assert judge(stood, None, "auroc").status == "pass"
    assert judge(fell, recovered, "auroc").finding == "drop not confirmed"
    assert judge(fell, recovered, "auroc").status == "pass"
    assert judge(fell, None, "auroc").status == "inconclusive"
    assert judge(fell, again, "auroc").status == "regression"
    assert "fell by 3" in judge(fell, again, "auroc").detail


def test_a_suite_falls_by_many_small_drops_that_no_cell_shows() -> None:
    rng = np.random.default_rng(5)
    reference, candidate = rng.normal(0.8, 0.01, (10, 20)), rng.normal(0.792, 0.01, (5, 20))
    flagged = [first_look(reference[:, i], candidate[:, i], 0.005).fell for i in range(20)]

    assert sum(flagged) < 10
    assert suite_look(reference, candidate, least=0.005).fell
    assert not suite_look(reference, candidate, least=0.02).fell
    assert not suite_look(reference, reference[:5] + 0.001, least=0.005).fell


@pytest.mark.parametrize("cells", [10, 40])
@pytest.mark.parametrize("heavy", [False, True])
def test_a_check_of_unchanged_code_alarms_about_once_in_twenty(cells: int, heavy: bool) -> None:
    """The bound is three binomial deviations above .05; one look alone gives .3 to .7."""
    rng = np.random.default_rng(cells)
    alarms = 0
    for _ in range(200):
        values = rng.normal(size=(20, cells))
        if heavy:
            values -= 8 * (rng.random(values.shape) < 0.1)  # a tenth of the seeds collapses
        first = [first_look(v[:10], v[10:15], 1e-9).fell for v in values.T]
        again = [second_look(v[:10], v[15:], 1e-9, cells=cells).fell for v in values.T]
        alarms += any(a and b for a, b in zip(first, again, strict=True))

    assert alarms / 200 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


@pytest.mark.parametrize("cells", [10, 40])
def test_a_drop_of_three_deviations_is_found_nine_times_in_ten(cells: int) -> None:
    rng = np.random.default_rng(cells)
    found = 0
    for _ in range(300):
        old, new, fresh = rng.normal(size=10), rng.normal(-3, 1, 5), rng.normal(-3, 1, 5)
        found += first_look(old, new, 1e-9).fell and second_look(old, fresh, 1e-9, cells=cells).fell

    assert found / 300 > 0.9
