"""A reader of safetensors files: plain tensors behind a JSON table, nothing that can run.

Format: https://github.com/huggingface/safetensors, section "Format".
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from rlbench.core.errors import CorruptError

Array = np.ndarray[Any, Any]
TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "|u1"}
MAX_HEADER = 2**20
MAX_BYTES = 2**30


def read_safetensors(path: Path) -> dict[str, Array]:
    """Every tensor by name.

    Raises:
        CorruptError: it is no such file, is cut short, or claims more than a gigabyte.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CorruptError(f"{path}: larger than {MAX_BYTES} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise CorruptError(f"{path}: cannot read: {error.strerror or error}") from error
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or not 2 <= size <= min(MAX_HEADER, len(data) - 8):
        raise CorruptError(f"{path}: not a safetensors file")
    try:
        header = json.loads(data[8 : 8 + size])
        header.pop("__metadata__", None)
        return {name: _tensor(data, 8 + size, about) for name, about in header.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CorruptError(f"{path}: not a whole safetensors file: {error}") from error


def _tensor(data: bytes, base: int, about: dict[str, Any]) -> Array:
    dtype, shape = np.dtype(TYPES[about["dtype"]]), tuple(about["shape"])
    start, stop = about["data_offsets"]
    if not all(type(number) is int and number >= 0 for number in (*shape, start, stop)):
        raise ValueError(f"sizes {shape}, {start}, {stop}")
    if base + stop > len(data) or stop - start != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"a tensor of shape {shape} in bytes {start} to {stop}")
    return np.frombuffer(data[base + start : base + stop], dtype).reshape(shape)
