"""Checkpoints of trials and assets: an npz file each, replaced in one step, read without trust."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rlbench.core.arrays import pack, unpack
from rlbench.core.errors import CorruptError
from rlbench.core.files import canonical, write_atomic

SAVE_EVERY = 30.0
"""Seconds between checkpoints, at least."""
SAVE_COST = 20.0
"""And this many times as long as one takes to write."""
_STATE = "_state"


@dataclass(frozen=True)
class Checkpoint:
    """Where a trial, or the making of an asset, was."""

    arrays: Mapping[str, np.ndarray[Any, Any]]
    state: Any
    """Plain JSON, as the suite gave it."""
    streams: Mapping[str, Any]
    """The states of a trial's named numpy generators."""
    curve: list[dict[str, float]]


class CheckpointFile:
    """The file in which a checkpoint lies; its name holds the identity and the source."""

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


class AssetCheckpoint:
    """How far the making of an asset is, so that whoever makes it next goes on from there.

    It belongs to the asset and not to a trial: any trial that needs the asset, in any process,
    finds what a killed maker left. It is for the asset's maker alone. Only one maker runs at a
    time, under the asset's lock, so nobody else reads or writes the file meanwhile. The store
    removes it once the asset is finished.
    """

    def __init__(self, path: Path) -> None:
        """`path` lies beside the asset's folder and need not exist."""
        self._file = CheckpointFile(path)

    def load(self) -> Checkpoint | None:
        """What was last saved on the way to this very asset, or None; a broken one counts as none.

        It has no streams and no curve: an asset has neither.
        """
        return self._file.load()

    def save(self, arrays: Mapping[str, np.ndarray[Any, Any]], state: Any) -> None:
        """Keep all that is needed to go on exactly here; replaces the earlier one at once.

        Args:
            arrays: numbers, such as weights and momentum.
            state: plain JSON, such as the step count and the state of a generator.

        Raises:
            StorageError: the cache folder cannot take it.
        """
        self._file.save(Checkpoint(arrays, state, {}, []))


class Pace:
    """When to write a checkpoint: seldom enough that it costs a twentieth of the time at most."""

    def __init__(self) -> None:
        """The first one is due after `SAVE_EVERY`."""
        self._due = time.monotonic() + SAVE_EVERY

    def save(self, write: Callable[[], None]) -> None:
        """Call `write` if it is time to."""
        began = time.monotonic()
        if began < self._due:
            return
        write()
        now = time.monotonic()
        self._due = now + max(SAVE_EVERY, SAVE_COST * (now - began))
