"""Data sets by name: found, checked against their checksums, never downloaded silently.

Resolution order: `$RLBENCH_DATA` (one folder or several, separated like `PATH`), the folders on
`$RLBENCH_PATH`, then the user's cache folder. Which files make up a set stands in
`tasks/<suite>/data.toml`; `folder:PATH` names a folder of one's own without a declaration.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rlbench.core.assets import cache_folder
from rlbench.core.decode import decode
from rlbench.core.errors import CorruptError, MissingError, UsageError, closest
from rlbench.core.files import digest, file_digest
from rlbench.core.spec import read_toml

OWN_FOLDER = "folder:"
"""Starts the name of a data set that is a folder of the user's own."""
HASHED_BYTES = 2**30
"""The contents of larger folders are not hashed, only their files' names and sizes."""


class DataError(CorruptError, MissingError):
    """A data file that is here but of no use: damaged, cut short, hostile; as good as absent."""


@dataclass(frozen=True)
class DataFile:
    """One file of a data set: where it lies under the data folder, and what is known of it."""

    path: str
    sha256: str = ""
    md5: str = ""
    """The checksum that upstream publishes, where we have never seen the file ourselves."""

    def __post_init__(self) -> None:
        _check_inside(self.path)


@dataclass(frozen=True)
class DataFolder:
    """A folder tree of a data set, whatever its files are called."""

    path: str
    hashed: bool = True
    """Whether its files are part of the set's hash; not where a list names them and is hashed
    itself, because there may be millions of them."""

    def __post_init__(self) -> None:
        _check_inside(self.path)


def _check_inside(path: str) -> None:
    if not path or Path(path).is_absolute() or ".." in Path(path).parts:
        raise ValueError(f"path: expected a path inside the data folder, found {path!r}")


@dataclass(frozen=True)
class DataSpec:
    """A data set: its files and folders, licence and where a stranger gets it."""

    title: str
    licence: str
    upstream: str
    files: dict[str, DataFile] = field(default_factory=dict)
    folders: dict[str, DataFolder] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        if not self.parts or len(self.parts) < len(self.files) + len(self.folders):
            raise ValueError("files, folders: expected at least one, under different keys")

    @property
    def parts(self) -> dict[str, DataFile | DataFolder]:
        """Files and folders by key."""
        return {**self.files, **self.folders}


@dataclass(frozen=True)
class _DataFile:
    sets: dict[str, DataSpec]


@dataclass(frozen=True)
class DataSet:
    """A data set that is here: the path of each of its parts, and one hash over all of them.

    The hash rests on declared checksums where there are any, else on what was found.
    """

    name: str
    files: Mapping[str, Path]
    sha256: str


def read_data_specs(path: Path, shown: str) -> dict[str, DataSpec]:
    """The data sets that a `data.toml` declares."""
    return decode(_DataFile, read_toml(path), shown).sets


def data_folders() -> list[Path]:
    """The folders that are searched, in order."""
    words = [os.environ.get(name, "") for name in ("RLBENCH_DATA", "RLBENCH_PATH")]
    items = [item for word in words for item in word.split(os.pathsep) if item]
    return [*(Path(item).expanduser().absolute() for item in items), cache_folder() / "data"]


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
            DataError: a file's checksum is wrong, or it cannot be read.
        """
        if name not in self._found:
            spec = self._spec(name)
            paths = _find_all(name, spec)
            marks = {key: _mark(name, part, paths[key]) for key, part in spec.parts.items()}
            self._found[name] = DataSet(name, paths, digest(marks))
        return self._found[name]

    def missing(self, name: str) -> str | None:
        """What to put where so that `name` can be read, or None when its files are here.

        Raises:
            UsageError: no such data set is declared.
        """
        try:
            _find_all(name, self._spec(name))
        except MissingError as error:
            return str(error)
        return None

    def _spec(self, name: str) -> DataSpec:
        if name in self._specs:
            return self._specs[name]
        if not name.startswith(OWN_FOLDER):
            raise UsageError(f"no data set '{name}'{closest(name, self._specs)}")
        try:
            images = DataFolder(name.removeprefix(OWN_FOLDER))
        except ValueError as error:
            raise UsageError(f"data set '{name}': {error}") from error
        return DataSpec(name, "unknown", "your own files", folders={"images": images})


def _find_all(name: str, spec: DataSpec) -> dict[str, Path]:
    """The path of every part.

    Raises:
        MissingError: some are not in any folder.
    """
    folders = data_folders()
    found: dict[str, Path] = {}
    absent = []
    for key, part in spec.parts.items():
        fits = Path.is_dir if isinstance(part, DataFolder) else Path.is_file
        here = [folder / part.path for folder in folders if fits(folder / part.path)]
        if here:
            found[key] = here[0]
        else:
            absent.append(part.path + "/" * isinstance(part, DataFolder))
    if absent:
        more = f" (and {len(absent) - 1} more beside it)" if absent[1:] else ""
        raise MissingError(
            f"data set '{name}' is not here: put {absent[0]} under {folders[0]}{more}, or set"
            f" RLBENCH_DATA to the folder that holds it (from {spec.upstream})"
        )
    return found


def _mark(name: str, part: DataFile | DataFolder, path: Path) -> str:
    """What tells a part from any other content at the same place; its sha256 for most files.

    Raises:
        DataError: it is not what was declared, or cannot be read.
    """
    try:
        if isinstance(part, DataFolder):
            return tree_digest(path) if part.hashed else ""
        if part.md5:
            with path.open("rb") as stream:
                _expect(name, path, "md5", hashlib.file_digest(stream, "md5").hexdigest(), part.md5)
        found = file_digest(path)
        if part.sha256:
            _expect(name, path, "sha256", found, part.sha256)
        return found
    except OSError as error:
        raise DataError(f"{error.filename or path}: cannot read: {error.strerror}") from error


def _expect(name: str, path: Path, kind: str, found: str, expected: str) -> None:
    if found != expected:
        raise DataError(
            f"{path}: {kind} is {found[:12]}…, expected {expected[:12]}… (data set '{name}')"
        )


def tree_digest(root: Path) -> str:
    """sha256 over a folder's files: relative paths, sizes and, up to `HASHED_BYTES`, contents.

    Files and folders whose names start with a dot are left out.

    Raises:
        OSError: a folder or file in it cannot be read.
    """
    files = tree_files(root)
    sizes = [path.stat().st_size for path in files]
    small = sum(sizes) <= HASHED_BYTES
    return digest(
        [
            [path.relative_to(root).as_posix(), size, file_digest(path) if small else ""]
            for path, size in zip(files, sizes, strict=True)
        ]
    )


def tree_files(root: Path) -> list[Path]:
    """The files under a folder, sorted by relative path, without hidden ones.

    Raises:
        OSError: a folder in it cannot be read.
    """

    def fail(error: OSError) -> None:
        raise error

    found = []
    for folder, inner, files in os.walk(root, onerror=fail):
        inner[:] = [name for name in inner if not name.startswith(".")]
        found += [Path(folder, name) for name in files if not name.startswith(".")]
    return sorted(found, key=lambda path: path.relative_to(root).parts)
