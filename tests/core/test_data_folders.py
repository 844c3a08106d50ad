"""Data sets that are folder trees, and files of which upstream tells an MD5 or nothing."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from rlbench.core.data import (
    HASHED_BYTES,
    DataError,
    DataFile,
    DataFolder,
    DataSpec,
    DataStore,
    tree_digest,
    tree_files,
)
from rlbench.core.errors import CorruptError, ExitCode, MissingError, UsageError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RLBENCH_DATA", str(tmp_path))
    root = tmp_path / "birds"
    for name in ("wren/1.png", "wren/2.png", "owl/1.png", ".cache/x"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def spec(**parts: DataFile | DataFolder) -> DataStore:
    files = {key: part for key, part in parts.items() if isinstance(part, DataFile)}
    folders = {key: part for key, part in parts.items() if isinstance(part, DataFolder)}
    return DataStore({"set": DataSpec("Set", "MIT", "https://example.org", files, folders)})


def test_a_folder_is_found_and_its_hash_follows_names_and_contents(folder: Path) -> None:
    first = spec(images=DataFolder("birds")).get("set")
    assert first.files == {"images": folder}
    (folder / "wren" / "1.png").write_text("WREN/1.PNG")  # as long as before
    changed = spec(images=DataFolder("birds")).get("set")
    (folder / "wren" / "1.png").rename(folder / "wren" / "3.png")
    renamed = spec(images=DataFolder("birds")).get("set")
    assert len({first.sha256, changed.sha256, renamed.sha256}) == 3


def test_hidden_files_are_no_part_of_a_folder(folder: Path) -> None:
    before = tree_digest(folder)
    (folder / ".cache" / "y").write_text("")
    (folder / "owl" / ".DS_Store").write_text("")
    assert tree_digest(folder) == before
    assert [p.relative_to(folder).as_posix() for p in tree_files(folder)] == [
        "owl/1.png",
        "wren/1.png",
        "wren/2.png",
    ]


def test_contents_of_large_folders_are_not_read(folder: Path) -> None:
    with (folder / "big").open("wb") as stream:
        stream.truncate(HASHED_BYTES + 1)
    before = tree_digest(folder)
    (folder / "wren" / "1.png").write_text("WREN/1.PNG")
    assert tree_digest(folder) == before
    (folder / "wren" / "1.png").write_text("longer than before")
    assert tree_digest(folder) != before


def test_a_folder_of_listed_files_is_not_hashed(folder: Path) -> None:
    listed = DataFolder("birds", hashed=False)
    before = spec(images=listed).get("set").sha256
    (folder / "wren" / "9.png").write_text("new")
    assert spec(images=listed).get("set").sha256 == before


def test_ones_own_folder_needs_no_declaration(folder: Path) -> None:
    found = DataStore({}).get("folder:birds")
    assert found.files == {"images": folder}
    assert found.sha256 == spec(images=DataFolder("birds")).get("set").sha256


def test_ones_own_folder_may_lie_beside_ones_own_tasks(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RLBENCH_DATA")
    monkeypatch.setenv("RLBENCH_PATH", str(folder.parent))
    assert DataStore({}).get("folder:birds").files == {"images": folder}


def test_an_absent_folder_says_what_to_put_where(folder: Path) -> None:
    store = spec(images=DataFolder("fish"), labels=DataFile("fish.txt"))
    with pytest.raises(MissingError, match=r"put fish.txt under .* \(and 1 more beside it\)"):
        store.get("set")
    assert store.missing("set")
    assert "put fish/ under" in str(DataStore({}).missing("folder:fish"))


@pytest.mark.parametrize("name", ["folder:", "folder:../x", "folder:/etc"])
def test_ones_own_folder_stays_inside_the_data_folder(folder: Path, name: str) -> None:
    with pytest.raises(UsageError, match="expected a path inside the data folder"):
        DataStore({}).get(name)


def test_a_file_is_held_against_the_md5_that_upstream_tells(folder: Path) -> None:
    right = hashlib.md5(b"owl/1.png").hexdigest()
    found = spec(image=DataFile("birds/owl/1.png", md5=right)).get("set")
    unknown = spec(image=DataFile("birds/owl/1.png")).get("set")
    sha256 = hashlib.sha256(b"owl/1.png").hexdigest()
    known = spec(image=DataFile("birds/owl/1.png", sha256)).get("set")
    assert found.sha256 == unknown.sha256 == known.sha256
    with pytest.raises(CorruptError, match=r"1\.png: md5 is .* expected 000000"):
        spec(image=DataFile("birds/owl/1.png", md5="0" * 32)).get("set")


def test_damaged_data_counts_as_missing_for_the_exit_code(folder: Path) -> None:
    with pytest.raises(DataError) as caught:
        spec(image=DataFile("birds/owl/1.png", "0" * 64)).get("set")
    assert caught.value.exit_code == ExitCode.MISSING


def test_a_file_that_cannot_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "loop.png").symlink_to(folder / "loop.png")
    with pytest.raises(DataError, match=r"loop\.png: cannot read: Too many levels"):
        spec(images=DataFolder("birds")).get("set")


def test_a_set_without_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="expected at least one, under different keys"):
        DataSpec("Set", "MIT", "https://example.org")
