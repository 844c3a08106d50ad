"""Published classifiers: arrays come back, claims are held against the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlbench.core.errors import CorruptError
from rlbench.suites.ood.safetensors import read_safetensors

ANYWHERE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def entry(dtype: str = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def write(folder: Path, header: Any, body: bytes = bytes(8)) -> Path:
    text = json.dumps(header).encode()
    path = folder / "model.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


@ANYWHERE
@given(st.lists(st.lists(st.integers(0, 4), max_size=3), min_size=1, max_size=4))
def test_arrays_come_back_as_they_were_written(tmp_path: Path, shapes: list[list[int]]) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body, arrays = b"", {}
    for i, shape in enumerate(shapes):
        arrays[f"w{i}"] = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) + i
        raw = arrays[f"w{i}"].tobytes()
        header[f"w{i}"] = entry(shape=shape, offsets=(len(body), len(body) + len(raw)))
        body += raw
    found = read_safetensors(write(tmp_path, header, body))
    assert found.keys() == arrays.keys()
    assert all(np.array_equal(found[name], array) for name, array in arrays.items())


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"w": entry(shape=(10**9,), offsets=(0, 4 * 10**9))}, "a tensor of shape"),
        ({"w": entry(shape=(10**9,))}, "a tensor of shape"),
        ({"w": entry(shape=(-2,))}, "sizes"),
        ({"w": entry(offsets=(0.0, 8.0))}, "sizes"),
        ({"w": entry(shape=(1,))}, "a tensor of shape"),
        ({"w": entry(dtype="OBJECT")}, "not a whole safetensors file"),
        ({"w": {}}, "not a whole safetensors file"),
        ({"w": 3}, "not a whole safetensors file"),
        ([], "not a whole safetensors file"),
    ],
)
def test_a_header_that_does_not_fit_its_file_is_refused(
    tmp_path: Path, header: Any, words: str
) -> None:
    with pytest.raises(CorruptError, match=words) as caught:
        read_safetensors(write(tmp_path, header))
    assert "model.safetensors" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x08", (10**10).to_bytes(8, "little") + b"{}", bytes(100), b"\x02" + bytes(7) + b"{x"],
)
def test_what_has_no_header_is_refused(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(raw)
    with pytest.raises(CorruptError, match=r"model\.safetensors: not a (whole )?safetensors file"):
        read_safetensors(path)
