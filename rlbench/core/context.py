"""What the harness hands to a running trial: device, chance, log, checkpoint, data, assets."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlbench.core.assets import Asset, AssetStore
from rlbench.core.checkpoint import AssetCheckpoint, Checkpoint, CheckpointFile
from rlbench.core.data import DataSet, DataStore
from rlbench.core.seeding import entropy, small_seed
from rlbench.core.trial import Trial

if TYPE_CHECKING:
    import numpy as np

    from rlbench.core.assets import Made

Row = dict[str, float]


@dataclass
class Curve:
    """The values that a trial logged over its steps."""

    rows: list[Row] = field(default_factory=list)

    def csv(self) -> bytes:
        """One line a row; `step` first, then the other columns by name, absent ones empty."""
        columns = ["step", *sorted({key for row in self.rows for key in row} - {"step"})]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        for row in self.rows:
            writer.writerow([_number(row[key]) if key in row else "" for key in columns])
        return text.getvalue().encode()


def _number(value: float) -> str:
    return (
        str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
    )


class Context:
    """One trial's view of the world; made by the worker, also usable in tests."""

    def __init__(
        self,
        trial: Trial,
        *,
        assets: AssetStore,
        data: DataStore,
        checkpoint: Path,
        device: str = "cpu",
        deadline: float | None = None,
        on_log: Callable[[Row], None] | None = None,
    ) -> None:
        """Args are the trial, where shared things live, and who hears of progress.

        `device` is a torch device string; `deadline` is on `time.monotonic`'s clock.
        """
        self.trial = trial
        self.device = device
        self.deadline = deadline
        self.curve = Curve()
        self._assets = assets
        self._data = data
        self._streams: dict[str, np.random.Generator] = {}
        self._checkpoint = CheckpointFile(checkpoint)
        self._on_log = on_log
        self._used_data: dict[str, DataSet] = {}

    # -- chance -------------------------------------------------------------------------------

    def rng(self, purpose: str) -> np.random.Generator:
        """The numpy generator for a purpose; the same object each time, saved in checkpoints."""
        import numpy as np

        if purpose not in self._streams:
            seed = entropy(*self._words(purpose))
            self._streams[purpose] = np.random.Generator(np.random.PCG64(seed))
        return self._streams[purpose]

    def seed(self, purpose: str) -> int:
        """A 63-bit seed for libraries that take an integer."""
        return small_seed(*self._words(purpose))

    def _words(self, purpose: str) -> tuple[str | int, ...]:
        task = self.trial.task
        return (task.suite, task.name, self.trial.seed, purpose)

    # -- progress -----------------------------------------------------------------------------

    def log(self, step: int, **values: float) -> None:
        """Add a point to the trial's curve and show it to whoever watches.

        Raises:
            ValueError: a value is NaN or infinite.
        """
        row: Row = {"step": int(step)}
        for name, value in values.items():
            number = float(value)
            if not math.isfinite(number):
                raise ValueError(f"step {step}: '{name}' is {number}; a curve holds finite numbers")
            row[name] = number
        self.curve.rows.append(row)
        if self._on_log is not None:
            self._on_log(row)

    def time_left(self) -> float | None:
        """Seconds until the harness ends this trial, or None when there is no limit."""
        return None if self.deadline is None else self.deadline - time.monotonic()

    # -- exact resume -------------------------------------------------------------------------

    def save_checkpoint(self, arrays: Mapping[str, np.ndarray[Any, Any]], state: Any) -> None:
        """Keep all that is needed to go on exactly here; replaces the earlier checkpoint at once.

        The streams of `rng` and the curve so far are kept by themselves.

        Args:
            arrays: numbers, such as weights and buffers.
            state: plain JSON, such as the step count.
        """
        streams = {name: stream.bit_generator.state for name, stream in self._streams.items()}
        self._checkpoint.save(Checkpoint(arrays, state, streams, self.curve.rows))

    def load_checkpoint(self) -> Checkpoint | None:
        """What the last `save_checkpoint` of this same trial and source kept, or None.

        The streams of `rng` and the curve are put back as they were.
        """
        found = self._checkpoint.load()
        if found is not None:
            self.curve.rows = [dict(row) for row in found.curve]
            for purpose, state in found.streams.items():
                self.rng(purpose).bit_generator.state = state
        return found

    # -- shared things ------------------------------------------------------------------------

    def data(self, name: str) -> DataSet:
        """A data set's files, resolved and checked against their checksums.

        Raises:
            MissingError: it is not here; the text says what to put where.
        """
        if name not in self._used_data:
            self._used_data[name] = self._data.get(name)
        return self._used_data[name]

    @property
    def used_data(self) -> Mapping[str, DataSet]:
        """The data sets asked for so far."""
        return self._used_data

    def asset(
        self,
        kind: str,
        params: Mapping[str, Any],
        make: Callable[[], Made],
        *,
        seed: int | None = None,
    ) -> Asset:
        """Shared work: made once by whoever comes first, then read by all.

        Args:
            kind: what it is, such as `classifier`.
            params: plain JSON; with kind, seed and source they are its whole identity, so `make`
                may depend on nothing else.
            make: returns the arrays, or their `npy.Rows` where they would fill the memory; draw
                its randomness from `seeding.generator(kind, …, seed)`.
            seed: part of the identity; None for what has no chance in it.
        """
        return self._assets.get(kind, params, make, seed=seed)

    def asset_checkpoint(
        self, kind: str, params: Mapping[str, Any], *, seed: int | None = None
    ) -> AssetCheckpoint:
        """How far the asset of these arguments is; to be used inside its `make` only.

        A long training saves here what it needs to go on. A later trial that needs the same asset
        goes on from there, if the one that made it was killed.

        Args:
            kind: see `asset`.
            params: see `asset`.
            seed: see `asset`.
        """
        return AssetCheckpoint(self._assets.checkpoint_path(kind, params, seed=seed))
