"""The rank test behind the throughput notice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from rlbench.gate.speed import rank_test

seconds = st.integers(1, 30).map(lambda n: n / 10)


@settings(max_examples=30)
@given(
    st.lists(seconds, min_size=10, max_size=10, unique=True),
    st.lists(seconds, min_size=5, max_size=5, unique=True),
)
def test_it_is_mann_whitneys_test(old: list[float], new: list[float]) -> None:
    fresh = [value + 0.05 for value in new]  # no ties: then scipy's p value is exact
    exact = scipy_stats.mannwhitneyu(fresh, old, alternative="greater", method="exact").pvalue

    assert rank_test(np.array(old), np.array(fresh)) == pytest.approx(exact, abs=0.05)
