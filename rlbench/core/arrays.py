"""Arrays in npz files: written byte for byte the same, read without trust.

A reader checks names, types and sizes in the archive's directory and in every array's header
before it allocates anything, and never unpickles.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rlbench.core.errors import CorruptError

Arrays = dict[str, np.ndarray[Any, Any]]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")
_KINDS = "biufU"
# NotImplementedError is the zip reader's word for a compression method that it lacks.
_BROKEN = (zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError, NotImplementedError)
MAX_ARRAYS = 4096
MAX_BYTES = 4 * 1024**3


def pack(arrays: Mapping[str, np.ndarray[Any, Any]]) -> bytes:
    """A compressed npz with sorted names and no time stamps: equal arrays give equal bytes.

    Raises:
        ValueError: a name or a type that `unpack` would refuse.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            array = np.ascontiguousarray(arrays[name]).reshape(np.shape(arrays[name]))
            if not _NAME.fullmatch(name) or array.dtype.kind not in _KINDS:
                raise ValueError(f"array '{name}' of type {array.dtype}: not a plain named array")
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, member.getvalue(), compresslevel=6)
    return stream.getvalue()


def unpack(path: Path, *, max_bytes: int = MAX_BYTES) -> Arrays:
    """Read an npz that may come from anybody.

    Args:
        path: the file.
        max_bytes: what all arrays together may take in memory.

    Raises:
        CorruptError: not an npz of plain arrays within the limits.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MAX_ARRAYS or sum(m.file_size for m in members) > max_bytes:
                raise CorruptError(f"{path}: larger than {max_bytes} bytes or {MAX_ARRAYS} arrays")
            return dict(_read_member(archive, member) for member in members)
    except OSError as error:
        raise CorruptError(f"{path}: cannot read: {error.strerror or error}") from error
    except _BROKEN as error:
        raise CorruptError(f"{path}: not an npz of plain arrays: {error}") from error


def _read_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> tuple[str, np.ndarray[Any, Any]]:
    name = member.filename.removesuffix(".npy")
    if not _NAME.fullmatch(name) or not member.filename.endswith(".npy"):
        raise ValueError(f"member {member.filename!r} is no array")
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError(f"array '{name}' has format version {version}")
        header = np.lib.format.read_array_header_1_0(stream)
        shape, fortran, dtype = header
        if dtype.kind not in _KINDS or dtype.hasobject:
            raise ValueError(f"array '{name}' has type {dtype}")
        count = 1
        for size in shape:
            count *= size
        if count * dtype.itemsize != member.file_size - stream.tell() or min(shape, default=0) < 0:
            raise ValueError(f"array '{name}' claims shape {shape} but holds other data")
        data = stream.read()
    array = np.frombuffer(data, dtype=dtype)
    return name, array.reshape(shape[::-1]).T.copy() if fortran else array.reshape(shape).copy()
