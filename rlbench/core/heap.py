"""Freed memory is kept for the next tensors instead of going back to the operating system."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""Names of glibc's `mallopt`, from its malloc.h."""


def keep_freed_memory() -> bool:
    """Tell glibc's malloc to reuse large blocks; the process then holds what it needed at most.

    By default a block above some megabytes is mapped when it is asked for and unmapped when it is
    freed, so that every large tensor is paid for in page faults, again and again. Blocks
    above 1 GiB are still given back.

    Returns:
        Whether it took effect; False where the C library is another, which is left as it is.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    values = {_MMAP_THRESHOLD: 2**30, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 2**26}
    return all(library.mallopt(name, value) == 1 for name, value in values.items())
