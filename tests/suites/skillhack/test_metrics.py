"""From episodes to numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rlbench.suites.skillhack.metrics import COUNTS, METRICS, skillhack_metrics

Array = np.ndarray[Any, Any]


def evidence() -> dict[str, Array]:
    return {
        "episode_return": np.array([0.9, -1.5, -0.5, 0.8], np.float32),
        "episode_length": np.array([3, 1, 4, 2]),
        "episode_success": np.array([True, False, False, True]),
        "episode_cause": np.array([1, 3, 4, 2], np.uint8),
        "episode_seed": np.zeros((4, 2), np.int64),
        "episode_keys": np.zeros(10, np.uint8),
        "episode_offsets": np.array([0, 3, 4, 8, 10]),
        "counts": np.arange(len(COUNTS)),
    }


def test_the_metrics_are_means_over_episodes() -> None:
    found = skillhack_metrics(evidence())

    assert found["success_rate"] == 0.5
    assert found["death_rate"] == found["timeout_rate"] == 0.25
    assert found["mean_length"] == 2.5
    assert found["mean_return"] == pytest.approx(-0.075)
    assert found["env_steps"] == 0


def test_every_metric_is_declared() -> None:
    assert set(skillhack_metrics(evidence())) == set(METRICS)


@pytest.mark.parametrize("name", sorted(evidence()))
def test_evidence_with_a_missing_array_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        skillhack_metrics({key: array for key, array in evidence().items() if key != name})


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("episode_cause", np.array([1, 3, 4, 0], np.uint8)),
        ("episode_cause", np.array([1, 3, 4, 5], np.uint8)),
        ("episode_keys", np.full(10, 23, np.uint8)),
        ("episode_keys", np.zeros(9, np.uint8)),
        ("episode_offsets", np.array([0, 3, 4, 8, 9])),
        ("episode_success", np.zeros(3, np.bool_)),
    ],
)
def test_evidence_that_contradicts_itself_is_refused(name: str, array: Array) -> None:
    with pytest.raises(ValueError, match=name):
        skillhack_metrics({**evidence(), name: array})
