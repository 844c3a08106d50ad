"""Sets larger than memory: read by rows, quantiles by counting, neighbours by blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rlbench.core.errors import UsageError
from rlbench.suites.ood.detectors.neighbours import largest
from rlbench.suites.ood.detectors.quantile import quantile
from rlbench.suites.ood.splits import PART, Split
from rlbench.suites.ood.stream import rows_of

FLOATS = st.sampled_from([np.float16, np.float32, np.float64])


@given(st.data(), FLOATS, st.floats(0, 1), st.integers(1, 7))
def test_the_quantile_is_numpys(data: st.DataObject, kind: type, q: float, rows: int) -> None:
    values = data.draw(
        hnp.arrays(kind, st.integers(1, 40), elements={"min_value": -8, "max_value": 8})
    )
    found = quantile(lambda: torch.split(torch.from_numpy(values), rows), q)

    ordered = np.sort(values.astype(np.float64))
    assert found == pytest.approx(np.quantile(ordered, q), rel=1e-12, abs=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 11))
def test_the_largest_entries_are_found_whatever_the_blocks(seed: int, k: int, width: int) -> None:
    scores = torch.from_numpy(np.random.default_rng(seed).normal(size=(3, 30)))
    values, columns = largest(torch.split(scores, width, dim=1), k)

    assert torch.equal(values, scores.sort(dim=1, descending=True).values[:, :k])
    assert torch.equal(scores.gather(1, columns), values)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int64])
def test_rows_of_a_file_are_those_of_the_array(tmp_path: Path, kind: type) -> None:
    array: np.ndarray[Any, Any] = (np.random.default_rng(0).normal(size=(50, 3, 2)) * 9).astype(
        kind
    )
    np.save(tmp_path / "array.npy", array)
    mapped = np.load(tmp_path / "array.npy", mmap_mode="r")

    for start, stop in [(0, 50), (7, 9), (40, 60), (49, 50)]:
        for source in (array, mapped, mapped[:, :, :], np.asarray(mapped)):
            assert np.array_equal(rows_of(source)(start, stop).numpy(), array[start:stop])


def test_rows_of_a_part_of_a_mapped_file_are_that_parts(tmp_path: Path) -> None:
    np.save(tmp_path / "array.npy", np.arange(20.0))
    mapped = np.load(tmp_path / "array.npy", mmap_mode="r")

    assert rows_of(mapped[5:10])(1, 3).tolist() == [6.0, 7.0]


def test_half_precision_is_read_as_single() -> None:
    assert rows_of(np.ones((2, 3), np.float16))(0, 2).dtype == torch.float32


def split_by_rows(n: int, asked: list[tuple[int, int]]) -> Split:
    def rows(start: int, stop: int) -> torch.Tensor:
        asked.append((start, stop))
        return torch.arange(start, stop, dtype=torch.float64)[:, None]

    fields = {"features": lambda: rows(0, n)}
    return Split(n, 2, fields, frozenset({"features"}), rows={"features": rows})


def test_parts_cover_a_set_in_order_and_ask_for_no_more_than_a_part() -> None:
    asked: list[tuple[int, int]] = []
    split = split_by_rows(2 * PART + 5, asked)
    joined = split.map(lambda z: z[:, 0] * 2, "features")

    assert torch.equal(joined, 2 * torch.arange(2 * PART + 5, dtype=torch.float64))
    assert asked == [(0, PART), (PART, 2 * PART), (2 * PART, 2 * PART + 5)]


def test_parts_show_only_what_the_detector_named() -> None:
    split = split_by_rows(3, [])

    with pytest.raises(UsageError, match="add 'logits' to the detector's needs"):
        list(split.parts("logits"))
