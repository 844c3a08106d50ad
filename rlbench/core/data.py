"""Data sets by name: found, checked against their checksums, never downloaded silently.

Resolution order: `$RLBENCH_DATA` (one folder or several, separated like `PATH`), then the user's
cache folder. Which files make up a set stands in `tasks/<suite>/data.toml`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rlbench.core.assets import cache_folder
from rlbench.core.decode import decode
from rlbench.core.errors import CorruptError, MissingError, UsageError, closest
from rlbench.core.files import digest, file_digest
from rlbench.core.spec import read_toml


@dataclass(frozen=True)
class DataFile:
    """One file of a data set: where it lies under the data folder, and its checksum."""

    path: str
    sha256: str

    def __post_init__(self) -> None:
        path = Path(self.path)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"path: expected a path inside the data folder, found {self.path!r}")


@dataclass(frozen=True)
class DataSpec:
    """A data set: its files, licence and where a stranger gets it."""

    title: str
    licence: str
    upstream: str
    files: dict[str, DataFile]
    note: str = ""


@dataclass(frozen=True)
class _DataFile:
    sets: dict[str, DataSpec]


@dataclass(frozen=True)
class DataSet:
    """A data set that is here: the path of each of its files, and one hash over all of them."""

    name: str
    files: Mapping[str, Path]
    sha256: str


def read_data_specs(path: Path, shown: str) -> dict[str, DataSpec]:
    """The data sets that a `data.toml` declares."""
    return decode(_DataFile, read_toml(path), shown).sets


def data_folders() -> list[Path]:
    """The folders that are searched, in order."""
    own = os.environ.get("RLBENCH_DATA", "")
    folders = [Path(item).expanduser().absolute() for item in own.split(os.pathsep) if item]
    return [*folders, cache_folder() / "data"]


class DataStore:
    """Resolves data sets; checks each file once."""

    def __init__(self, specs: Mapping[str, DataSpec]) -> None:
        """`specs` are the data sets that the registry knows."""
        self._specs = specs
        self._found: dict[str, DataSet] = {}

    def get(self, name: str) -> DataSet:
        """The data set's files.

        Raises:
            UsageError: no such data set is declared.
            MissingError: a file is not in any folder; says what to put where.
            CorruptError: a file's checksum is wrong.
        """
        if name not in self._specs:
            raise UsageError(f"no data set '{name}'{closest(name, self._specs)}")
        if name not in self._found:
            spec = self._specs[name]
            paths = {key: self._find(name, spec, file) for key, file in spec.files.items()}
            for key, path in paths.items():
                if (found := file_digest(path)) != spec.files[key].sha256:
                    raise CorruptError(
                        f"{path}: sha256 is {found[:12]}…, expected {spec.files[key].sha256[:12]}…"
                        f" (data set '{name}')"
                    )
            whole = digest({key: file.sha256 for key, file in spec.files.items()})
            self._found[name] = DataSet(name, paths, whole)
        return self._found[name]

    def missing(self, name: str) -> str | None:
        """What to put where so that `name` can be read, or None when its files are here."""
        try:
            spec = self._specs[name]
            for file in spec.files.values():
                self._find(name, spec, file)
        except MissingError as error:
            return str(error)
        return None

    @staticmethod
    def _find(name: str, spec: DataSpec, file: DataFile) -> Path:
        folders = data_folders()
        for folder in folders:
            if (folder / file.path).is_file():
                return folder / file.path
        raise MissingError(
            f"data set '{name}' is not here: put {file.path} under {folders[0]}, or set"
            f" RLBENCH_DATA to the folder that holds it (from {spec.upstream})"
        )
