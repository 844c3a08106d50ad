"""MATLAB 5 files: read as scipy reads them, refused when they claim what they do not hold."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from rlbench.core.errors import CorruptError
from rlbench.suites.ood.mat import MAX_BYTES, read_mat

ANYWHERE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
TYPES = ["u1", "i1", "i2", "u2", "i4", "f4", "f8", "i8"]


def saved(folder: Path, *, compressed: bool = True, **arrays: Any) -> Path:
    path = folder / "set.mat"
    savemat(path, arrays, do_compression=compressed)
    return path


@ANYWHERE
@given(st.sampled_from(TYPES), st.lists(st.integers(1, 4), min_size=2, max_size=4), st.booleans())
def test_arrays_come_back_as_they_were_saved(
    tmp_path: Path, dtype: str, shape: list[int], compressed: bool
) -> None:
    x = np.arange(np.prod(shape)).astype(dtype).reshape(shape)
    found = read_mat(saved(tmp_path, compressed=compressed, X=x, labels=x[:1]))
    assert list(found) == ["X", "labels"]
    assert np.array_equal(found["X"], x)
    assert np.array_equal(found["labels"], x[:1])


@pytest.mark.parametrize(
    "value", [{"a": 1}, "text", np.array([[1, "a"]], dtype=object), np.array([1j])]
)
def test_what_is_no_real_numeric_matrix_is_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(CorruptError, match=r"set\.mat: not a MATLAB 5 file of numbers"):
        read_mat(saved(tmp_path, X=value))


@ANYWHERE
@given(st.data(), st.booleans())
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, data: Any, compressed: bool) -> None:
    path = saved(tmp_path, compressed=compressed, X=np.arange(40, dtype=np.uint8))
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1).filter(lambda n: n != 128))
    path.write_bytes(whole[:at])
    with pytest.raises(CorruptError) as caught:
        read_mat(path)
    assert "\n" not in str(caught.value)


def element(kind: int, body: bytes, claimed: int | None = None) -> bytes:
    size = len(body) if claimed is None else claimed
    return struct.pack("<II", kind, size) + body + b"\0" * (-len(body) % 8)


def hostile(sides: list[int], data: bytes) -> bytes:
    return (
        element(6, struct.pack("<II", 9, 0))
        + element(5, struct.pack(f"<{len(sides)}i", *sides))
        + element(1, b"X")
        + element(2, data)
    )


HEADER = b"MATLAB 5.0".ljust(124) + b"\x00\x01IM"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "expected a little-endian MATLAB 5 file"),
        (b"PK\x03\x04" * 40, "expected a little-endian MATLAB 5 file"),
        (
            HEADER + element(14, hostile([100_000, 100_000], b"12")),
            r"claims shape .* holds 2 bytes",
        ),
        (HEADER + element(14, hostile([-1, -2], b"12")), "claims shape"),
        (HEADER + element(14, b"", 2**32 - 1), "claims 4294967295 bytes but 0 are left"),
        (HEADER + element(15, zlib.compress(element(14, b"", 2**32 - 1))), "expected at most"),
        (HEADER + element(15, zlib.compress(element(14, b"", 10**9))), "but holds 0"),
        (HEADER + element(15, b"no zlib"), "not a MATLAB 5 file"),
    ],
)
def test_claims_are_checked_before_anything_is_allocated(
    tmp_path: Path, raw: bytes, words: str
) -> None:
    path = tmp_path / "set.mat"
    path.write_bytes(raw)
    with pytest.raises(CorruptError, match=words) as caught:
        read_mat(path)
    assert "set.mat" in str(caught.value)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "set.mat"
    with path.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(CorruptError, match="larger than"):
        read_mat(path)
