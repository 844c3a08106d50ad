"""`rlbench check --accept`: the one way in which reference cells are replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from rlbench.cli.fresh import FreshBench
from rlbench.core.record import Record
from rlbench.core.store import Store
from rlbench.core.trial import Trial
from rlbench.gate.cells import GateCell
from rlbench.gate.sample import REFERENCE_SEEDS, Sample, read_sample
from rlbench.runner.plan import Item

Change = Literal["new", "unchanged", "replaced", "failed"]


@dataclass(frozen=True)
class Accepted:
    """What became of one reference cell."""

    cell: str
    change: Change
    detail: str


def accept(bench: FreshBench, wanted: Sequence[GateCell], against: Path) -> list[Accepted]:
    """Run the reference seeds of gate cells anew and publish them in `against`.

    A cell is replaced whole or not at all: one failed trial leaves the old one standing.

    Raises:
        CorruptError: an old reference record is no whole record.
        StorageError: the folder cannot take them.
    """
    plans = {_place(items): items for items in (bench.plan(c, REFERENCE_SEEDS) for c in wanted)}
    target = Store(against)
    old = {place: _old(target, items[0].trial) for place, items in plans.items()}
    bench.run([item for items in plans.values() for item in items])
    return [_publish(bench.store, target, items, old[place]) for place, items in plans.items()]


def _place(items: Sequence[Item]) -> str:
    trial = items[0].trial
    return f"{trial.task.id} {trial.cell.row} {trial.tier}"


def _old(target: Store, trial: Trial) -> Sample:
    return read_sample(target, trial.cell, REFERENCE_SEEDS)


def _publish(fresh: Store, target: Store, items: Sequence[Item], old: Sample) -> Accepted:
    name, cell = _place(items), items[0].trial.cell
    new = read_sample(fresh, cell, REFERENCE_SEEDS)
    if new.missing:
        why = [f"seed {seed}: {failure.error}" for seed, failure in new.failures.items()]
        told = next(iter(why), items[0].why or "not run")
        return Accepted(name, "failed", f"{told}; the reference stays as it was")
    if not old.missing and all(map(_same, old.records, new.records)):
        return Accepted(name, "unchanged", _mean(new))
    for item in items:
        stored = new.stored[item.trial.seed]
        beside = stored.path.parent
        curve = stored.record.curve
        target.publish(
            item.trial,
            stored.record,
            (beside / stored.record.evidence.file).read_bytes(),
            None if curve is None else (beside / curve.file).read_bytes(),
            replace=True,
        )
    if not old.records:
        return Accepted(name, "new", _mean(new))
    return Accepted(name, "replaced", f"{_mean(old)} -> {_mean(new)}; {_what_changed(old, new)}")


def _same(old: Record, new: Record) -> bool:
    """Equal but for what differs between two runs of one source: times and the commit's name."""
    kept = [
        {key: value for key, value in asdict(record).items() if key not in ("volatile", "code")}
        for record in (old, new)
    ]
    return kept[0] == kept[1]


def _mean(sample: Sample) -> str:
    values = np.abs(sample.values) if _turned(sample) else sample.values
    return f"{sample.records[0].primary.name} {values.mean():.4g} ({len(sample.records)} seeds)"


def _turned(sample: Sample) -> bool:
    return sample.records[0].primary.direction == "lower"


def _what_changed(old: Sample, new: Sample) -> str:
    before, after = asdict(old.records[0]), asdict(new.records[0])
    changed = [key for key, value in after.items() if before[key] != value]
    return "other " + ", ".join(
        key for key in changed if key not in ("volatile", "code", "command")
    )
