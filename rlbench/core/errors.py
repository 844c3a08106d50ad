"""Errors that a person can act on: each knows its exit code and prints as one line.

Exit codes (also those of the command line): 0 fine; 1 ran, but negative; 2 usage; 3 an extra or
data is missing; 4 internal; 130 interrupted.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process's exit status says."""

    OK = 0
    NEGATIVE = 1
    USAGE = 2
    MISSING = 3
    INTERNAL = 4
    INTERRUPTED = 130


class RlbenchError(Exception):
    """Base of every error that rlbench raises on purpose; its text is one clear line."""

    exit_code = ExitCode.NEGATIVE


class UsageError(RlbenchError):
    """The request makes no sense: unknown name, bad value, a pair that does not fit."""

    exit_code = ExitCode.USAGE


class SpecError(UsageError):
    """A spec or another input file is malformed; names the file, the key and what was expected."""


class MissingError(RlbenchError):
    """An extra or a data set is absent; the text holds the command or path that fixes it."""

    exit_code = ExitCode.MISSING


class CorruptError(RlbenchError):
    """A file is not what its checksum or its format says."""


class StorageError(RlbenchError):
    """The results or cache folder cannot take what was to be written (full, read-only)."""


def closest(name: str, candidates: Iterable[str]) -> str:
    """A "did you mean" tail for an error message, or the empty string."""
    near = difflib.get_close_matches(name, list(candidates), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""
