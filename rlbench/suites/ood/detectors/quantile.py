"""The quantile of numbers that are too many to hold or to sort."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from torch import Tensor

Array = np.ndarray[Any, Any]

DIGIT = 16
"""Bits that a pass over the numbers settles: 2^16 counters, two passes for single precision."""


def quantile(values: Callable[[], Iterable[Tensor]], q: float) -> float:
    """The q-quantile, interpolated as by `numpy.quantile`; exact, by counting.

    Args:
        values: reads all numbers once through, in parts of any shape, of one type.
        q: between 0 and 1.
    """
    n = sum(part.numel() for part in values())
    place = q * (n - 1)
    low = _ranked(values, math.floor(place))
    high = _ranked(values, math.ceil(place)) if place % 1 else low
    return low + (high - low) * (place % 1)


def _ranked(values: Callable[[], Iterable[Tensor]], rank: int) -> float:
    """The number that `rank` others stand before in ascending order.

    Its key is found from the top, one digit a pass: those keys that agree in the digits so far are
    counted by their next one.
    """
    kind: np.dtype[Any] = next(iter(values())).detach().cpu().numpy().dtype
    width, found = kind.itemsize * 8, 0
    for settled in range(0, width, DIGIT):
        counts: Array = np.zeros(1 << DIGIT, dtype=np.int64)
        for part in values():
            keys = _keys(part.detach().cpu().numpy().ravel())
            if settled:
                keys = keys[keys >> keys.dtype.type(width - settled) == found]
            digits = keys >> keys.dtype.type(width - settled - DIGIT) & keys.dtype.type(0xFFFF)
            counts += np.bincount(digits.astype(np.int64), minlength=1 << DIGIT)
        upto = np.cumsum(counts)
        digit = int(np.searchsorted(upto, rank, side="right"))
        rank -= int(upto[digit] - counts[digit])
        found = found << DIGIT | digit
    return _number(found, kind)


def _keys(array: Array) -> Array:
    """Unsigned integers in the order of the floats: IEEE 754 bits, the negatives' inverted."""
    unsigned = np.dtype(f"u{array.dtype.itemsize}")
    bits = array.view(unsigned)
    sign = unsigned.type(1 << (unsigned.itemsize * 8 - 1))
    return np.where(bits & sign, ~bits, bits | sign)


def _number(key: int, kind: np.dtype[Any]) -> float:
    """The float that has this key."""
    width = kind.itemsize * 8
    sign = 1 << (width - 1)
    bits = key ^ sign if key & sign else key ^ ((1 << width) - 1)
    return float(np.array(bits, dtype=f"u{kind.itemsize}").view(kind))
