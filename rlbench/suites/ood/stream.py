"""Rows of an array on disk, read without holding the rest in memory."""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray[Any, Any]


def rows_of(array: Array, device: str = "cpu") -> Callable[[int, int], Tensor]:
    """A reader of rows `start` to `stop`; half precision comes as single, for sums to be right."""

    def read(start: int, stop: int) -> Tensor:
        found = read_rows(array, start, min(stop, len(array)))
        if found.dtype == np.float16:
            found = found.astype(np.float32)
        return torch.from_numpy(found).to(device)

    return read


def read_rows(array: Array, start: int, stop: int) -> Array:
    """A copy of rows `start` to `stop`; both lie within the array.

    A memory-mapped file is read anew: pages of its mapping would stay in memory, and a bank of
    several gigabytes would fill it.
    """
    # A view of a map has the offset of the whole; its base tells it from the whole.
    if isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap) and array.filename:
        row = math.prod(array.shape[1:])
        offset = array.offset + start * row * array.itemsize
        found: Array = np.fromfile(array.filename, array.dtype, (stop - start) * row, offset=offset)
        return found.reshape(stop - start, *array.shape[1:])
    return np.array(array[start:stop])
