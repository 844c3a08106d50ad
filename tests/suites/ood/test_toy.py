"""The toys: moments against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from rlbench.core.data import DataSet
from rlbench.suites.ood.examples import ID_SPLITS, Array
from rlbench.suites.ood.params import SetRef, Split
from rlbench.suites.ood.sources import load

N = 20_000


def no_files(name: str) -> DataSet:
    raise AssertionError(f"'{name}' needs no files")


def toy(name: str, split: Split) -> tuple[Array, Array]:
    found = load(SetRef(f"toy-{name}"), split, N, seed=3, data=no_files).whole()
    return found.x, found.y


def assert_moments(x: Array, mean: Array, spread: Array) -> None:
    """Within five standard errors."""
    error = spread / np.sqrt(len(x))
    assert (np.abs(x.mean(0) - mean) < 5 * error).all()
    assert (np.abs(x.std(0) - spread) < 5 * error).all()


def ten(first: float, others: float) -> Array:
    return np.array([first] + [others] * 9, dtype=float)


@pytest.mark.parametrize(
    ("name", "spread"),
    [("between", ten(1, 1)), ("far-in-class", ten(1, 1)), ("off-subspace", ten(1, 0.05))],
)
def test_classes_in_ten_dimensions_lie_at_minus_and_plus_two(name: str, spread: Array) -> None:
    x, y = toy(name, "train")
    for c, s in ((0, -1), (1, 1)):
        assert_moments(x[y == c], ten(2 * s, 0), spread)


def test_between_is_a_small_cloud_at_the_origin() -> None:
    assert_moments(toy("between", "ood")[0], ten(0, 0), ten(0.3, 0.5))


def test_far_in_class_lies_beyond_the_second_class() -> None:
    assert_moments(toy("far-in-class", "ood")[0], ten(7, 0), ten(0.3, 1))


def test_off_subspace_leaves_along_the_last_axis_only() -> None:
    x, _ = toy("off-subspace", "ood")
    mean = ten(0, 0)
    mean[-1] = 0.5
    spread = ten(np.sqrt(5), 0.05)  # of the two classes together
    assert_moments(x, mean, spread)
    assert np.abs(np.abs(x[:, 0]).mean() - 2.0) < 0.05


def test_wrong_covariance_has_one_narrow_and_one_wide_class() -> None:
    x, y = toy("wrong-covariance", "train")
    assert_moments(x[y == 0], np.array([-6.0, 0.0]), np.array([0.3, 0.3]))
    assert_moments(x[y == 1], np.array([6.0, 0.0]), np.array([3.0, 3.0]))


def test_the_half_ring_stands_left_of_the_narrow_class() -> None:
    x, _ = toy("wrong-covariance", "ood")
    offset = x - [-6.0, 0.0]
    radius = np.hypot(*offset.T)
    assert radius.mean() == pytest.approx(2.0, abs=0.01)
    assert radius.std() == pytest.approx(0.1, abs=0.005)
    assert offset[:, 0].max() < 0.6
    assert offset[:, 0].mean() == pytest.approx(-4 / np.pi, abs=0.03)  # of a half circle


def test_each_class_of_hole_has_two_clouds_and_nothing_at_its_mean() -> None:
    x, y = toy("hole", "train")
    for c, s in ((0, -1), (1, 1)):
        for side in (-1, 1):
            cloud = x[(y == c) & (np.sign(x[:, 1]) == side)]
            assert len(cloud) == pytest.approx(N / 4, rel=0.05)
            assert_moments(cloud, np.array([3.0 * s, 4.0 * side]), np.array([0.4, 0.4]))
    outside, _ = toy("hole", "ood")
    assert_moments(outside, np.zeros(2), np.array([np.hypot(3, 0.4), 0.4]))


@pytest.mark.parametrize(
    "name", ["between", "far-in-class", "off-subspace", "wrong-covariance", "hole"]
)
def test_classes_are_balanced_and_what_is_outside_has_none(name: str) -> None:
    for split in ID_SPLITS:
        assert np.bincount(toy(name, split)[1]).tolist() == [N // 2, N // 2]
    assert (toy(name, "ood")[1] == -1).all()
