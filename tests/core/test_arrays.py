from __future__ import annotations

import io
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rlbench.core.arrays import MAX_ARRAYS, pack, unpack
from rlbench.core.errors import CorruptError

dtypes = (
    hnp.boolean_dtypes()
    | hnp.integer_dtypes()
    | hnp.unsigned_integer_dtypes()
    | hnp.floating_dtypes()
    | hnp.unicode_string_dtypes(max_len=5)
)
arrays = hnp.arrays(dtypes, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.:-]{0,12}", fullmatch=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def read(content: bytes, **options: Any) -> dict[str, np.ndarray[Any, Any]]:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "f.npz"
        path.write_bytes(content)
        return unpack(path, **options)


def archive_of(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return stream.getvalue()


def npy(header: str, data: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    text = header.encode() + b"\n"
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + size + text + data


def header(descr: str = "'<f8'", fortran: str = "False", shape: str = "(2,)") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}"


@given(st.dictionaries(names, arrays, max_size=4))
def test_arrays_come_back_as_they_were(given_arrays: dict[str, np.ndarray[Any, Any]]) -> None:
    found = read(pack(given_arrays))
    assert found.keys() == given_arrays.keys()
    for name, array in given_arrays.items():
        assert found[name].shape == array.shape
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@given(st.dictionaries(names, arrays, max_size=4))
def test_equal_arrays_give_equal_bytes_whatever_their_order_and_layout(
    given_arrays: dict[str, np.ndarray[Any, Any]],
) -> None:
    other = {name: np.asfortranarray(given_arrays[name]) for name in reversed(given_arrays)}
    other = {name: array.reshape(given_arrays[name].shape) for name, array in other.items()}
    assert pack(given_arrays) == pack(other)


def test_the_bytes_do_not_hold_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    before = pack({"x": np.arange(3)})
    monkeypatch.setattr("time.time", lambda: 2e9)
    assert pack({"x": np.arange(3)}) == before


def test_numpy_itself_reads_the_file(folder: Path) -> None:
    (folder / "f.npz").write_bytes(pack({"x": np.arange(3), "words": np.array(["a", "Ω"])}))
    with np.load(folder / "f.npz", allow_pickle=False) as found:
        assert found["x"].tolist() == [0, 1, 2]
        assert found["words"].tolist() == ["a", "Ω"]


def test_a_file_that_numpy_wrote_is_read(folder: Path) -> None:
    given_arrays = {"a": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "b": np.float32(2)}
    np.savez_compressed(folder / "f.npz", **given_arrays)  # type: ignore[arg-type]
    found = unpack(folder / "f.npz")
    assert found["a"].tolist() == given_arrays["a"].tolist()
    assert found["b"] == 2


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("x", np.array([object()])),
        ("x", np.array([1j])),
        ("x", np.zeros(2, dtype=[("a", "<f8")])),
        ("x", np.array(["2026-01-01"], dtype="M8[D]")),
        ("../x", np.zeros(1)),
        ("a/b", np.zeros(1)),
        ("", np.zeros(1)),
        ("x" * 65, np.zeros(1)),
    ],
)
def test_what_a_reader_would_refuse_is_not_written(name: str, array: np.ndarray[Any, Any]) -> None:
    with pytest.raises(ValueError, match="not a plain named array"):
        pack({name: array})


