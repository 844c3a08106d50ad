"""The records of one cell over some seeds, read from a results folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rlbench.core.errors import CorruptError
from rlbench.core.record import Record, read_record
from rlbench.core.stats import Array
from rlbench.core.store import Failure, Store, Stored, read_failure
from rlbench.core.trial import Cell

REFERENCE_SEEDS = tuple(range(10))
"""Ten, because with fewer a test of five new runs seldom finds a drop of two deviations."""
GOLDEN_SEEDS = (0,)


@dataclass(frozen=True)
class Sample:
    """What a results folder holds of a cell's seeds; rows of the arrays are seeds in order."""

    seeds: tuple[int, ...]
    stored: Mapping[int, Stored]
    failures: Mapping[int, Failure]

    @property
    def records(self) -> list[Record]:
        """Those that are there, by seed."""
        return [self.stored[seed].record for seed in self.seeds if seed in self.stored]

    @property
    def missing(self) -> list[int]:
        """Seeds without a record."""
        return [seed for seed in self.seeds if seed not in self.stored]

    @property
    def nonfinite(self) -> list[int]:
        """Seeds whose primary metric is not finite."""
        return [r.seed for r in self.records if r.metrics.get(r.primary.name) is None]

    @property
    def values(self) -> Array:
        """The primary metric, `(seeds,)`, in its unit; turned round where lower is better."""
        return np.array([_oriented(record) for record in self.records])

    @property
    def normalised(self) -> Array:
        """The primary metric, `(seeds,)`, on the scale of the task's reference points."""
        low, high = self.records[0].primary.low, self.records[0].primary.high
        sign = 1.0 if self.records[0].primary.direction == "higher" else -1.0
        return (sign * self.values - low) / (high - low)

    @property
    def seconds(self) -> Array:
        """Wall seconds, `(seeds,)`; NaN where a record does not say."""
        walls = [record.volatile.get("wall_s") for record in self.records]
        return np.array([w if isinstance(w, int | float) else np.nan for w in walls], dtype=float)


def _oriented(record: Record) -> float:
    value = record.metrics.get(record.primary.name)
    if value is None:
        return float("nan")
    return value if record.primary.direction == "higher" else -value


def read_sample(store: Store, cell: Cell, seeds: Sequence[int]) -> Sample:
    """Read a cell's seeds.

    Raises:
        CorruptError: a file is no whole record, or belongs to another cell.
    """
    folder = store.folder(cell)
    stored: dict[int, Stored] = {}
    failures: dict[int, Failure] = {}
    for seed in seeds:
        path = folder / f"seed-{seed}.json"
        if path.exists():
            record = read_record(path)
            if record.cell != cell:
                raise CorruptError(f"{path}: the record inside belongs to another cell")
            stored[seed] = Stored(record, path)
        elif (failed := folder / f"seed-{seed}.failed.json").exists():
            failures[seed] = read_failure(failed)
    return Sample(tuple(seeds), stored, failures)
