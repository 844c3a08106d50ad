"""Learnt distances: closed forms against the mean over exemplars, one by one."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlbench.core.errors import RlbenchError
from rlbench.core.seeding import generator
from rlbench.suites.ood.classifiers import blank, initialise
from rlbench.suites.ood.trained.distances import Form, make_distance
from rlbench.suites.ood.trained.pod import draw_pairs

FORMS = get_args(Form)


def distance(form: Form, width: int) -> torch.nn.Module:
    module = blank(lambda: make_distance(form, width))
    initialise(module, generator("test", form))
    return module.eval()


@pytest.mark.parametrize("form", FORMS)
def test_means_over_exemplars_are_those_of_a_loop(form: Form) -> None:
    rng = np.random.default_rng(0)
    z, p = (torch.from_numpy(rng.normal(size=(n, 6))).float() for n in (5, 11))
    y = torch.tensor([2, 0, 0, 1, 2, 2, 1, 0, 0, 2, 1])
    module = distance(form, 6)
    with torch.no_grad():
        found = module.to_classes(z, p, y, 3)  # type: ignore[operator]
        for c in range(3):
            each = torch.stack([module(z, q.expand_as(z)) for q in p[y == c]])
            torch.testing.assert_close(found[:, c], each.mean(dim=0).double(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_a_distance_is_the_same_both_ways(form: Form) -> None:
    a, b = (torch.from_numpy(generator("ab", i).normal(size=(4, 6))).float() for i in (0, 1))
    module = distance(form, 6)

    torch.testing.assert_close(module(a, b), module(b, a))


@pytest.mark.parametrize("form", FORMS)
def test_a_class_without_exemplars_is_named(form: Form) -> None:
    module = distance(form, 4)

    with pytest.raises(RlbenchError, match=r"no training example of class \[1\]"):
        module.to_classes(torch.ones(2, 4), torch.ones(1, 4), torch.tensor([0]), 2)  # type: ignore[operator]


@given(
    st.lists(st.integers(0, 4), min_size=2, max_size=30).filter(lambda y: len(set(y)) > 1),
    st.integers(0, 99),
)
def test_half_of_the_pairs_are_of_one_class(y: list[int], seed: int) -> None:
    classes = np.array(y)
    first, second, apart = draw_pairs(classes, 50, np.random.default_rng(seed))

    assert np.array_equal(apart, np.arange(50) % 2)
    assert np.array_equal(classes[first] != classes[second], apart == 1)


def test_every_example_that_fits_is_drawn() -> None:
    classes = np.array([1, 0, 2, 1, 0])
    first, second, _ = draw_pairs(classes, 4000, np.random.default_rng(0))

    assert {*zip(first.tolist(), second.tolist(), strict=True)} == {
        (i, j) for i in range(5) for j in range(5)
    }
