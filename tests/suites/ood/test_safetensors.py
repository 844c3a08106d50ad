"""Published weights: read right, and no damage gets through."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlbench.core.errors import CorruptError
from rlbench.suites.ood.safetensors import read_safetensors


def write(path: Path, header: Any, data: bytes) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def entry(shape: list[int], start: int, stop: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def test_tensors_come_back_as_they_were_written(tmp_path: Path) -> None:
    a, b = np.arange(6, dtype="<f4").reshape(2, 3), np.array(7, dtype="<i8")
    header = {
        "__metadata__": {"format": "pt"},
        "a": entry([2, 3], 0, 24),
        "b": entry([], 24, 32, "I64"),
    }
    found = read_safetensors(write(tmp_path / "w", header, a.tobytes() + b.tobytes()))

    assert set(found) == {"a", "b"}
    assert np.array_equal(found["a"], a)
    assert found["b"].shape == ()
    assert found["b"] == 7


@pytest.mark.parametrize(
    "header",
    [
        {"a": entry([2, 3], 0, 20)},
        {"a": entry([2, 3], 8, 32)},
        {"a": entry([2**40, 2**40], 0, 24)},
        {"a": entry([-2, -3], 0, 24)},
        {"a": entry([2, 3], -24, 0)},
        {"a": entry([2, 3], 0, 24, "PICKLE")},
        {"a": {"dtype": "F32"}},
        {"a": 3},
        [1, 2],
    ],
)
def test_a_table_that_lies_is_refused_in_one_line(tmp_path: Path, header: Any) -> None:
    path = write(tmp_path / "w", header, bytes(24))

    with pytest.raises(CorruptError, match=f"{path}: not a whole safetensors file") as caught:
        read_safetensors(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"1234567", b"\xff" * 40, (100).to_bytes(8, "little")])
def test_what_is_no_safetensors_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "w"
    path.write_bytes(data)

    with pytest.raises(CorruptError, match=f"{path}: not a safetensors file"):
        read_safetensors(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match="cannot read: No such file"):
        read_safetensors(tmp_path / "absent")
