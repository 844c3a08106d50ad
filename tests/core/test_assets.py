from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlbench.core.assets import Asset, AssetStore, cache_folder, list_assets
from rlbench.core.checkpoint import AssetCheckpoint
from rlbench.core.errors import StorageError
from rlbench.core.npy import Rows

Arrays = dict[str, np.ndarray[Any, Any]]
SOURCE = "s" * 64


class Maker:
    """Makes an asset and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Arrays:
        self.calls += 1
        return {"x": np.arange(6.0).reshape(2, 3), "words": np.array(["a", "Ω"])}


def get(
    root: Path,
    make: Callable[[], Arrays | Rows],
    source: str = SOURCE,
    seed: int = 0,
    **params: Any,
) -> Asset:
    return AssetStore(root, source).get("numbers", params, make, seed=seed)


def folder_of(root: Path) -> Path:
    (found,) = (path.parent for path in root.glob("assets/numbers/*/asset.json"))
    return found


def test_an_asset_is_made_once_and_then_read(tmp_path: Path) -> None:
    make = Maker()
    for _ in range(3):
        asset = get(tmp_path, make, n=3)
        assert asset["x"].tolist() == [[0, 1, 2], [3, 4, 5]]
        assert asset["words"].tolist() == ["a", "Ω"]
    assert make.calls == 1


def test_one_store_gives_the_same_object_again(tmp_path: Path) -> None:
    store, make = AssetStore(tmp_path, SOURCE), Maker()
    assert store.get("numbers", {}, make) is store.get("numbers", {}, make)


@pytest.mark.parametrize(
    "change", [{"source": "t" * 64}, {"seed": 1}, {"n": 4}, {"n": 3, "m": 1}], ids=str
)
def test_another_source_seed_or_parameter_is_another_asset(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    make = Maker()
    first = get(tmp_path, make, n=3)
    second = get(tmp_path, make, **{"n": 3, **change})
    assert make.calls == 2
    assert first.key != second.key


def test_the_arrays_are_mapped_read_only(tmp_path: Path) -> None:
    asset = get(tmp_path, Maker())
    assert isinstance(asset["x"], np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        asset["x"][0, 0] = 9


@pytest.mark.parametrize("array", [np.array(3.5), np.zeros((0, 4)), np.asfortranarray(np.eye(2))])
def test_shape_and_type_survive(tmp_path: Path, array: np.ndarray[Any, Any]) -> None:
    found = get(tmp_path, lambda: {"x": array})["x"]
    assert found.shape == array.shape
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@given(st.integers(0, 40), st.integers(1, 12), st.sampled_from(["<f4", "|u1", "<i8", "<U3"]))
def test_rows_that_come_in_parts_leave_the_bytes_of_whole_arrays(
    n: int, step: int, dtype: str
) -> None:
    whole = {
        "x": np.arange(n * 6).reshape(n, 3, 2).astype(dtype),
        "y": np.arange(n, dtype=np.int64),
    }
    starts = range(0, max(n, 1), step)
    parts = ({name: a[start : start + step] for name, a in whole.items()} for start in starts)
    with tempfile.TemporaryDirectory() as folder:
        roots = [Path(folder, name) for name in ("whole", "rows")]
        get(roots[0], lambda: whole)
        get(roots[1], lambda: Rows(n, parts))
        files = [
            {path.name: path.read_bytes() for path in folder_of(root).iterdir()} for root in roots
        ]
    assert files[0] == files[1]
    assert len(files[0]) == 3


@pytest.mark.parametrize(
    ("n", "parts", "message"),
    [
        (4, [{"x": np.zeros((3, 2))}], "'x': 1 rows are missing"),
        (2, [{"x": np.zeros((3, 2))}], r"at most 2 more rows float64 \(2,\), found 3"),
        (6, [{"x": np.zeros((3, 2))}, {"x": np.zeros((3, 1))}], r"found 3 float64 \(1,\)"),
        (6, [{"x": np.zeros((3, 2))}, {"x": np.zeros((3, 2), np.float32)}], "found 3 float32"),
        (6, [{"x": np.zeros((3, 2))}, {"y": np.zeros((3, 2))}], r"expected \['x'\], found"),
        (1, [{"x": np.array([object()])}], "Object arrays"),
        (0, [], "expected one part at least"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(
    tmp_path: Path, n: int, parts: list[Arrays], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        get(tmp_path, lambda: Rows(n, parts))
    assert not list(tmp_path.glob("assets/numbers/*/"))


def test_what_makes_the_rows_fails_under_its_own_name(tmp_path: Path) -> None:
    def parts() -> Iterator[Arrays]:
        yield {"x": np.zeros((1, 2))}
        raise OSError("the camera is broken")

    with pytest.raises(OSError, match="the camera is broken"):
        get(tmp_path, lambda: Rows(2, parts()))
    assert not list(tmp_path.glob("assets/numbers/*/"))


LARGE = """
import resource, sys, pathlib
import numpy as np
from rlbench.core.assets import AssetStore
from rlbench.core.npy import Rows
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
store = AssetStore(pathlib.Path(sys.argv[1]), "s" * 64)
def of(parts):
    return Rows(250 * parts, ({"x": np.full((250, 1024), i, np.float32)} for i in range(parts)))
