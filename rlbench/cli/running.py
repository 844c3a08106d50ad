"""`rlbench run` and `rlbench status`."""

from __future__ import annotations

import datetime
import math
import re
import tomllib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from rlbench.cli.output import columns, json_out, say
from rlbench.core.errors import ExitCode, UsageError
from rlbench.core.hardware import pick_device
from rlbench.core.registry import Registry
from rlbench.core.spec import TIERS
from rlbench.core.store import Store, default_results
from rlbench.runner.inventory import CellStatus, take_inventory
from rlbench.runner.plan import Item, Plan, Wish
from rlbench.runner.progress import duration
from rlbench.runner.sweep import Summary, default_jobs, plan_sweep, run_plan, seconds_left

results_option = click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Results folder (default results/local).",
)


def parse_overrides(words: Sequence[str]) -> dict[str, Any]:
    """`key=value` words; a value is TOML (1e-3, true, [64, 64]) or else plain text.

    Raises:
        UsageError: a word without '=', a bad or repeated key, a value that is not finite.
    """
    found: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
            raise UsageError(f"expected key=value, found '{word}'")
        if key in found:
            raise UsageError(f"parameter '{key}' is set twice")
        found[key] = _value(key, text)
    return found


def _value(key: str, text: str) -> Any:
    try:
        value = tomllib.loads(f"x = {text}")["x"] if "\n" not in text else text
    except (ValueError, RecursionError):
        return text
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{key}: expected a finite number, found {text}")
    return text if isinstance(value, datetime.date | datetime.time) else value


def parse_seeds(text: str) -> tuple[int, ...]:
    """`0-4`, `3`, `0,2,7-9`.

    Raises:
        UsageError: anything else, or a seed twice.
    """
    seeds: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,9})(?:-(\d{1,9}))?\s*", part)
        if not found:
            raise UsageError(f"--seeds: expected a list such as 0-4 or 0,2,7, found '{text}'")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first or last - first > 10_000:
            raise UsageError(f"--seeds: expected first-last, found '{part.strip()}'")
        seeds.extend(range(first, last + 1))
    if len(set(seeds)) != len(seeds):
        raise UsageError(f"--seeds: a seed is named twice in '{text}'")
    return tuple(seeds)


