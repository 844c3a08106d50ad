"""From episodes to numbers, on evidence small enough to count by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rlbench.suites.ued.metrics import COUNTS, METRICS, WORST, cvar, ued_metrics

Arrays = dict[str, np.ndarray[Any, Any]]


def evidence() -> Arrays:
    levels = np.zeros((100, 2, 2), np.float32)
    levels[10:] = 0.5
    levels[:5, 1, 0] = 0.5
    return {
        "maze_name": np.array(["labyrinth", "a-maze-of-ones-own"]),
        "maze_return": np.array([[0.5, 0, 0, 0.7], [0.9, 0.9, 0, 0.9]], np.float32),
        "maze_greedy_return": np.array([[0, 0, 0, 0], [0, 0.2, 0, 0]], np.float32),
        "maze_best_return": np.full((2, 4), 0.9, np.float32),
        "level_return": levels,
        "level_best_return": np.full(100, 0.75, np.float32),
        "counts": np.arange(len(COUNTS)),
    }


def test_solve_rates_are_means_over_mazes_of_shares_of_episodes() -> None:
    found = ued_metrics(evidence())

    assert found["solve_rate"] == pytest.approx((2 / 4 + 3 / 4) / 2)
    assert found["solve_rate_greedy"] == pytest.approx((0 + 1 / 4) / 2)
    assert found["solve.labyrinth"] == 0.5
    assert found["regret"] == pytest.approx(0.9 - (1.2 + 2.7) / 8)


def test_random_levels_give_rate_regret_and_the_worst_of_them_by_the_other_half() -> None:
    found = ued_metrics(evidence())

    assert found["level_solve_rate"] == pytest.approx((90 * 4 + 5) / 400)
    assert found["level_regret"] == pytest.approx(0.75 - 0.5 * (90 * 4 + 5) / 400)
    assert found["cvar_10"] == pytest.approx(5 * 0.5 / 10)
    assert found["cvar_5"] == pytest.approx(0.5)
    assert found["cvar_1"] == pytest.approx(0.5)
    assert found["level_worst"] == pytest.approx(0.25)


def test_a_share_of_less_than_one_level_has_no_metric() -> None:
    assert "cvar_0.1" not in ued_metrics(evidence())


def test_bad_luck_alone_makes_no_level_hard() -> None:
    """All levels alike: the worst tenth by one half is average in the other."""
    rng = np.random.default_rng(0)
    rates = rng.binomial(5, 0.5, (20_000, 2)) / 5
    worst_by_itself = np.sort(rates[:, 0])[:2000].mean()

    assert cvar(rates, 10) == pytest.approx(0.5, abs=0.02)
    assert worst_by_itself < 0.2


def test_every_metric_is_declared_and_within_its_bounds() -> None:
    found = ued_metrics(evidence())

    assert set(found) <= set(METRICS)
    assert {f"cvar_{percent:g}" for percent in WORST} <= set(METRICS)
    for name, value in found.items():
        low, high = METRICS[name].low, METRICS[name].high
        assert low is None or value >= low
        assert high is None or value <= high


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("maze_return", np.zeros((2, 3, 1))),
        ("maze_greedy_return", np.zeros((2, 5))),
        ("maze_name", np.array(["labyrinth"])),
        ("level_return", np.zeros((100, 3, 2))),
        ("level_best_return", np.zeros(99)),
        ("counts", np.zeros(2)),
        ("maze_return", None),
    ],
)
def test_evidence_of_another_shape_is_refused_by_name(
    name: str, array: np.ndarray[Any, Any] | None
) -> None:
    arrays = evidence()
    if array is None:
        del arrays[name]
    else:
        arrays[name] = array

    with pytest.raises(ValueError, match="evidence: "):
        ued_metrics(arrays)
