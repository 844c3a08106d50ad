"""Readers of published image sets: gzipped IDX files and npz archives, checked before use."""

from __future__ import annotations

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

import numpy as np

from rlbench.core.arrays import unpack
from rlbench.core.data import DataSet
from rlbench.core.errors import CorruptError, MissingError
from rlbench.suites.ood.examples import Array, Examples
from rlbench.suites.ood.glyph import IMAGE

MAX_BYTES = 64 * 2**20
"""What one file may take in memory; the largest here is 10,000 images of 28x28, 7.5 MiB."""
IDX_UINT8 = 0x08
GZIP = b"\x1f\x8b"


def read_idx(path: Path, dimensions: int) -> Array:
    """An IDX file of bytes, gzipped or not (http://yann.lecun.com/exdb/mnist/), uint8.

    Args:
        path: the file.
        dimensions: how many axes it should have: 3 for images, 1 for labels.

    Raises:
        CorruptError: not such a file, too big, cut short, or with something behind its end.
    """
    try:
        with path.open("rb") as stream:
            zipped = stream.read(2) == GZIP
        with gzip.open(path) if zipped else path.open("rb") as stream:
            header = stream.read(4 + 4 * dimensions)
            magic = bytes([0, 0, IDX_UINT8, dimensions])
            if header[:4] != magic or len(header) < 4 + 4 * dimensions:
                raise CorruptError(
                    f"{path}: expected an IDX file starting {magic.hex()}, found {header.hex()}"
                )
            shape = struct.unpack(f">{dimensions}I", header[4:])
            size = prod(shape)
            if size > MAX_BYTES:
                raise CorruptError(f"{path}: claims shape {shape}, more than {MAX_BYTES} bytes")
            data = stream.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise CorruptError(f"{path}: cannot read as IDX: {error}") from error
    if len(data) != size:
        found = len(data) if len(data) < size else f"more than {size}"
        raise CorruptError(f"{path}: claims shape {shape}, {size} bytes, but holds {found}")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def read_npz(path: Path, name: str) -> Array:
    """One array of an npz archive.

    Raises:
        CorruptError: not an npz of plain arrays, too big, or without that array.
    """
    arrays = unpack(path, max_bytes=MAX_BYTES)
    if name not in arrays:
        raise CorruptError(f"{path}: expected an array '{name}', found {', '.join(arrays)}")
    return arrays[name]


def idx_pair(files: DataSet | None) -> Examples:
    """A set of two IDX files, `images` and `labels`."""
    paths = _present(files)
    return _checked(paths, read_idx(paths["images"], 3), read_idx(paths["labels"], 1))


def npz_pair(files: DataSet | None) -> Examples:
    """A set of two npz files, `images` and `labels`, each with the array `arr_0`."""
    paths = _present(files)
    return _checked(paths, read_npz(paths["images"], "arr_0"), read_npz(paths["labels"], "arr_0"))


def npz_whole(files: DataSet | None) -> Examples:
    """A set of one npz file, with the arrays `images` and `labels`."""
    paths = _present(files)
    images = paths["images"]
    return _checked(paths, read_npz(images, "images"), read_npz(images, "labels"))


def _present(files: DataSet | None) -> dict[str, Path]:
    if files is None:
        raise MissingError("a published image set is read from files, and none were given")
    return dict(files.files)


def _checked(paths: dict[str, Path], images: Array, labels: Array) -> Examples:
    """Examples of the form that all readers promise.

    Raises:
        CorruptError: other shapes or types.
    """
    path = paths["images"]
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (IMAGE, IMAGE):
        raise CorruptError(
            f"{path}: expected uint8 images (n, {IMAGE}, {IMAGE}),"
            f" found {images.dtype} {images.shape}"
        )
    if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]:
        raise CorruptError(
            f"{path}: {len(images)} images, but labels {labels.dtype} {labels.shape}"
        )
    return Examples(images, labels.astype(np.int64))
