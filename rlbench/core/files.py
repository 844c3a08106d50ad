"""One writer and one reader for files: atomic, create-only where it matters, strict JSON.

A destination is never touched before there is something complete to put there. Accepted costs:
twice the disk space while writing, and one fsync a file.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlbench.core.errors import CorruptError, StorageError

MAX_JSON_BYTES = 16 * 1024 * 1024
MAX_JSON_DEPTH = 32
SHA256 = re.compile(r"[0-9a-f]{64}")
"""As `digest` writes it."""


def canonical(value: Any) -> bytes:
    """The canonical JSON bytes of a value: sorted keys, no spaces, floats by repr, no NaN.

    Raises:
        ValueError: the value holds NaN, infinity or text that is not Unicode.
        TypeError: the value holds something that JSON has no word for.
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def digest(value: Any) -> str:
    """sha256 (hex) of a value's canonical JSON."""
    return hashlib.sha256(canonical(value)).hexdigest()


def file_digest(path: Path) -> str:
    """sha256 (hex) of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def pretty(value: Any) -> bytes:
    """Strict JSON for people and diffs: sorted keys, one item a line, a final newline."""
    return (
        json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    ).encode()


def write_atomic(path: Path, data: bytes, *, create_only: bool = False) -> None:
    """Publish `data` at `path` in one step.

    Args:
        path: the destination; its folder is made when absent.
        data: the whole content.
        create_only: refuse to replace an existing file.

    Raises:
        FileExistsError: `create_only` and the destination exists.
        StorageError: the folder cannot take the file.
    """
    publish({path: data}, create_only=path if create_only else None)


def publish(
    files: Mapping[Path, bytes],
    *,
    create_only: Path | None = None,
    withdraw: Path | None = None,
) -> None:
    """Put several files of one folder in place, in order, once all of them are safely on disk.

    Args:
        files: destination and whole content of each.
        create_only: the destination that must not exist yet.
        withdraw: a file that vouches for the others, taken away before the first is replaced.

    Raises:
        FileExistsError: it exists.
        StorageError: the folder cannot take the files; then none was touched.
    """
    staged: dict[Path, Path] = {}
    try:
        if create_only is not None and create_only != withdraw and create_only.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(create_only))
        for path, data in files.items():
            staged[path] = _stage(path, data)
        if withdraw is not None:
            withdraw.unlink(missing_ok=True)
        for path, temporary in staged.items():
            if path == create_only:
                os.link(temporary, path)
            else:
                temporary.replace(path)
        sync_folder(next(iter(files)).parent)
    except OSError as error:
        if isinstance(error, FileExistsError) and create_only and create_only.exists():
            raise
        where = error.filename or next(iter(files))
        raise StorageError(f"{where}: cannot write: {error.strerror or error}") from error
    finally:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)


def _stage(path: Path, data: bytes) -> Path:
    """A synced temporary file with `data`, beside `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_json(path: Path, *, max_bytes: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """Read a JSON object from a file that may come from anybody.

    Raises:
        CorruptError: too big, too deep, not UTF-8, not strict JSON, duplicate keys, no object.
    """
    try:
        if path.stat().st_size > max_bytes:
            raise CorruptError(f"{path}: larger than {max_bytes} bytes")
        text = path.read_bytes().decode("utf-8")
        value = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
        too_deep = _depth(value) > MAX_JSON_DEPTH
        canonical(value)  # what we could not write again: 1e999, half a surrogate pair
    except OSError as error:
        raise CorruptError(f"{path}: cannot read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise CorruptError(f"{path}: not strict JSON: {error}") from error
    if too_deep:
        raise CorruptError(f"{path}: nested deeper than {MAX_JSON_DEPTH} levels")
    if not isinstance(value, dict):
        raise CorruptError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"key {key!r:.60} appears twice")
        found[key] = value
    return found
