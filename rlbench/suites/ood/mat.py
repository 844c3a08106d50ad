"""A reader of numeric arrays in MATLAB 5 files, the format of SVHN.

Format: "MAT-File Format", MathWorks, level 5. Sizes are checked against what is there before
anything is allocated; cells, structures, objects and sparse matrices are refused.
"""

from __future__ import annotations

import math
import zlib
from pathlib import Path

import numpy as np

from rlbench.core.errors import CorruptError
from rlbench.suites.ood.examples import Array

MAX_BYTES = 2 * 2**30
"""What one matrix may take in memory; SVHN's largest, `extra`, takes 1.6 GB."""
MAX_NAME = 63
HEADER = 128
COMPRESSED, MATRIX = 15, 14
STORED = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
"""The element types that hold numbers, by their code (table 1-1)."""
NUMERIC = range(6, 16)
"""The classes of full numeric matrices (table 1-3)."""


def read_mat(path: Path) -> dict[str, Array]:
    """The numeric arrays of a MAT 5 file by name, in the type in which they are stored.

    Raises:
        CorruptError: not such a file, cut short, too big, or with anything but numeric matrices.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CorruptError(f"{path}: larger than {MAX_BYTES} bytes")
        raw = memoryview(path.read_bytes())
        if bytes(raw[:6]) != b"MATLAB" or bytes(raw[124:128]) != b"\x00\x01IM":
            raise CorruptError(f"{path}: expected a little-endian MATLAB 5 file")
        found = {}
        at = HEADER
        while at < len(raw):
            kind, body, at = _element(raw, at, padded=False)
            if kind == COMPRESSED:
                kind, body, _ = _element(memoryview(_inflated(body)), 0, padded=False)
            name, array = _matrix(kind, body)
            found[name] = array
    except OSError as error:
        raise CorruptError(f"{path}: cannot read: {error.strerror}") from error
    except (ValueError, zlib.error) as error:
        raise CorruptError(f"{path}: not a MATLAB 5 file of numbers: {error}") from error
    return found


def _element(raw: memoryview, at: int, *, padded: bool = True) -> tuple[int, memoryview, int]:
    """Type, content and end of the data element at a position."""
    tag = raw[at : at + 8]
    if len(tag) < 8:
        raise ValueError("cut short")
    kind, size = (int.from_bytes(tag[i : i + 4], "little") for i in (0, 4))
    if kind >> 16:  # the small format: size and up to four bytes of content within the tag
        kind, size = kind & 0xFFFF, kind >> 16
        if size > 4:
            raise ValueError("a small element claims more than four bytes")
        return kind, tag[4 : 4 + size], at + 8
    body = raw[at + 8 : at + 8 + size]
    if len(body) < size:
        raise ValueError(f"an element claims {size} bytes but {len(body)} are left")
    end = at + 8 + size
    return kind, body, end + -end % 8 if padded else end


def _inflated(body: memoryview) -> bytes:
    """A zlib stream, stopped where its own tag says that it ends."""
    stream = zlib.decompressobj()
    head = stream.decompress(body, 8)
    size = int.from_bytes(head[4:8], "little")
    if size > MAX_BYTES:
        raise ValueError(f"a matrix claims {size} bytes, expected at most {MAX_BYTES}")
    rest = stream.decompress(stream.unconsumed_tail, size) if size else b""
    if len(rest) < size:
        raise ValueError(f"a matrix claims {size} bytes but holds {len(rest)}")
    return head + rest


def _matrix(kind: int, body: memoryview) -> tuple[str, Array]:
    """Name and values of a matrix element: flags, dimensions, name, real part."""
    if kind != MATRIX:
        raise ValueError(f"expected a matrix, found an element of type {kind}")
    _, flags, at = _element(body, 0)
    if len(flags) != 8 or flags[0] not in NUMERIC or flags[1] & 0x08:
        raise ValueError("expected a real numeric matrix")
    _, sides, at = _element(body, at)
    _, name, at = _element(body, at)
    stored, data, at = _element(body, at)
    shape = tuple(int(side) for side in np.frombuffer(sides, "<i4"))
    if len(shape) > 8 or len(name) > MAX_NAME or stored not in STORED:
        raise ValueError("a matrix has an unusual header")
    dtype = np.dtype(STORED[stored]).newbyteorder("<")
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"a matrix claims shape {shape} but holds {len(data)} bytes")
    return bytes(name).decode("ascii"), np.frombuffer(data, dtype).reshape(shape, order="F")
