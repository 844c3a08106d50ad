"""Networks that trials have kept as assets: found again by a record, or by the asset's folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlbench.core.assets import cache_folder
from rlbench.core.errors import MissingError, UsageError
from rlbench.core.files import read_json
from rlbench.core.record import read_record

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Kept:
    """A kept network, before anybody has looked whether its parts fit together."""

    folder: Path
    about: Any
    """`asset.json`: its `params` say how to build the network."""

    def arrays(self, names: Iterable[str]) -> dict[str, np.ndarray[Any, Any]]:
        """The arrays of these names.

        Raises:
            OSError: one is not there.
            ValueError: one is no array file.
        """
        import numpy as np

        return {name: np.load(self.folder / f"{name}.npy", allow_pickle=False) for name in names}


def find_kept(path: Path, suite: str, kind: str) -> Kept:
    """The network behind a path.

    Args:
        path: a record of the suite (`seed-0.json`) whose notes name its `student`, or the folder of
            an asset.
        suite: whose record it has to be.
        kind: of the asset.

    Raises:
        UsageError: neither of them, or a trial that trained no student.
        MissingError: the record's student is not in the cache.
        CorruptError: the asset's own description cannot be read.
    """
    folder = path if path.is_dir() else _folder_of(path, suite, kind)
    about = read_json(folder / "asset.json")
    if about.get("kind") != kind:
        raise UsageError(f"{folder}: expected an asset of kind '{kind}', found {about.get('kind')}")
    return Kept(folder, about)


def _folder_of(path: Path, suite: str, kind: str) -> Path:
    if path.suffix != ".json":
        raise UsageError(f"{path}: expected a record (seed-N.json) or the folder of a student")
    record = read_record(path)
    key = record.notes.get("student")
    if record.suite != suite or not isinstance(key, str):
        raise UsageError(f"{path}: a record of {record.baseline.id}, which trained no student")
    folder = cache_folder() / "assets" / kind / Path(key).name[:32]
    if not folder.is_dir():
        raise MissingError(f"{path}: its student is not in {cache_folder()}; run: {record.command}")
    return folder
