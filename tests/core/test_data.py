from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rlbench.core.data import DataFile, DataFolder, DataSpec, DataStore, read_data_specs
from rlbench.core.errors import CorruptError, MissingError, SpecError, UsageError

CONTENT = {"images": b"pictures", "labels": b"names"}


@pytest.fixture
def spec() -> DataSpec:
    files = {
        key: DataFile(f"letters/{key}.bin", hashlib.sha256(content).hexdigest())
        for key, content in CONTENT.items()
    }
    return DataSpec("Letters", "MIT", "https://example.org/letters", files)


@pytest.fixture
def store(spec: DataSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataStore:
    monkeypatch.setenv("RLBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RLBENCH_DATA", raising=False)
    return DataStore({"letters": spec})


def put(folder: Path, **content: bytes) -> Path:
    (folder / "letters").mkdir(parents=True)
    for key, data in (CONTENT | content).items():
        (folder / "letters" / f"{key}.bin").write_bytes(data)
    return folder


def test_the_users_folders_come_first_in_their_order_then_the_cache(
    store: DataStore, spec: DataSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, first, second = (put(tmp_path / name) for name in ("cache/data", "first", "second"))
    found = DataStore({"letters": spec}).get("letters")
    assert found.files["images"] == cache / "letters" / "images.bin"
    monkeypatch.setenv("RLBENCH_DATA", f"{first}{os.pathsep}{second}")
    assert DataStore({"letters": spec}).get("letters").files["images"].is_relative_to(first)
    (first / "letters" / "images.bin").unlink()
    files = store.get("letters").files
    assert files["images"].is_relative_to(second)
    assert files["labels"].is_relative_to(first)


def test_the_hash_of_a_set_is_that_of_its_files_wherever_they_lie(
    store: DataStore, spec: DataSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "cache" / "data")
    found = store.get("letters")
    monkeypatch.setenv("RLBENCH_DATA", str(put(tmp_path / "other")))
    again = DataStore({"letters": spec}).get("letters")
    assert found.files != again.files
    assert found.sha256 == again.sha256


def test_another_content_is_corrupt_and_names_file_and_data_set(
    store: DataStore, tmp_path: Path
) -> None:
    folder = put(tmp_path / "cache" / "data", labels=b"other names")
    with pytest.raises(CorruptError, match=r"sha256 is .* expected .* 'letters'") as caught:
        store.get("letters")
    assert str(folder / "letters" / "labels.bin") in str(caught.value)


def test_what_is_missing_is_said_with_what_to_put_where(
    store: DataStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RLBENCH_DATA", str(tmp_path / "mine"))
    with pytest.raises(MissingError) as caught:
        store.get("letters")
    text = str(caught.value)
    assert f"put letters/images.bin under {tmp_path / 'mine'}" in text
    assert "RLBENCH_DATA" in text
    assert "https://example.org/letters" in text
    assert store.missing("letters") == text


def test_nothing_is_missing_when_all_files_are_here(store: DataStore, tmp_path: Path) -> None:
    put(tmp_path / "cache" / "data")
    assert store.missing("letters") is None


def test_a_set_that_nobody_declared_is_a_usage_error_with_a_suggestion(store: DataStore) -> None:
    for ask in (store.get, store.missing):
        with pytest.raises(UsageError, match="no data set 'leters'; did you mean 'letters'"):
            ask("leters")


@pytest.mark.parametrize("path", ["../letters.bin", "/etc/passwd", "a/../../b"])
def test_a_declared_path_stays_inside_the_data_folder(tmp_path: Path, path: str) -> None:
    file = tmp_path / "data.toml"
    file.write_text(
        f'[sets.x]\ntitle = ""\nlicence = ""\nupstream = ""\nfiles.a = {{ path = "{path}",'
        ' sha256 = "" }\n'
    )
    with pytest.raises(SpecError, match=r"data\.toml: sets\.x\.files\.a: path: expected a path in"):
        read_data_specs(file, "data.toml")


def plain(*, md5: str = "", folder: bool = False) -> DataStore:
    """A set of which only upstream's md5 is known, or nothing at all, or a folder's name."""
    files = {} if folder else {"all": DataFile("letters/images.bin", md5=md5)}
    folders = {"all": DataFolder("letters")} if folder else {}
    return DataStore({"letters": DataSpec("Letters", "MIT", "somewhere", files, folders)})


def test_a_published_md5_is_checked_where_we_know_no_better(
    store: DataStore, tmp_path: Path
) -> None:
    put(tmp_path / "cache" / "data")
    right = hashlib.md5(CONTENT["images"], usedforsecurity=False).hexdigest()
    assert plain(md5=right).get("letters").sha256
    with pytest.raises(CorruptError, match="md5 is"):
        plain(md5="0" * 32).get("letters")


def test_a_set_without_checksums_is_hashed_as_it_is_found(store: DataStore, tmp_path: Path) -> None:
    folder = put(tmp_path / "cache" / "data")
    before = plain().get("letters").sha256
    (folder / "letters" / "images.bin").write_bytes(b"others")
    assert plain().get("letters").sha256 != before


@pytest.mark.parametrize("change", ["content", "name", "new", "gone"])
def test_the_hash_of_a_folder_tells_its_content(
    store: DataStore, tmp_path: Path, change: str
) -> None:
    folder = put(tmp_path / "cache" / "data") / "letters"
    before = plain(folder=True).get("letters")
    assert before.files["all"] == folder
    changes: dict[str, Callable[[], object]] = {
        "content": lambda: (folder / "images.bin").write_bytes(b"other"),
        "name": lambda: (folder / "images.bin").rename(folder / "other.bin"),
        "new": lambda: (folder / "new.bin").write_bytes(b""),
        "gone": (folder / "images.bin").unlink,
    }
    changes[change]()
    assert plain(folder=True).get("letters").sha256 != before.sha256


def test_an_absent_folder_is_shown_as_one(store: DataStore) -> None:
    with pytest.raises(MissingError, match="put letters/ under"):
        plain(folder=True).get("letters")
