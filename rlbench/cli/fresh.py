"""Trials run anew: an empty results folder and an empty asset cache, whatever this machine knows.

A regression that an old asset hides would pass for ever; so nothing that was made before is read,
except data sets, which are checksummed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rlbench.core.assets import cache_folder
from rlbench.core.bundled import bundled
from rlbench.core.errors import SpecError, UsageError, closest
from rlbench.core.registry import Registry
from rlbench.core.store import Store
from rlbench.gate.cells import GateCell, read_gate
from rlbench.runner.plan import Item, Plan, Wish, make_plan
from rlbench.runner.sweep import run_plan

DEVICE = "cpu"
"""Where bit equality and like hardware can be had by everybody."""


def gate_cells() -> tuple[GateCell, ...]:
    """The cells of the gates in `$RLBENCH_PATH`; where there is none, those of rlbench's own.

    Raises:
        SpecError: a gate file is absent or malformed.
    """
    roots = [Path(item) for item in os.environ.get("RLBENCH_PATH", "").split(os.pathsep) if item]
    own = [root.expanduser() / "tasks" / "gate.toml" for root in roots]
    return read_gate([file for file in own if file.is_file()] or [bundled("tasks") / "gate.toml"])


@dataclass(frozen=True)
class FreshBench:
    """Runs gate cells in folders that were empty when the bench was made."""

    registry: Registry
    store: Store
    jobs: int | None
    quiet: bool

    def plan(self, cell: GateCell, seeds: Sequence[int]) -> tuple[Item, ...]:
        """The trials of a gate cell.

        Raises:
            SpecError: the cell names no task, no baseline, or a pair that does not fit.
        """
        if cell.task not in self.registry.tasks:
            hint = closest(cell.task, self.registry.tasks)
            raise SpecError(f"gate.toml: '{cell.label}': no task '{cell.task}'{hint}")
        wish = Wish(cell.task, cell.baseline, cell.tier, tuple(seeds), cell.params)
        try:
            items = make_plan(self.registry, wish, self.store).items
        except UsageError as error:
            raise SpecError(f"gate.toml: '{cell.label}': {error}") from error
        if len({item.trial.cell for item in items}) != 1:
            raise SpecError(f"gate.toml: '{cell.label}': expected one baseline, found several")
        return items

    def run(self, items: Sequence[Item]) -> None:
        """Run trials; records and failures go to the store.

        Raises:
            KeyboardInterrupt: the user stopped it.
        """
        unique = {item.trial.identity: item for item in items}
        summary = run_plan(
            Plan(tuple(unique.values()), 0),
            results=self.store.root,
            jobs=self.jobs,
            device=DEVICE,
            quiet=self.quiet,
        )
        if summary.interrupted:
            raise KeyboardInterrupt


@contextmanager
def fresh_bench(
    keep: Path | None = None, *, jobs: int | None = None, quiet: bool = True
) -> Iterator[FreshBench]:
    """A bench in a folder of its own, which is removed at the end unless `keep` names it.

    Raises:
        UsageError: `keep` is not an empty folder.
    """
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="rlbench-check-") as name, _environment(Path(name)):
            yield FreshBench(Registry.load(), Store(Path(name) / "results"), jobs, quiet)
        return
    if keep.exists() and not (keep.is_dir() and not any(keep.iterdir())):
        raise UsageError(f"--keep: expected a new or an empty folder, found {keep}")
    try:
        keep.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--keep: cannot make {keep}: {error.strerror or error}") from error
    with _environment(keep):
        yield FreshBench(Registry.load(), Store(keep / "results"), jobs, quiet)


@contextmanager
def _environment(folder: Path) -> Iterator[None]:
    """Give workers an empty cache under `folder`; data sets are still found where they were."""
    data = [os.environ.get("RLBENCH_DATA", ""), str(cache_folder() / "data")]
    own = {
        "RLBENCH_CACHE": str((folder / "cache").absolute()),
        "RLBENCH_DATA": os.pathsep.join(filter(None, data)),
    }
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