class Bomb:
    """Unpickling it makes a file in the working folder."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("exploded"),))


def test_a_pickle_is_refused_and_not_executed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    np.savez(folder / "f.npz", x=np.array([Bomb()], dtype=object))
    with pytest.raises(CorruptError, match="not an npz of plain arrays"):
        unpack(folder / "f.npz")
    assert not (folder / "exploded").exists()


DATA = np.arange(2.0).tobytes()


@pytest.mark.parametrize(
    "member",
    [
        npy(header(shape="(3,)"), DATA),
        npy(header(shape="(1,)"), DATA),
        npy(header(shape="(-2,)"), DATA),
        npy(header(shape="(-1, -2)"), DATA),
        npy(header(shape="(2.0,)"), DATA),
        npy(header(shape="(99999999999999999999,)"), DATA),
        npy(header(shape="(0, 99999999999999999999)")),
        npy(header(shape="(9999999999, 9999999999, 0)")),
        npy(header(shape=f"({'1, ' * 70}2)"), DATA),
        npy(header(shape="2"), DATA),
        npy(header(shape="(999999999999,)", descr="'<U0'")),
        npy(header(shape="(2,)", descr="'<U0'")),
        npy(header(descr="'|O'"), DATA),
        npy(header(descr="'<c16'", shape="(1,)"), DATA),
        npy(header(descr="'<f3'"), DATA),
        npy(header(descr="'<q8'"), DATA),
        npy(header(descr="[('a', '<f8')]"), DATA),
        npy(header(descr="('<f8', (2,))", shape="()"), DATA),
        npy(header(descr="'M8[D]'"), DATA),
        npy(header(fortran="1"), DATA),
        npy(header(fortran="__import__('os')"), DATA),
        npy(header() + "(" * 300, DATA),
        npy("(" * 5000, DATA),
        npy("-" * 9000 + "1", DATA),
        npy("'", DATA),
        npy("\n\tx", DATA),
        npy("{}", DATA),
        npy("", DATA),
        npy(header(), DATA, version=(2, 0)),
        npy(header(), DATA, version=(9, 9)),
        b"\x93NUMPY\x01\x00\xff\xff",
        b"PK\x03\x04",
        b"",
    ],
    ids=lambda member: repr(member[10:70]),
)
def test_a_lying_or_hostile_array_header_is_refused(member: bytes) -> None:
    with pytest.raises(CorruptError) as caught:
        read(archive_of(("x.npy", member)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["../x.npy", "/etc/x.npy", "a/x.npy", "x", "x.txt", ".npy", "x\n.npy", "C:\\x.npy"]
)
def test_a_member_whose_name_is_no_plain_word_is_refused(name: str) -> None:
    with pytest.raises(CorruptError, match="is no array"):
        read(archive_of((name, npy(header(), DATA))))


def test_a_name_that_appears_twice_is_refused() -> None:
    member = npy(header(), DATA)
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = archive_of(("x.npy", member), ("x.npy", member))
    with pytest.raises(CorruptError, match="twice"):
        read(content)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_only_the_two_usual_compressions_are_read(method: int) -> None:
    with pytest.raises(CorruptError, match="compress"):
        read(archive_of(("x.npy", npy(header(), DATA)), method=method))


def test_an_encrypted_member_is_refused() -> None:
    content = bytearray(pack({"x": np.zeros(3)}))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    with pytest.raises(CorruptError, match="encrypted"):
        read(bytes(content))


def test_a_compressed_giant_is_refused_before_anything_is_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = pack({f"x{i}": np.zeros(100_000) for i in range(10)})
    assert len(content) < 20_000
    monkeypatch.setattr(zipfile.ZipFile, "open", None)
    with pytest.raises(CorruptError, match="larger than 1000000 bytes"):
        read(content, max_bytes=1_000_000)


def test_a_directory_that_understates_the_size_is_refused() -> None:
    content = bytearray(pack({"x": np.zeros(100_000)}))
    size = struct.pack("<I", 128 + 8)
    content[content.index(b"PK\x01\x02") + 24 :][:4] = size
    directory = content.index(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = size
    with pytest.raises(CorruptError):
        read(bytes(content))


def test_too_many_arrays_are_refused() -> None:
    content = archive_of(*((f"x{i}.npy", b"") for i in range(MAX_ARRAYS + 1)))
    with pytest.raises(CorruptError, match=f"or {MAX_ARRAYS} arrays"):
        read(content)


PACKED = pack({"a": np.arange(20.0).reshape(4, 5), "words": np.array(["x", "yz"])})


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_file_is_corrupt_or_holds_what_was_written(data: st.DataObject) -> None:
    content = bytearray(PACKED)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.just(len(content)) | st.integers(0, len(content)))]
    try:
        found = read(bytes(content))
    except CorruptError:
        return
    whole = {"a": np.arange(20.0).reshape(4, 5), "words": np.array(["x", "yz"])}
    for array in found.values():
        assert any(np.array_equal(array, item) for item in whole.values())


@given(st.binary(max_size=200))
def test_any_other_file_is_corrupt(content: bytes) -> None:
    with pytest.raises(CorruptError):
        read(content)


def test_an_absent_file_is_corrupt_and_named(folder: Path) -> None:
    with pytest.raises(CorruptError, match=r"f\.npz: cannot read"):
        unpack(folder / "f.npz")
