from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlbench.core.errors import CorruptError, StorageError
from rlbench.core.files import (
    MAX_JSON_DEPTH,
    canonical,
    digest,
    pretty,
    publish,
    read_json,
    write_atomic,
)

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def full_disk(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_reader_never_sees_a_mix_of_old_and_new_content(tmp_path: Path) -> None:
    path, size, stop = tmp_path / "f", 200_000, threading.Event()
    write_atomic(path, b"a" * size)
    seen: set[tuple[int, frozenset[int]]] = set()

    def read() -> None:
        while not stop.is_set():
            content = path.read_bytes()
            seen.add((len(content), frozenset(content)))

    reader = threading.Thread(target=read)
    reader.start()
    for letter in b"bcdefghijk":
        write_atomic(path, bytes([letter]) * size)
    stop.set()
    reader.join()
    assert all(length == size and len(letters) == 1 for length, letters in seen)
    assert entries(tmp_path) == ["f"]


@pytest.mark.parametrize("step", ["os.fsync", "tempfile.mkstemp", "pathlib.Path.replace"])
def test_a_full_disk_leaves_the_old_content_and_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "f"
    write_atomic(path, b"old")
    monkeypatch.setattr(step, full_disk)
    with pytest.raises(StorageError, match="No space left"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert entries(tmp_path) == ["f"]


def test_when_a_later_file_cannot_be_written_the_earlier_ones_are_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence, record = tmp_path / "e", tmp_path / "r"
    publish({evidence: b"old e", record: b"old r"})
    calls: list[int] = []
    really = os.fsync

    def second_fails(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 2:
            full_disk()
        really(handle)

    monkeypatch.setattr(os, "fsync", second_fails)
    with pytest.raises(StorageError):
        publish({evidence: b"new e", record: b"new r"}, withdraw=record)
    assert (evidence.read_bytes(), record.read_bytes()) == (b"old e", b"old r")
    assert entries(tmp_path) == ["e", "r"]


def test_files_appear_in_the_order_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    really = Path.replace

    def watched(self: Path, target: Path) -> Path:
        order.append(Path(target).name)
        return really(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    publish({tmp_path / name: b"" for name in ("npz", "csv", "json")})
    assert order == ["npz", "csv", "json"]


def test_create_only_refuses_to_replace(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_atomic(path, b"first", create_only=True)
    with pytest.raises(FileExistsError):
        write_atomic(path, b"second", create_only=True)
    assert path.read_bytes() == b"first"
    assert entries(tmp_path) == ["f"]


def test_when_the_last_file_exists_already_its_siblings_stay_as_they_are(tmp_path: Path) -> None:
    evidence, record = tmp_path / "e", tmp_path / "r"
    publish({evidence: b"mine", record: b"vouches for mine"})
    with pytest.raises(FileExistsError):
        publish({evidence: b"other", record: b"vouches for other"}, create_only=record)
    assert evidence.read_bytes() == b"mine"


def test_a_file_where_a_folder_should_be_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="file"):
        write_atomic(tmp_path / "file" / "f", b"")


@given(plain)
def test_canonical_bytes_and_pretty_bytes_read_back_as_the_same_value(value: Any) -> None:
    assert json.loads(canonical(value)) == value
    assert json.loads(pretty(value)) == value


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), plain, max_size=5))
def test_canonical_bytes_do_not_depend_on_the_order_of_keys(value: dict[str, Any]) -> None:
    assert digest(dict(reversed(value.items()))) == digest(value)


def test_canonical_json_is_what_it_always_was() -> None:
    # Identities hang on these bytes: never change them.
    value = {"b": [1, 1.0, 1e-3, -0.0, 1e22], "a": {"Ω": None, "é": True}, "": '\x00\n"\\'}
    text = r'{"":"\u0000\n\"\\","a":{"é":true,"Ω":null},"b":[1,1.0,0.001,-0.0,1e+22]}'
    assert canonical(value) == text.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"x": [-float("inf")]}])
def test_what_is_not_finite_is_never_written(value: Any) -> None:
    for write in (canonical, pretty):
        with pytest.raises(ValueError, match="JSON compliant"):
            write(value)


def nested(depth: int) -> bytes:
    return b'{"x":' * depth + b"0" + b"}" * depth


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b'{"x": NaN}', "NaN is not JSON"),
        (b'{"x": -Infinity}', "-Infinity is not JSON"),
        (b'{"x": 1e999}', "not strict JSON"),
        (b'{"x": 1, "x": 2}', "'x' appears twice"),
        (b'{"y": {"x": 1, "x": 2}}', "'x' appears twice"),
        (nested(MAX_JSON_DEPTH + 1), "nested deeper than 32"),
        (nested(200_000), "not strict JSON"),
        (b"[" * 200_000, "not strict JSON"),
        (b'{"x": "\xff"}', "not strict JSON"),
        (b'{"x": "\\ud800"}', "not strict JSON"),
        (b'\xef\xbb\xbf{"x": 1}', "not strict JSON"),
        (b'{"x": 1', "not strict JSON"),
        (b'{"x": ' + b"9" * 5000 + b"}", "not strict JSON"),
        (b"[1]", "expected a JSON object, found list"),
        (b"", "not strict JSON"),
    ],
    ids=lambda item: item if isinstance(item, str) else repr(item[:20]),
)
def test_the_reader_refuses_what_is_not_strict_json(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    path = tmp_path / "f.json"
    path.write_bytes(content)
    with pytest.raises(CorruptError, match=complaint) as caught:
        read_json(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_the_reader_takes_what_lies_within_its_limits(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_bytes(nested(MAX_JSON_DEPTH))
    assert "x" in read_json(path)


def test_the_reader_refuses_a_file_that_is_too_big_without_reading_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f.json"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)  # sparse
    monkeypatch.setattr(Path, "read_bytes", full_disk)
    with pytest.raises(CorruptError, match="larger than"):
        read_json(path)


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir], ids=["absent", "folder"])
def test_the_reader_names_a_path_that_is_no_file(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "f.json")
    with pytest.raises(CorruptError, match=r"f\.json: cannot read"):
        read_json(tmp_path / "f.json")
