"""A trial's checkpoint: one npz file, replaced in one step, read without trust in its making."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rlbench.core.arrays import pack, unpack
from rlbench.core.errors import CorruptError
from rlbench.core.files import canonical, write_atomic

_STATE = "_state"


@dataclass(frozen=True)
class Checkpoint:
    """Where a trial was."""

    arrays: Mapping[str, np.ndarray[Any, Any]]
    state: Any
    """Plain JSON, as the suite gave it."""
    streams: Mapping[str, Any]
    """The states of the named numpy generators."""
    curve: list[dict[str, float]]


class CheckpointFile:
    """The file in which a trial's checkpoint lies; its name holds the identity and the source."""

    def __init__(self, path: Path) -> None:
        """`path` need not exist."""
        self.path = path

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the file in one step."""
        rest = {
            "state": checkpoint.state,
            "streams": checkpoint.streams,
            "curve": checkpoint.curve,
        }
        packed = np.frombuffer(canonical(rest), dtype=np.uint8)
        write_atomic(self.path, pack({**checkpoint.arrays, _STATE: packed}))

    def load(self) -> Checkpoint | None:
        """The checkpoint, or None when there is none; a broken one counts as none."""
        if not self.path.exists():
            return None
        try:
            arrays = unpack(self.path)
            rest = json.loads(arrays.pop(_STATE).tobytes())
            return Checkpoint(arrays, rest["state"], rest["streams"], rest["curve"])
        except (CorruptError, KeyError, TypeError, ValueError):
            self.path.unlink(missing_ok=True)
            return None
