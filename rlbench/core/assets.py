"""Assets: shared work such as a trained classifier, made once and read by every trial.

An asset lies in a folder named after its key, the hash of kind, parameters, seed and source. Its
arrays are `.npy` files, mapped into memory when read. The folder is renamed into place when
complete; a damaged one is thrown away and made again.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlbench.core.errors import CorruptError
from rlbench.core.files import digest, file_digest, pretty, read_json, sync_folder
from rlbench.core.npy import NAME, Rows, storing, write_arrays

if TYPE_CHECKING:
    import numpy as np

    Made = Mapping[str, np.ndarray[Any, Any]] | Rows
    """What a maker returns: the arrays, or their rows where they are too large for memory."""


def cache_folder() -> Path:
    """Where assets and cached data live: `$RLBENCH_CACHE`, else the user's cache folder."""
    if own := os.environ.get("RLBENCH_CACHE"):
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "rlbench"


@dataclass(frozen=True)
class Asset:
    """A finished asset: its key and its arrays (read-only, memory-mapped)."""

    kind: str
    key: str
    arrays: Mapping[str, np.ndarray[Any, Any]]

    def __getitem__(self, name: str) -> np.ndarray[Any, Any]:
        return self.arrays[name]


@dataclass(frozen=True)
class AssetInfo:
    """What `rlbench data list` says of an asset."""

    kind: str
    key: str
    params: Mapping[str, Any]
    seed: int | None
    bytes: int
    path: Path


class AssetStore:
    """The assets of one source digest, under a cache folder."""

    def __init__(self, root: Path, source: str) -> None:
        """`source` is the digest of the suite whose trials ask."""
        self.root = root / "assets"
        self.source = source
        self._open: dict[str, Asset] = {}

    def get(
        self,
        kind: str,
        params: Mapping[str, Any],
        make: Callable[[], Made],
        *,
        seed: int | None = None,
    ) -> Asset:
        """Read the asset, making it first when it is absent (one maker at a time, by file lock).

        Raises:
            StorageError: the cache folder cannot take it.
        """
        from filelock import FileLock

        about = self._about(kind, params, seed)
        key = digest(about)
        if key in self._open:
            return self._open[key]
        folder = self._folder(kind, key)
        with storing(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            asset = _read(folder, kind, key)
            if asset is None:
                _write(folder, about, make())
                asset = _read(folder, kind, key)
            if asset is not None:
                _checkpoint(folder).unlink(missing_ok=True)
        if asset is None:
            raise CorruptError(f"{folder}: the asset changed while it was written")
        self._open[key] = asset
        return asset

    def checkpoint_path(
        self, kind: str, params: Mapping[str, Any], *, seed: int | None = None
    ) -> Path:
        """Where the asset's maker keeps how far it is, beside the asset's folder."""
        return _checkpoint(self._folder(kind, digest(self._about(kind, params, seed))))

    def _about(self, kind: str, params: Mapping[str, Any], seed: int | None) -> dict[str, Any]:
        return {"kind": kind, "params": dict(params), "seed": seed, "source": self.source}

    def _folder(self, kind: str, key: str) -> Path:
        return self.root / kind / key[:32]


def _checkpoint(folder: Path) -> Path:
    return folder.with_suffix(".checkpoint.npz")


def _write(folder: Path, about: Mapping[str, Any], made: Made) -> None:
    with storing(folder):
        _sweep(folder)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        names = write_arrays(made, temporary)
        with storing(folder):
            hashes = {name: file_digest(temporary / f"{name}.npy") for name in names}
            (temporary / "asset.json").write_bytes(pretty({**about, "sha256": hashes}))
            sync_folder(temporary)
            temporary.rename(folder)
            sync_folder(folder.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _sweep(folder: Path) -> None:
    """Throw away a damaged asset and what a killed maker left; we hold the lock."""
    shutil.rmtree(folder, ignore_errors=True)
    for stale in folder.parent.glob(f".{folder.name}.*"):
        if stale.is_dir():
            shutil.rmtree(stale, ignore_errors=True)
        else:
            stale.unlink(missing_ok=True)  # of a checkpoint


def _read(folder: Path, kind: str, key: str) -> Asset | None:
    """The asset if it is whole, else None."""
    import numpy as np

    if not folder.is_dir():
        return None
    try:
        about = read_json(folder / "asset.json")
        hashes = about.pop("sha256")
        if digest(about) != key or not all(map(NAME.fullmatch, hashes)):
            return None
        paths = {name: folder / f"{name}.npy" for name in hashes}
        if any(file_digest(path) != hashes[name] for name, path in paths.items()):
            return None
        arrays = {
            name: np.load(path, mmap_mode="r", allow_pickle=False) for name, path in paths.items()
        }
    except (CorruptError, KeyError, TypeError, ValueError, OSError):
        return None
    return Asset(kind, key, arrays)


def list_assets(root: Path) -> Iterator[AssetInfo]:
    """The finished assets under a cache folder, of every source, by kind and key."""
    for path in sorted((root / "assets").glob("*/*/asset.json")):
        folder = path.parent
        try:
            about = read_json(path)
            kind, params, seed = about["kind"], about["params"], about["seed"]
        except (CorruptError, KeyError):
            continue  # it will be made again when it is asked for
        size = sum(file.stat().st_size for file in folder.iterdir())
        yield AssetInfo(kind, folder.name, params, seed, size, folder)
