"""Arrays as `.npy` files of one folder: written whole, or a few rows at a time as they are made."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rlbench.core.errors import StorageError

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray[Any, Any]]

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
"""What an array may be called."""


@dataclass(frozen=True)
class Rows:
    """Arrays of `n` rows each that need never be in memory whole."""

    n: int
    parts: Iterable[Arrays]
    """One part at least. Each holds the next rows of every array, under the same names and with
    the same type and shape of a row."""


@contextmanager
def storing(folder: Path) -> Iterator[None]:
    """Say of any failure to write that it was `folder` that could not be written.

    Raises:
        StorageError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(f"{folder}: cannot write: {error.strerror or error}") from error


def write_arrays(made: Arrays | Rows, folder: Path) -> list[str]:
    """Write one synced file an array; its bytes do not depend on how the rows came.

    Returns:
        The arrays' names.

    Raises:
        StorageError: the folder cannot take them.
        ValueError: a name that is no plain word, an array of objects, or parts that do not fit
            together.
    """
    return _write_rows(made, folder) if isinstance(made, Rows) else _write_whole(made, folder)


def _write_whole(arrays: Arrays, folder: Path) -> list[str]:
    import numpy as np

    for name, array in arrays.items():
        with storing(folder), _path(folder, name).open("wb") as stream:
            np.save(stream, np.asarray(array, order="C"), allow_pickle=False)
            _sync(stream)
    return list(arrays)


def _write_rows(rows: Rows, folder: Path) -> list[str]:
    """What makes the parts runs outside `storing`: its errors are its own."""
    files: dict[str, _RowFile] = {}
    with ExitStack() as stack:
        for part in rows.parts:
            with storing(folder):
                if not files:
                    for name, array in part.items():
                        stream = _path(folder, name).open("wb")
                        stack.callback(_close, stream)
                        files[name] = _RowFile(name, stream, array, rows.n)
                if set(part) != set(files):
                    raise ValueError(f"rows: expected {sorted(files)}, found {sorted(part)}")
                for name, array in part.items():
                    files[name].append(array)
        with storing(folder):
            for file in files.values():
                file.finish()
    if not files:
        raise ValueError("rows: expected one part at least, found none")
    return list(files)


class _RowFile:
    """One array's file, whose header promises `n` rows like those of `first`."""

    def __init__(self, name: str, stream: IO[bytes], first: np.ndarray[Any, Any], n: int) -> None:
        import numpy as np

        if first.dtype.hasobject:
            raise ValueError(f"array '{name}': Object arrays cannot be stored")
        self.name, self.stream, self.left = name, stream, n
        self.dtype, self.row = first.dtype, first.shape[1:]
        descr = np.lib.format.dtype_to_descr(first.dtype)
        header = {"descr": descr, "fortran_order": False, "shape": (n, *self.row)}
        np.lib.format.write_array_header_1_0(stream, header)

    def append(self, array: np.ndarray[Any, Any]) -> None:
        import numpy as np

        if array.dtype != self.dtype or array.shape[1:] != self.row or len(array) > self.left:
            raise ValueError(
                f"array '{self.name}': expected at most {self.left} more rows"
                f" {self.dtype} {self.row}, found {len(array)} {array.dtype} {array.shape[1:]}"
            )
        self.left -= len(array)
        self.stream.write(np.ascontiguousarray(array).tobytes())

    def finish(self) -> None:
        if self.left:
            raise ValueError(f"array '{self.name}': {self.left} rows are missing")
        _sync(self.stream)


def _path(folder: Path, name: str) -> Path:
    if not NAME.fullmatch(name):
        raise ValueError(f"asset array name {name!r}: expected a plain word")
    return folder / f"{name}.npy"


def _close(stream: IO[bytes]) -> None:
    """After a failed write a close fails again; after a sync it has nothing left to lose."""
    with suppress(OSError):
        stream.close()


def _sync(stream: IO[bytes]) -> None:
    stream.flush()
    os.fsync(stream.fileno())
