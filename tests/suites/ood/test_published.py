"""Sets with parts of their own: which images a split gets, and POD's low-data protocol."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlbench.core.data import DataSet
from rlbench.core.errors import MissingError, UsageError
from rlbench.suites.ood.examples import Cut, Examples, Part, Published, Share
from rlbench.suites.ood.params import SetRef, Split

FILES = DataSet("mine", {"all": Path("all")}, "0" * 64)


def source(y: list[int], cut: Cut | Share, split: Split = "train") -> Published:
    """Examples that hold their own index."""
    labels = np.array(y)
    part = Part.of(Examples(np.arange(len(y)), labels))
    return Published("Mine", (), int(labels.max()) + 1, lambda _, name: part, {split: cut}, "mine")


def load(
    one: Published, n: int = 0, split: Split = "train", classes: tuple[int, ...] = ()
) -> list[int]:
    found = one.load(SetRef("mine", classes), split, n, 0, FILES).whole()
    return [int(i) for i in found.x]


labels = st.lists(st.integers(0, 3), min_size=8, max_size=60)


@given(labels, st.integers(1, 60))
def test_low_data_takes_the_first_int_of_r_n_c_images_of_each_class(y: list[int], n: int) -> None:
    total = len(y)
    counts = np.bincount(y)
    expected = [i for i in range(total) if y[:i].count(y[i]) < n * int(counts[y[i]]) // total]
    if n > total or min(n * int(c) // total for c in counts if c) < 1:
        with pytest.raises(UsageError, match=rf"has {total} train .* found {n} asked for"):
            load(source(y, Cut("all")), n)
    else:
        assert load(source(y, Cut("all")), n) == expected


@given(labels, st.integers(0, 10), st.integers(0, 10))
def test_a_cut_is_a_slice_of_every_class_in_upstream_order(y: list[int], a: int, b: int) -> None:
    expected = [i for i in range(len(y)) if a <= y[:i].count(y[i]) < a + b]
    one = source(y, Cut("all", a, a + b))
    if expected:
        assert load(one) == expected
    else:
        with pytest.raises(UsageError, match="has 0 train examples"):
            load(one)


@given(labels, st.floats(0, 1), st.floats(0, 1))
def test_shares_that_meet_divide_a_set_without_rest(y: list[int], a: float, b: float) -> None:
    edges = [0.0, *sorted((a, b)), 1.0]
    groups = [Share("all", low, high) for low, high in pairwise(edges)]
    order = np.arange(len(y))
    found = [i for share in groups for i in share.of(order)]
    assert found == list(range(len(y)))


def test_kept_classes_are_relabelled_in_the_order_given() -> None:
    one = source([0, 1, 2, 0, 1, 2], Cut("all"))
    found = one.load(SetRef("mine", (2, 0)), "train", 0, 0, FILES).whole()
    assert found.x.tolist() == [0, 2, 3, 5]
    assert found.y.tolist() == [1, 0, 1, 0]
    assert found.y.dtype == np.int64


def test_images_without_classes_are_one_group() -> None:
    part = Part.of(Examples(np.arange(9), np.full(9, -1)))
    one = Published("Mine", (), 0, lambda _, name: part, {"ood": Cut("all", 2)}, "mine")
    assert load(one, 4, "ood") == [2, 3, 4, 5]


def test_files_that_were_not_given_are_missing() -> None:
    with pytest.raises(MissingError, match="'mine' is read from files"):
        source([0, 1], Cut("all")).load(SetRef("mine"), "train", 0, 0, None)
