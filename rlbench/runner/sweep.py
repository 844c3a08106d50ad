"""A sweep: plan, run what is not done yet, and say how it ended."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlbench.core.errors import ExitCode, UsageError
from rlbench.core.hardware import cores, gpus, pick_device
from rlbench.core.registry import Registry
from rlbench.core.spec import TIERS
from rlbench.core.store import Store, default_results
from rlbench.runner.batches import make_batches
from rlbench.runner.local import Engine, Settings
from rlbench.runner.plan import Item, Plan, Wish, make_plan
from rlbench.runner.progress import Progress, Silence

TRIALS_PER_GPU = 4
"""Small networks leave a GPU idle when one trial has it to itself."""


@dataclass(frozen=True)
class Summary:
    """What a sweep found and did, in numbers of trials."""

    done: int
    """Had a record before."""
    ran: int
    """Left a record now."""
    stale: int
    """Have a record that another source made, and were not asked to be replaced."""
    failed: tuple[tuple[str, str, str], ...]
    """Label, kind and error of each trial that failed."""
    blocked: tuple[tuple[str, str], ...]
    """Task and what is missing to run it."""
    left: int
    """Neither done nor failed: the sweep was interrupted."""
    skipped: int
    """Task-baseline pairs that do not fit."""
    interrupted: bool
    results: Path

    @property
    def exit_code(self) -> ExitCode:
        """What the process should end with."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        if self.failed:
            missing = all(kind == "missing" for _, kind, _ in self.failed)
            return ExitCode.MISSING if missing else ExitCode.NEGATIVE
        return ExitCode.MISSING if self.blocked else ExitCode.OK


def plan_sweep(wish: Wish, results: Path | None = None) -> Plan:
    """Look up what a wish names, without running anything.

    Raises:
        RlbenchError: a name, a tier, a seed or a spec is wrong.
    """
    if wish.tier not in TIERS:
        raise UsageError(f"tier: expected one of {', '.join(TIERS)}, found '{wish.tier}'")
    return make_plan(Registry.load(), wish, Store(results or default_results()))


def run_plan(
    plan: Plan,
    *,
    results: Path | None = None,
    jobs: int | None = None,
    device: str = "auto",
    threads: int = 1,
    time_limit: float | None = None,
    stale: bool = False,
    quiet: bool = False,
) -> Summary:
    """Run the pending trials of a plan; see `run` for the arguments."""
    if (jobs is not None and jobs < 1) or threads < 1:
        raise UsageError("jobs and threads: expected at least 1")
    if time_limit is not None and not time_limit > 0:  # NaN too
        raise UsageError("time limit: expected more than 0 seconds")
    results = results or default_results()
    device = pick_device(device)
    items = [item for item in plan.items if item.pending or (stale and item.state == "stale")]
    jobs = min(jobs or default_jobs(device), max(1, len(items)))
    watcher = Silence() if quiet else Progress(items, jobs, sys.stderr)
    engine = Engine(Settings(results, jobs, device, threads, time_limit), watcher)
    if items:
        engine.run(make_batches(items, jobs, Registry.load()))
    watcher.close()
    tally = engine.tally
    blocked = {item.trial.task.id: item.why for item in plan.items if item.state == "blocked"}
    return Summary(
        done=plan.count("done") + tally.existed,
        ran=tally.finished,
        stale=0 if stale else plan.count("stale"),
        failed=tuple((item.trial.label, kind, error) for item, kind, error in tally.failures),
        blocked=tuple(blocked.items()),
        left=len(items) - tally.finished - tally.existed - len(tally.failures),
        skipped=plan.skipped,
        interrupted=tally.interrupted,
        results=results,
    )


def default_jobs(device: str) -> int:
    """How many trials run side by side when nobody says."""
    return min(cores(), TRIALS_PER_GPU * len(gpus())) if device == "cuda" else cores()


def run(
    tasks: str,
    baselines: str,
    *,
    tier: str = "small",
    seeds: Sequence[int] | None = None,
    overrides: Mapping[str, Any] | None = None,
    results: str | Path | None = None,
    jobs: int | None = None,
    device: str = "auto",
    threads: int = 1,
    time_limit: float | None = None,
    stale: bool = False,
    quiet: bool = True,
) -> Summary:
    """Run tasks x baselines x seeds; trials that have a record are not run again.

    Args:
        tasks: ids or globs, separated by commas.
        baselines: names or globs, separated by commas, or `module:Class`, `path/file.py:Class`.
        tier: how much each trial is given.
        seeds: None means the tier's official list.
        overrides: hyperparameters to change; a changed budget makes the tier `custom`.
        results: the results folder; None means `results/local`.
        jobs: worker processes; None means one a core (or a few a GPU).
        device: `auto`, `cpu` or `cuda`.
        threads: numeric threads a trial may use.
        time_limit: seconds after which a trial is ended.
        stale: whether records made by another source are replaced.
        quiet: whether to show no progress.

    Raises:
        RlbenchError: a name, a tier, a seed or a spec is wrong. Failed trials do not raise: they
            are in the summary.
    """
    folder = Path(results) if results is not None else None
    wish = Wish(tasks, baselines, tier, None if seeds is None else tuple(seeds), overrides)
    return run_plan(
        plan_sweep(wish, folder),
        results=folder,
        jobs=jobs,
        device=device,
        threads=threads,
        time_limit=time_limit,
        stale=stale,
        quiet=quiet,
    )


def seconds_left(items: Sequence[Item], jobs: int) -> float:
    """An estimate of how long pending items take on a number of jobs."""
    pending = [item.expected_seconds for item in items if item.pending]
    return max(sum(pending) / jobs, max(pending, default=0.0))
