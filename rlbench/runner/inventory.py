"""What a results folder holds, cell by cell, beside what the registry expects."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from rlbench.core.errors import CorruptError, RlbenchError
from rlbench.core.record import Record, read_record
from rlbench.core.registry import Registry
from rlbench.core.source import suite_source
from rlbench.core.store import Failure, Store, read_failure
from rlbench.core.trial import Cell

_FOLDER = re.compile(r"(?P<task>[^@]+)@(?P<version>\d+)")
_SEED = re.compile(r"seed-(\d+)\.(json|failed\.json)")


@dataclass
class CellStatus:
    """The state of a cell's seeds."""

    cell: Cell
    official: list[int] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    stale: list[int] = field(default_factory=list)
    """Also in `done`: a record is there, but another source or spec made it."""
    broken: list[int] = field(default_factory=list)
    failed: dict[int, Failure] = field(default_factory=dict)

    @property
    def remarks(self) -> str:
        """What is not as it should be."""
        missing = [s for s in self.official if s not in self.done and s not in self.failed]
        lists = {
            "missing": missing,
            "failed": list(self.failed),
            "stale": self.stale,
            "broken": self.broken,
        }
        return "; ".join(f"{word} {', '.join(map(str, s))}" for word, s in lists.items() if s)


def take_inventory(registry: Registry, store: Store) -> list[CellStatus]:
    """Every cell that has a file in the store, in a fixed order."""
    sources: dict[str, str | None] = {}
    found: dict[Path, CellStatus] = {}
    for path in sorted(store.root.glob("*/*@*/*/*/seed-*.json")):
        seed_name, cell = _SEED.fullmatch(path.name), _cell_of(store.root, path)
        if seed_name is None or cell is None:
            continue
        seed = int(seed_name[1])
        status = found.setdefault(path.parent, CellStatus(cell, _official(registry, cell)))
        try:
            if seed_name[2] == "failed.json":
                status.failed[seed] = read_failure(path)
                continue
            record = read_record(path)
        except CorruptError:
            status.broken.append(seed)
            continue
        if record.cell != cell:  # it was moved here
            status.broken.append(seed)
            continue
        status.done.append(seed)
        if cell.suite not in sources:
            sources[cell.suite] = _source(registry, cell.suite)
        if _stale(registry, record, sources[cell.suite]):
            status.stale.append(seed)
    for status in found.values():
        for seeds in (status.done, status.stale, status.broken):
            seeds.sort()
    return list(found.values())


def _cell_of(root: Path, path: Path) -> Cell | None:
    suite, folder, row, tier = path.relative_to(root).parts[:4]
    named = _FOLDER.fullmatch(folder)
    if named is None:
        return None
    baseline, _, variant = row.partition("+")
    return Cell(suite, named["task"], int(named["version"]), baseline, variant, tier)


def _official(registry: Registry, cell: Cell) -> list[int]:
    task = registry.tasks.get(f"{cell.suite}/{cell.task}")
    return list(task.official_seeds(cell.tier)) if task else []


def _source(registry: Registry, suite: str) -> str | None:
    """The suite's source digest, or None when it is not installed here: then nothing is stale."""
    try:
        registry.suite(suite)
        return suite_source(registry.suite_module(suite))
    except RlbenchError:
        return None


def _stale(registry: Registry, record: Record, source: str | None) -> bool:
    task = registry.tasks.get(record.task.id)
    if source is None or task is None:
        return False
    return record.source != source or record.task.spec_sha256 != task.sha256
