"""Pickled image batches: decoded as data; nothing in them can run."""

from __future__ import annotations

import os
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ood_formats import cifar_batch, text

from rlbench.core.errors import CorruptError
from rlbench.suites.ood.pickled import MAX_BYTES, read_batch

ANYWHERE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
X = np.random.default_rng(0).integers(0, 256, (7, 3072), dtype=np.uint8)
Y = [3, 0, 9, 9, 1, 255, 70_000]
BATCH = cifar_batch(X, Y)


def write(folder: Path, raw: bytes) -> Path:
    path = folder / "data_batch_1"
    path.write_bytes(raw)
    return path


def test_a_batch_is_decoded_as_python_itself_decodes_it(tmp_path: Path) -> None:
    found = read_batch(write(tmp_path, BATCH))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's old module name
        expected = pickle.loads(BATCH, encoding="bytes")
    assert found.keys() == expected.keys() == {b"data", b"labels", b"batch_label"}
    assert np.array_equal(found[b"data"], expected[b"data"])
    assert np.array_equal(found[b"data"], X)
    assert found[b"labels"] == expected[b"labels"] == Y


@ANYWHERE
@given(st.lists(st.integers(-(2**31), 2**31 - 1)), st.binary(max_size=300))
def test_plain_values_pickled_by_python_come_back(
    tmp_path: Path, numbers: list[int], value: bytes
) -> None:
    raw = pickle.dumps(numbers, protocol=2)[2:-1]
    path = write(tmp_path, b"\x80\x02}(" + text(b"a") + raw + text(b"b") + text(value) + b"u.")
    assert read_batch(path) == {b"a": numbers, b"b": value}


class Bomb:
    """Runs a command when it is unpickled by Python."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_would_run_a_command_runs_nothing(tmp_path: Path, protocol: int) -> None:
    target = tmp_path / "ran"
    raw = pickle.dumps({b"data": Bomb(target)}, protocol=protocol)
    with pytest.raises(CorruptError, match=r"data_batch_1: not a pickled image batch") as caught:
        read_batch(write(tmp_path, raw))
    assert not target.exists()
    assert "\n" not in str(caught.value)
    pickle.loads(raw)
    assert target.exists(), "the pickle was no bomb"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "damaged or cut short"),
        (b"\x80\x04.", "protocol 4, expected at most 2"),
        (b"cos\nsystem\n.", "refers to 'os.system'"),
        (b"c__builtin__\neval\n(tR.", r"refers to '__builtin__\.eval'"),
        (b"(inumpy\nndarray\n.", r"opcode b'i'"),
        (b"]q\x00.", "expected a table of named values, found list"),
        (b"}(U\x01acnumpy\nndarray\nu.", "a name stands where an array should"),
        (b"}(" + b"U\x01aT\xff\xff\xff\x7fabcu.", "damaged or cut short"),
        (b"}U\x01acnumpy\ndtype\n)Rs.", "expected an array"),
        (b"}K\x01K\x02s.", "no table of named values"),
        (BATCH.replace(b"u1", b"O8"), "unusual type"),
        (BATCH.replace(b"M\x00\x0c", b"M\xff\xff"), r"claims shape \(7, 65535\)"),
    ],
)
def test_anything_else_is_refused_in_one_line(tmp_path: Path, raw: bytes, words: str) -> None:
    with pytest.raises(CorruptError, match=words) as caught:
        read_batch(write(tmp_path, raw))
    assert "data_batch_1" in str(caught.value)
    assert "\n" not in str(caught.value)


@ANYWHERE
@given(st.data())
def test_a_batch_cut_anywhere_is_refused(tmp_path: Path, data: Any) -> None:
    at = data.draw(st.integers(0, len(BATCH) - 1))
    with pytest.raises(CorruptError):
        read_batch(write(tmp_path, BATCH[:at]))


@ANYWHERE
@given(st.binary(max_size=60))
def test_noise_is_refused_or_read_as_a_table_of_plain_values(tmp_path: Path, raw: bytes) -> None:
    try:
        found = read_batch(write(tmp_path, b"}" + raw + b"."))
    except CorruptError:
        return
    assert isinstance(found, dict)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, b"")
    with path.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(CorruptError, match="expected at most"):
        read_batch(path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match=r"nothing: cannot read: No such file"):
        read_batch(tmp_path / "nothing")
