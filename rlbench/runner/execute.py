"""One trial, here and now: run it, turn its evidence into metrics, write its record."""

from __future__ import annotations

import hashlib
import os
import resource
import shlex
import subprocess
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import rlbench
from rlbench.core.algorithm import split_algorithm
from rlbench.core.arrays import pack
from rlbench.core.assets import AssetStore
from rlbench.core.bundled import checkout
from rlbench.core.context import Context, Row
from rlbench.core.data import DataStore
from rlbench.core.errors import UsageError
from rlbench.core.hardware import gpus, machine, settle, versions
from rlbench.core.record import (
    SCHEMA,
    BaselineRef,
    Code,
    DataRef,
    Environment,
    Primary,
    Record,
    Sibling,
    TaskRef,
    split_nonfinite,
)
from rlbench.core.spec import TIERS
from rlbench.core.store import Store
from rlbench.core.suite import Outcome, Suite
from rlbench.core.trial import IDENTITY_VERSION, Trial


@dataclass(frozen=True)
class Bench:
    """What all trials of a batch share."""

    store: Store
    assets: AssetStore
    data: DataStore
    source: str
    device: str = "cpu"
    threads: int = 1


def execute(
    bench: Bench,
    suite: Suite,
    trial: Trial,
    *,
    replace: bool = False,
    deadline: float | None = None,
    on_log: Callable[[Row], None] | None = None,
) -> Record:
    """Run a trial (from its checkpoint, if there is one) and publish its record.

    Raises:
        RlbenchError: what the suite or the results folder complains of.
        Exception: whatever the algorithm raises.
    """
    checkpoint = bench.store.work(trial, bench.source)
    resumed = checkpoint.exists()
    ctx = Context(
        trial,
        assets=bench.assets,
        data=bench.data,
        checkpoint=checkpoint,
        device=bench.device,
        deadline=deadline,
        on_log=on_log,
    )
    settle(suite.modules, ("global", trial.task.id, trial.seed), bench.threads)
    started, clock, cpu = datetime.now(UTC), time.monotonic(), time.process_time()
    outcome, unruly = _watched(lambda: suite.run(trial, ctx))
    evidence = pack(outcome.evidence)
    curve = ctx.curve.csv() if ctx.curve.rows else None
    volatile = {
        **outcome.volatile,
        "started": started.isoformat(timespec="seconds"),
        "wall_s": round(time.monotonic() - clock, 4),
        "cpu_s": round(time.process_time() - cpu, 4),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "resumed": resumed,
    }
    record = _record(
        bench,
        suite,
        trial,
        ctx,
        outcome=outcome,
        evidence=evidence,
        curve=curve,
        unruly=unruly,
        volatile=volatile,
    )
    bench.store.publish(trial, record, evidence, curve, replace=replace)
    checkpoint.unlink(missing_ok=True)
    return record


def _watched(run: Callable[[], Outcome]) -> tuple[Outcome, list[str]]:
    """Run, and list what torch says that it cannot do deterministically."""
    unruly: list[str] = []
    show = warnings.showwarning

    def listen(message: Warning | str, *args: Any, **kwargs: Any) -> None:
        text = str(message)
        if "deterministic" in text and (line := text.splitlines()[0]) not in unruly:
            unruly.append(line)
        show(message, *args, **kwargs)

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = listen
        return run(), unruly


def _record(
    bench: Bench,
    suite: Suite,
    trial: Trial,
    ctx: Context,
    *,
    outcome: Outcome,
    evidence: bytes,
    curve: bytes | None,
    unruly: list[str],
    volatile: Mapping[str, Any],
) -> Record:
    task = trial.task
    metrics, nonfinite = split_nonfinite(suite.metrics_of(task, outcome.evidence))
    if task.primary not in metrics or not set(metrics) <= set(suite.metrics):
        raise UsageError(
            f"{task.id}: suite '{suite.name}' gave metrics {sorted(metrics)}; expected"
            f" '{task.primary}' and only names of {sorted(suite.metrics)}"
        )
    value = metrics[task.primary]
    return Record(
        schema=SCHEMA,
        identity=trial.identity,
        identity_version=IDENTITY_VERSION,
        source=bench.source,
        suite=task.suite,
        task=TaskRef(
            id=task.id,
            version=task.version,
            spec_sha256=task.sha256,
            title=task.title,
            family=task.family,
            group=task.group,
            origin=task.origin,
            official_seeds=list(task.official_seeds(trial.tier)),
        ),
        baseline=BaselineRef(
            id=trial.baseline.method,
            version=trial.baseline.version,
            variant=trial.variant,
            algorithm=_relative(trial.baseline.algorithm),
            params=dict(trial.params),
            overrides=dict(trial.overrides),
            algorithm_sha256=trial.algorithm_sha256,
            track=trial.baseline.track,
        ),
        tier=next((tier for tier in TIERS if tier == trial.tier), "custom"),
        seed=trial.seed,
        protocol=dict(trial.protocol),
        metrics=metrics,
        nonfinite=nonfinite,
        primary=_primary(suite, trial),
        normalised=None if value is None else task.reference.normalise(value),
        evidence=Sibling(f"seed-{trial.seed}.npz", _sha256(evidence)),
        curve=None if curve is None else Sibling(f"seed-{trial.seed}.csv", _sha256(curve)),
        data=[DataRef(name, item.sha256) for name, item in sorted(ctx.used_data.items())],
        environment=_environment(bench, unruly),
        code=code(),
        command=command(trial),
        notes=dict(outcome.notes),
        volatile=dict(volatile),
    )


def _primary(suite: Suite, trial: Trial) -> Primary:
    metric, reference = suite.metrics[trial.task.primary], trial.task.reference
    return Primary(
        metric.name, metric.unit, metric.direction, reference.low.value, reference.high.value
    )


def _environment(bench: Bench, unruly: list[str]) -> Environment:
    return Environment(
        **machine(),
        device=bench.device,
        gpu=gpus()[0] if bench.device == "cuda" else None,
        threads=bench.threads,
        nondeterministic=sorted(unruly),
        packages=versions(),
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@cache
def code() -> Code:
    """Which rlbench this is; in a checkout also its commit and whether the code differs from it."""
    root = checkout()
    if root is None:
        return Code(rlbench.__version__, None, None)

    def git(*words: str) -> str | None:
        answer = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, check=False
        )
        return answer.stdout.strip() if answer.returncode == 0 else None

    changes = git("status", "--porcelain", "--", "rlbench", "tasks", "baselines")
    return Code(
        rlbench.__version__, git("rev-parse", "HEAD"), None if changes is None else bool(changes)
    )


def _relative(algorithm: str) -> str:
    """The algorithm without a machine's folders: relative to the working folder, or bare."""
    where, name = split_algorithm(algorithm)
    if not where.endswith(".py"):
        return algorithm
    path = os.path.relpath(where)
    return f"{Path(where).name if path.startswith('..') else Path(path).as_posix()}:{name}"


def command(trial: Trial) -> str:
    """The command line that repeats a trial."""
    own = trial.baseline.own
    words = [
        "rlbench",
        "run",
        trial.task.id,
        _relative(trial.baseline.algorithm) if own else trial.baseline.row,
        *(f"{name}={_toml(value)}" for name, value in sorted(trial.overrides.items())),
        "--tier",
        trial.base_tier,
        "--seeds",
        str(trial.seed),
    ]
    return shlex.join(words)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return str(value)
