"""`rlbench check`: run the gate's cells anew and hold them against reference records."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import click

from rlbench.cli.accepting import Accepted, accept
from rlbench.cli.fresh import FreshBench, fresh_bench, gate_cells
from rlbench.cli.output import columns, json_out, say
from rlbench.core.errors import ExitCode, MissingError, UsageError
from rlbench.core.files import write_atomic
from rlbench.core.seeding import CONFIRMATION_SEEDS, GATE_SEEDS
from rlbench.core.store import Store
from rlbench.gate.cells import GateCell, select
from rlbench.gate.judging import Case, to_confirm, verdict_of
from rlbench.gate.junit import junit_xml
from rlbench.gate.sample import GOLDEN_SEEDS, REFERENCE_SEEDS, read_sample
from rlbench.gate.verdict import ORDER, Verdict

REFERENCE = Path("results") / "reference"


def check(
    against: str | Path = REFERENCE,
    *,
    cells: str = "*",
    jobs: int | None = None,
    junit: str | Path | None = None,
    keep: str | Path | None = None,
    quiet: bool = True,
) -> Verdict:
    """Say whether this rlbench does worse than the reference records.

    The gate's cells (`tasks/gate.toml` in `$RLBENCH_PATH`, or else rlbench's own) are always run
    anew, with an empty asset cache: golden cells on seed 0, statistical ones on seeds 100 to 104
    and, where they fell, on 200 to 204. See docs/regression-gate.md for the rules.

    Args:
        against: the folder of reference records (seeds 0 to 9).
        cells: globs over the cells' labels or their first words, separated by commas.
        jobs: worker processes; None means one a core.
        junit: where to write the verdict as JUnit XML.
        keep: a new folder in which the fresh runs stay.
        quiet: whether to show no progress.

    Raises:
        RlbenchError: a gate file is malformed, a glob matches nothing, `against` is no folder, a
            reference record is corrupt. A regression does not raise: it is in the verdict.
    """
    _needs_scipy()
    reference = Path(against)
    if not reference.is_dir():
        raise UsageError(f"--against: no folder {reference}; rlbench check --accept makes it")
    wanted = select(gate_cells(), cells)
    with fresh_bench(None if keep is None else Path(keep), jobs=jobs, quiet=quiet) as bench:
        verdict = run_check(bench, wanted, Store(reference))
    if junit is not None:
        write_atomic(Path(junit), junit_xml(verdict))
    return verdict


def run_check(
    bench: FreshBench,
    wanted: Sequence[GateCell],
    reference: Store,
    *,
    candidate_seeds: Sequence[int] = GATE_SEEDS,
    confirmation_seeds: Sequence[int] = CONFIRMATION_SEEDS,
) -> Verdict:
    """Run gate cells on a fresh bench and judge them; other seeds are for measuring the gate."""
    seeds = {"golden": GOLDEN_SEEDS, "statistical": tuple(candidate_seeds)}
    plans = {cell.label: bench.plan(cell, seeds[cell.kind]) for cell in wanted}
    cases = []
    for cell in wanted:
        first = plans[cell.label][0]
        old = GOLDEN_SEEDS if cell.kind == "golden" else REFERENCE_SEEDS
        blocked = first.why if first.state == "blocked" else ""
        sample = read_sample(reference, first.trial.cell, old)
        cases.append(Case(cell, first.trial, sample, blocked))
    runnable = [case for case in cases if case.runnable]
    bench.run([item for case in runnable for item in plans[case.wanted.label]])
    for case in runnable:
        case.candidate = read_sample(bench.store, case.trial.cell, seeds[case.wanted.kind])
    flagged = to_confirm(cases)
    again = [item for case in flagged for item in bench.plan(case.wanted, confirmation_seeds)]
    if again:
        bench.run(again)
    for case in flagged:
        case.fresh = read_sample(bench.store, case.trial.cell, confirmation_seeds)
    return verdict_of(cases)


def _needs_scipy() -> None:
    if find_spec("scipy") is None:
        raise MissingError('the tests of `rlbench check` need scipy: pip install "rlbench[report]"')


@click.command("check")
@click.option(
    "--against",
    type=click.Path(path_type=Path, file_okay=False),
    default=REFERENCE,
    show_default=True,
    help="Folder of reference records.",
)
@click.option("--cells", default="*", metavar="GLOB", help="Only these cells of the gate.")
@click.option("--jobs", type=click.IntRange(1), help="Worker processes (default: one a core).")
@click.option(
    "--junit",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the verdict as JUnit XML.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("--accept", "accepting", is_flag=True, help="Replace the reference by fresh runs.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep the fresh runs in a new folder.",
)
def check_command(
    against: Path,
    cells: str,
    jobs: int | None,
    junit: Path | None,
    as_json: bool,
    accepting: bool,
    keep: Path | None,
) -> int:
    """Run the gate's cells anew and hold them against reference records.

    Exit status 1 is a regression. What cannot be compared, because a reference or data is missing,
    is said and is no regression. Only --accept changes the reference.
    """
    if accepting:
        if junit is not None:
            raise UsageError("--junit: --accept judges nothing")
        return _accept(against, cells, jobs, keep, as_json)
    verdict = check(against, cells=cells, jobs=jobs, junit=junit, keep=keep, quiet=False)
    if as_json:
        json_out(verdict.to_json())
    else:
        click.echo(verdict_table(verdict))
    _say_verdict(verdict, keep)
    return verdict.exit_code


def verdict_table(verdict: Verdict) -> str:
    """One line a cell and a suite, the worst news first."""
    rows = [(one.judgement, one.cell) for one in verdict.cells]
    rows += [(one.judgement, f"{one.suite} ({one.origin})") for one in verdict.suites]
    rows.sort(key=lambda row: ORDER.index(row[0].status))
    lines = [[found.status, name, found.finding, found.detail] for found, name in rows]
    return columns(lines, ["", "cell", "finding", ""])


def _say_verdict(verdict: Verdict, keep: Path | None) -> None:
    for cell in verdict.cells:
        for notice in cell.notices:
            say(f"notice: {cell.cell}: {notice}")
    counts = ", ".join(f"{verdict.count(status)} {status}" for status in reversed(ORDER))
    say(f"{verdict.status}: {len(verdict.cells)} cells: {counts}")
    if verdict.count("inconclusive"):
        say("notice: inconclusive cells were not compared and do not fail the check")
    if verdict.status == "regression":
        say("if the change is meant: rlbench check --accept, and commit the new reference")
    if keep is not None:
        say(f"the fresh runs are in {keep / 'results'}")


def _accept(against: Path, cells: str, jobs: int | None, keep: Path | None, as_json: bool) -> int:
    wanted = select(gate_cells(), cells)
    with fresh_bench(keep, jobs=jobs, quiet=False) as bench:
        changes = accept(bench, wanted, against)
    if as_json:
        json_out({"against": str(against), "cells": [vars(change) for change in changes]})
    else:
        click.echo(columns([[one.change, one.cell, one.detail] for one in changes]))
    _say_accepted(changes, against)
    failed = any(change.change == "failed" for change in changes)
    return ExitCode.NEGATIVE if failed else ExitCode.OK


def _say_accepted(changes: Sequence[Accepted], against: Path) -> None:
    words = ("new", "replaced", "unchanged", "failed")
    counts = {word: sum(change.change == word for change in changes) for word in words}
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    say(f"reference cells in {against}: {told}")
