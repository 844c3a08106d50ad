"""Golden cells: exact here, to a tolerance elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rlbench.core.files import file_digest
from rlbench.core.store import Stored
from rlbench.gate.golden import judge_golden


def test_the_same_evidence_is_equal_on_any_platform(stored: Any) -> None:
    here, there = stored(folder="a"), stored(folder="b", environment={"cpu": "another"})

    assert judge_golden(here, there, 1e-9).finding == "equal"


def test_equal_arrays_that_another_zlib_packed_are_equal(stored: Any) -> None:
    one, other = stored(folder="a"), stored(folder="b")
    path = other.path.parent / other.record.evidence.file
    np.savez(path, **np.load(path))
    sha256 = file_digest(path)
    repacked = replace(other.record, evidence=replace(other.record.evidence, sha256=sha256))

    assert sha256 != one.record.evidence.sha256
    assert judge_golden(one, Stored(repacked, other.path), 1e-9).finding == "equal"


def test_on_the_same_platform_any_other_bit_is_a_regression(stored: Any) -> None:
    one = stored(folder="a", arrays={"returns": np.array([0.5])})
    other = stored(folder="b", arrays={"returns": np.nextafter(np.array([0.5]), 1)})
    found = judge_golden(one, other, tolerance=0.1)

    assert found.finding == "differs"
    assert found.status == "regression"
    assert "no metric changed" in found.detail


@pytest.mark.parametrize(
    ("value", "finding"), [(0.5005, "within tolerance"), (0.52, "differs"), (None, "differs")]
)
@pytest.mark.parametrize(
    "environment",
    [{"cpu": "another"}, {"python": "3.99.1"}, {"packages": {"numpy": "9"}}, {"threads": 7}],
)
def test_on_another_platform_metrics_must_agree_within_the_tolerance(
    stored: Any, value: float | None, finding: str, environment: dict[str, Any]
) -> None:
    one, other = stored(0, 0.5, folder="a"), stored(0, value, folder="b", environment=environment)
    found = judge_golden(one, other, tolerance=0.001)

    assert found.finding == finding
    assert next(iter(environment)) in found.detail
    assert "return" in found.detail


def test_a_patch_release_of_python_is_the_same_platform(stored: Any) -> None:
    old = stored(0, 0.5, folder="a", environment={"python": "3.11.1"})
    new = stored(0, 0.5001, folder="b", environment={"python": "3.11.9"})

    assert judge_golden(old, new, tolerance=0.1).finding == "differs"


def test_a_package_that_one_platform_lacks_does_not_count(stored: Any) -> None:
    old = stored(0, 0.5, folder="a", environment={"packages": {"numpy": "2", "minari": "1"}})
    new = stored(0, 0.5001, folder="b", environment={"packages": {"numpy": "2", "nle": "1"}})

    assert judge_golden(old, new, tolerance=0.1).finding == "differs"


def test_large_metrics_are_compared_relatively(stored: Any) -> None:
    old = stored(0, 1000.0, folder="a")
    new = stored(0, 1000.5, folder="b", environment={"cpu": "another"})

    assert judge_golden(old, new, tolerance=0.001).finding == "within tolerance"