@click.command()
@click.argument("tasks", metavar="TASK")
@click.argument("baselines", metavar="BASELINE")
@click.argument("overrides", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--tier", type=click.Choice(TIERS), default="small", show_default=True)
@click.option("--seeds", help="Such as 0-4 or 0,2,7 (default: the tier's official list).")
@click.option("--jobs", type=click.IntRange(1), help="Worker processes (default: one a core).")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option("--threads", type=click.IntRange(1), default=1, help="Numeric threads a trial.")
@click.option("--time-limit", type=float, help="Seconds after which a trial is ended.")
@click.option("--stale", is_flag=True, help="Replace records that another source made.")
@click.option("--dry-run", is_flag=True, help="Show the cells, what is left and how long it takes.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@results_option
def run(
    tasks: str,
    baselines: str,
    overrides: tuple[str, ...],
    tier: str,
    seeds: str | None,
    jobs: int | None,
    device: str,
    threads: int,
    time_limit: float | None,
    stale: bool,
    dry_run: bool,
    as_json: bool,
    results: Path | None,
) -> int:
    """Run TASK x BASELINE over seeds.

    TASK and BASELINE are names, globs, or several separated by commas; BASELINE may also be your
    own class, path/to/file.py:Class. Trials that have a record are not run again.
    """
    wish = Wish(
        tasks,
        baselines,
        tier,
        None if seeds is None else parse_seeds(seeds),
        parse_overrides(overrides),
    )
    plan = plan_sweep(wish, results)
    if dry_run:
        _show_plan(plan, jobs or default_jobs(pick_device(device)), as_json)
        return ExitCode.OK
    _say_before(plan, stale)
    summary = run_plan(
        plan,
        results=results,
        jobs=jobs,
        device=device,
        threads=threads,
        time_limit=time_limit,
        stale=stale,
        quiet=False,
    )
    if as_json:
        json_out({**asdict(summary), "results": str(summary.results)})
    _say_after(summary)
    return summary.exit_code


def _say_before(plan: Plan, stale: bool) -> None:
    for item in plan.items:
        if item.state == "broken":
            say(f"broken, will be run again: {item.why}")
    count = plan.count("stale")
    if count and not stale:
        why = next(item.why for item in plan.items if item.state == "stale")
        say(f"{count} trials have a stale record ({why}); run them again with --stale")


def _say_after(summary: Summary) -> None:
    words = [f"{summary.ran} ran", f"{summary.done} done before"]
    words += [f"{summary.stale} stale"] if summary.stale else []
    words += [f"{len(summary.failed)} failed"] if summary.failed else []
    words += [f"{summary.left} left"] if summary.left else []
    words += [f"{summary.skipped} pairs that do not fit skipped"] if summary.skipped else []
    for label, kind, error in summary.failed[:10]:
        say(f"failed ({kind}): {label}: {error}")
    if len(summary.failed) > 10:
        say(f"... and {len(summary.failed) - 10} more: rlbench status")
    for task, why in summary.blocked:
        say(f"cannot run {task}: {why}")
    if summary.interrupted:
        say("interrupted; the same command goes on where it stopped")
    say(f"{', '.join(words)}; results in {summary.results} (rlbench report shows them)")


def _show_plan(plan: Plan, jobs: int, as_json: bool) -> None:
    cells: dict[Any, list[Item]] = {}
    for item in plan.items:
        cells.setdefault(item.trial.cell, []).append(item)
    seconds = seconds_left(plan.items, jobs)
    known = all(item.seconds for item in plan.items if item.pending)
    rows = [
        {
            "task": items[0].trial.task.id,
            "baseline": cell.row,
            "tier": cell.tier,
            "seeds": [item.trial.seed for item in items],
            "states": {s: [i.trial.seed for i in items if i.state == s] for s in _states(items)},
            "seconds_per_trial": items[0].seconds,
        }
        for cell, items in cells.items()
    ]
    if as_json:
        json_out({"cells": rows, "jobs": jobs, "seconds_left": seconds, "from_records": known})
        return
    table = [
        [
            str(row["task"]),
            str(row["baseline"]),
            str(row["tier"]),
            ", ".join(f"{len(seeds)} {state}" for state, seeds in row["states"].items()),
            f"{row['seconds_per_trial']:.1f} s" if row["seconds_per_trial"] else "?",
        ]
        for row in rows
    ]
    click.echo(columns(table, ["task", "baseline", "tier", "trials", "each"]))
    pending = sum(item.pending for item in plan.items)
    how = "from earlier records" if known else "a guess: not all cells have records"
    say(f"{pending} of {len(plan.items)} trials to run on {jobs} jobs, {duration(seconds)} ({how})")


def _states(items: Sequence[Item]) -> list[str]:
    return list(dict.fromkeys(item.state for item in items))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@results_option
def status(as_json: bool, results: Path | None) -> None:
    """Show every cell in the results folder: seeds done, missing, failed, stale, broken."""
    store = Store(results or default_results())
    found = take_inventory(Registry.load(), store)
    if as_json:
        json_out({"results": str(store.root), "cells": [_cell_json(cell) for cell in found]})
        return
    if not found:
        say(f"no records under {store.root}; start with rlbench run")
        return
    rows = [
        [
            f"{cell.cell.suite}/{cell.cell.task}@{cell.cell.version}",
            cell.cell.row,
            cell.cell.tier,
            f"{len(cell.done)}/{len(cell.official)}" if cell.official else str(len(cell.done)),
            cell.remarks,
        ]
        for cell in found
    ]
    click.echo(columns(rows, ["task", "baseline", "tier", "done", ""]))
    for cell in found:
        for seed, failure in cell.failed.items():
            say(f"failed ({failure.kind}) {failure.label}: {failure.error}")
            for line in failure.log[-5:]:
                say(f"    seed {seed} | {line}")


def _cell_json(cell: CellStatus) -> dict[str, Any]:
    return {
        **asdict(cell.cell),
        "done": cell.done,
        "official_seeds": cell.official,
        "stale": cell.stale,
        "broken": cell.broken,
        "failed": {str(seed): asdict(failure) for seed, failure in cell.failed.items()},
    }
