"""Arrays in npz files: written byte for byte the same, read without trust.

A reader checks names, types and sizes in the archive's directory and in every array's header
before it allocates anything, and never unpickles.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from rlbench.core.errors import CorruptError

Arrays = dict[str, np.ndarray[Any, Any]]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")
_TYPE = r"\|b1|\|[iu]1|[<>](?:[iu][248]|f[248]|U\d{1,6})"
_HEADER = re.compile(
    rf"\{{'descr': '({_TYPE})', 'fortran_order': (True|False),"
    r" 'shape': \(((?:\d{1,18}(?:, \d{1,18})*,?)?)\), \} *\n"
)
_MAGIC = b"\x93NUMPY\x01\x00"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# RuntimeError is the zip reader's word for encryption and for methods that it lacks.
_BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, ValueError, KeyError, EOFError, RuntimeError,
    OverflowError,
)  # fmt: skip
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
            if not _NAME.fullmatch(name) or not re.fullmatch(_TYPE, array.dtype.str):
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
            if len({member.filename for member in members}) < len(members):
                raise CorruptError(f"{path}: a name appears twice")
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
    if member.compress_type not in _METHODS:
        raise ValueError(f"array '{name}' is compressed by an unusual method")
    with archive.open(member) as stream:
        shape, fortran, dtype = _read_header(stream, name)
        if math.prod(shape) * dtype.itemsize != member.file_size - stream.tell():
            raise ValueError(f"array '{name}' claims shape {shape} but holds other data")
        data = stream.read()
    array = np.frombuffer(data, dtype=dtype)
    return name, array.reshape(shape[::-1]).T.copy() if fortran else array.reshape(shape).copy()


def _read_header(stream: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran's order, and type: matched as text, never evaluated."""
    if stream.read(len(_MAGIC)) != _MAGIC:
        raise ValueError(f"array '{name}' is not in npy format 1.0")
    size = int.from_bytes(stream.read(2), "little")
    found = _HEADER.fullmatch(stream.read(size).decode("latin-1"))
    if found is None:
        raise ValueError(f"array '{name}' has a type or a header that is not plain")
    shape = tuple(int(number) for number in found[3].split(",") if number)
    return shape, found[2] == "True", np.dtype(found[1])