store.get("numbers", {}, lambda: of(2), seed=0)
before = peak()
asset = store.get("numbers", {}, lambda: of(128), seed=1)
print(asset["x"].nbytes // 1024, peak() - before)
"""


def test_memory_does_not_grow_with_the_number_of_rows(tmp_path: Path) -> None:
    words = [sys.executable, "-c", LARGE, str(tmp_path)]
    answer = subprocess.run(words, text=True, capture_output=True, check=True).stdout
    size, growth = map(int, answer.split())  # KiB
    assert size == 128_000
    assert growth < size / 8


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "flipped bit": lambda folder: flip(folder / "x.npy"),
    "cut": lambda folder: (folder / "x.npy").write_bytes(b"\x93NUMPY"),
    "array gone": lambda folder: (folder / "x.npy").unlink(),
    "description gone": lambda folder: (folder / "asset.json").unlink(),
    "description cut": lambda folder: (folder / "asset.json").write_text("{"),
    "description of another": lambda folder: rewrite(folder, params={"n": 99}),
    "hash of no array": lambda folder: rewrite(folder, sha256={"../x": "0"}),
    "no hashes": lambda folder: rewrite(folder, sha256=3),
}


def rewrite(folder: Path, **changes: Any) -> None:
    path = folder / "asset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_asset_is_made_again(tmp_path: Path, damage: Callable[[Path], Any]) -> None:
    make = Maker()
    get(tmp_path, make)
    damage(folder_of(tmp_path))
    assert get(tmp_path, make)["x"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert make.calls == 2
    assert get(tmp_path, make)["x"].shape == (2, 3)
    assert make.calls == 2


def test_a_maker_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> Arrays:
        raise RuntimeError("no luck")

    with pytest.raises(RuntimeError, match="no luck"):
        get(tmp_path, fail)
    assert not list(tmp_path.glob("assets/numbers/*/"))
    assert get(tmp_path, Maker())["x"].shape == (2, 3)


@pytest.mark.parametrize(
    "arrays", [{"x": np.array([object()])}, {"../x": np.zeros(1)}], ids=["objects", "path"]
)
def test_what_is_no_plain_named_array_is_refused(tmp_path: Path, arrays: Arrays) -> None:
    with pytest.raises(ValueError, match=r"Object arrays|expected a plain word"):
        get(tmp_path, lambda: arrays)
    assert not list(tmp_path.glob("assets/numbers/*/"))


def test_a_full_disk_is_a_storage_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        get(tmp_path, Maker())
    assert not list(tmp_path.glob("assets/numbers/*/"))


@pytest.mark.parametrize("whole", [True, False])
def test_a_file_that_cannot_grow_is_a_storage_error(tmp_path: Path, whole: bool) -> None:
    part = {"x": np.zeros((500, 100))}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, limits[1]))
    try:
        with pytest.raises(StorageError, match="cannot write: "):
            get(tmp_path, lambda: part if whole else Rows(1000, [part, part]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.glob("assets/numbers/*/"))


def test_what_a_killed_maker_left_is_swept_away(tmp_path: Path) -> None:
    get(tmp_path, Maker())
    folder = folder_of(tmp_path)
    leftover = folder.parent / f".{folder.name}.abc"
    leftover.mkdir()
    (folder / "x.npy").unlink()
    get(tmp_path, Maker())
    assert not leftover.exists()


def checkpoint(root: Path, source: str = SOURCE, seed: int = 0, **params: Any) -> AssetCheckpoint:
    return AssetCheckpoint(AssetStore(root, source).checkpoint_path("numbers", params, seed=seed))


def test_what_a_killed_maker_saved_is_found_by_the_next_and_by_nobody_else(tmp_path: Path) -> None:
    def killed() -> Arrays:
        checkpoint(tmp_path, n=3).save({"w": np.arange(3)}, {"done": 2})
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(tmp_path, killed, n=3)

    found = checkpoint(tmp_path, n=3).load()
    assert found is not None
    assert found.arrays["w"].tolist() == [0, 1, 2]
    assert found.state == {"done": 2}
    for other in ({"n": 4}, {"n": 3, "seed": 1}, {"n": 3, "source": "t" * 64}):
        assert checkpoint(tmp_path, **other).load() is None


def test_a_finished_asset_leaves_no_checkpoint(tmp_path: Path) -> None:
    checkpoint(tmp_path).save({}, {"done": 2})
    path = AssetStore(tmp_path, SOURCE).checkpoint_path("numbers", {}, seed=0)
    half_saved = path.with_name(f".{path.name}.abc.tmp")
    half_saved.write_bytes(b"x")

    get(tmp_path, Maker())

    assert checkpoint(tmp_path).load() is None
    assert not half_saved.exists()
    assert len(list(list_assets(tmp_path))) == 1


RACER = """
import sys, time, pathlib
import numpy as np
from rlbench.core.assets import AssetStore
root, log = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
def make():
    with log.open("a") as stream:
        stream.write("made\\n")
    time.sleep(0.3)
    return {"x": np.arange(4)}
sys.stdin.readline()
print(AssetStore(root, "s" * 64).get("numbers", {}, make)["x"].sum())
"""


def test_when_processes_race_for_an_asset_it_is_made_once(tmp_path: Path) -> None:
    words = [sys.executable, "-c", RACER, str(tmp_path / "cache"), str(tmp_path / "log")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    racers = [subprocess.Popen(words, text=True, **pipes) for _ in range(3)]  # type: ignore[call-overload]
    for racer in racers:  # all are started before the first is let go
        racer.stdin.write("go\n")
        racer.stdin.flush()
    answers = [racer.communicate(timeout=60)[0].strip() for racer in racers]
    assert answers == ["6"] * 3
    assert (tmp_path / "log").read_text() == "made\n"


def test_finished_assets_are_listed_and_damaged_ones_are_not_in_the_way(tmp_path: Path) -> None:
    get(tmp_path, Maker(), n=3, seed=7)
    get(tmp_path, Maker(), n=4)
    broken = tmp_path / "assets" / "numbers" / "damaged"
    broken.mkdir()
    (broken / "asset.json").write_text("{")
    found = list(list_assets(tmp_path))
    assert sorted((item.kind, item.seed, item.params["n"]) for item in found) == [
        ("numbers", 0, 4),
        ("numbers", 7, 3),
    ]
    assert all(item.bytes > 48 for item in found)


def test_the_cache_folder_is_the_users_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLBENCH_CACHE", "here")
    assert cache_folder() == Path("here").absolute()
    monkeypatch.delenv("RLBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/some/cache")
    assert cache_folder() == Path("/some/cache/rlbench")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/some/home")
    assert cache_folder() == Path("/some/home/.cache/rlbench")
