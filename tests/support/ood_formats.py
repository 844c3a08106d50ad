"""Writers of image sets in their true formats, for sets too small to be worth having."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np


def text(value: bytes) -> bytes:
    return b"U" + bytes([len(value)]) + value if len(value) < 256 else long_text(value)


def long_text(value: bytes) -> bytes:
    return b"T" + struct.pack("<i", len(value)) + value


def number(value: int) -> bytes:
    if value < 256:
        return b"K" + bytes([value])
    return b"M" + struct.pack("<H", value) if value < 65_536 else b"J" + struct.pack("<i", value)


def array(x: np.ndarray[Any, Any]) -> bytes:
    """An array as numpy pickles it at protocol 2, with Python 2's opcodes for text."""
    dtype = (
        b"cnumpy\ndtype\nq\x05" + text(b"u1") + b"K\x00K\x01\x87Rq\x06(K\x03"
        + text(b"|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    )  # fmt: skip
    shape = b"".join(map(number, x.shape)) + b"\x86"
    state = b"(K\x01" + shape + dtype + b"\x89" + long_text(x.tobytes()) + b"tb"
    return (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85"
        + text(b"b") + b"\x87R" + state
    )  # fmt: skip


def cifar_batch(x: np.ndarray[Any, Any], y: list[int], key: bytes = b"labels") -> bytes:
    """A CIFAR batch, byte for byte in the form in which Python 2 wrote it."""
    labels = b"]q\x02(" + b"".join(map(number, y)) + b"e"
    items = text(b"data") + array(x) + text(key) + labels + text(b"batch_label") + text(b"one")
    return b"\x80\x02}q\x01(" + items + b"u."
