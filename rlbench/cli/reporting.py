"""The commands that read results: `rlbench report` and `rlbench compare`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rlbench.cli.output import json_out, say
from rlbench.core.errors import ExitCode
from rlbench.core.spec import TIERS

if TYPE_CHECKING:
    import pandas as pd

    from rlbench.core.stats import Interval
    from rlbench.reports.compare import FamilyComparison
    from rlbench.reports.families import FamilyTable, Row

_results = click.option(
    "--results",
    "roots",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="A results folder; may be given again.  [default: results/local]",
)
_no_reference = click.option(
    "--no-reference", is_flag=True, help="Leave out the reference records that rlbench ships."
)


@click.command()
@click.argument("task", default="*")
@click.argument("baseline", default="*")
@click.option("--tier", default="*", metavar="TIER", help="Only this tier, or several with commas.")
@_results
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("report"),
    show_default=True,
    help="Where the report goes.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "md", "latex", "csv"]),
    default="html",
    show_default=True,
    help="html writes everything to --out; the others only print tables.",
)
@_no_reference
@click.option(
    "--json", "as_json", is_flag=True, help="Print the tables as JSON, and make no files."
)
def report(
    task: str,
    baseline: str,
    tier: str,
    roots: tuple[Path, ...],
    out: Path,
    form: str,
    no_reference: bool,
    as_json: bool,
) -> None:
    """Make tables, plots and a page from results.

    TASK and BASELINE are ids or globs, separated by commas. The page, the tables and the plots go
    to --out; an overview goes to standard output.
    """
    from rlbench.reports.build import build_report, load_for_report
    from rlbench.reports.families import family_tables
    from rlbench.reports.tables import FORMATS

    wanted = {
        "reference": not no_reference,
        "tasks": task,
        "baselines": baseline,
        "tier": tier,
    }
    if form != "html" or as_json:
        frame = load_for_report(roots, **wanted)  # type: ignore[arg-type]
        tables = family_tables(frame)
        if as_json:
            json_out({"tables": list(map(_json_table, tables))})
        else:
            click.echo(FORMATS[form](tables), nl=False)
        _finish(frame.attrs["problems"], corrupt=bool(frame.attrs["problems"]))
        return
    made = build_report(roots, out, **wanted)  # type: ignore[arg-type]
    click.echo(made.summary, nl=False)
    files = f"{len(made.tables)} files of tables, {len(made.plots)} of plots"
    say(f"{made.html} ({files} beside it)")
    _finish(made.problems, corrupt=made.corrupt)


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--task", default="*", metavar="GLOB", help="Only these tasks.")
@click.option("--tier", type=click.Choice(TIERS), help="Only this tier.")
@_results
@_no_reference
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(
    a: str,
    b: str,
    task: str,
    tier: str | None,
    roots: tuple[Path, ...],
    no_reference: bool,
    as_json: bool,
) -> None:
    """Compare two baselines on the tasks that both have complete.

    A and B are rows as tables name them, such as knn, knn+k=5 or "knn (reference)". A difference is
    A minus B, in the task's unit.
    """
    from rlbench.reports import compare as comparing
    from rlbench.reports.build import load_for_report

    frame: pd.DataFrame = load_for_report(roots, reference=not no_reference, tasks=task)
    found = comparing.compare(frame, a, b, tier=tier)
    if as_json:
        json_out({"comparisons": list(map(_json_comparison, found))})
    else:
        click.echo("\n".join(map(_text_comparison, found)), nl=False)
    _finish(frame.attrs["problems"], corrupt=bool(frame.attrs["problems"]))


def _finish(problems: Any, *, corrupt: bool) -> None:
    """Say on standard error what was left out; a corrupt record makes the exit status 1."""
    from rlbench.reports.escape import plain

    for problem in problems:
        say(plain(problem))
    if corrupt:
        raise click.exceptions.Exit(int(ExitCode.NEGATIVE))


def _text_comparison(found: FamilyComparison) -> str:
    from rlbench.reports.compare import comparison_grid
    from rlbench.reports.escape import for_markdown
    from rlbench.reports.grid import interval_text
    from rlbench.reports.tables import heading, markdown_grid

    better = interval_text(found.improvement)
    head = for_markdown(heading(found.key))
    return (
        f"### {head}\n\n{markdown_grid(comparison_grid(found))}\n"
        f"P({for_markdown(found.a)} beats {for_markdown(found.b)}) = {better}\n"
    )


def _json_comparison(found: FamilyComparison) -> dict[str, Any]:
    return {
        **found.key._asdict(),
        "a": found.a,
        "b": found.b,
        "probability_of_improvement": dataclasses.asdict(found.improvement),
        "tasks": [_strict({**dataclasses.asdict(t), "better": t.better}) for t in found.tasks],
    }


def _json_table(table: FamilyTable) -> dict[str, Any]:
    return {
        **table.key._asdict(),
        "tasks": [dataclasses.asdict(column) for column in table.columns],
        "rows": [_json_row(table, row) for row in table.rows],
        "notes": list(table.notes),
    }


def _json_row(table: FamilyTable, row: Row) -> dict[str, Any]:
    cells = {
        column.task: dataclasses.asdict(cell)
        for column, cell in zip(table.columns, row.cells, strict=True)
        if cell is not None
    }
    found: dict[str, Any] = {"baseline": row.name, "reference": row.reference, "cells": cells}
    if row.summary is not None:
        aggregates: dict[str, Interval] = {
            "iqm": row.summary.iqm,
            "mean": row.summary.mean,
            "median": row.summary.median,
            "optimality_gap": row.summary.gap,
        }
        found |= {name: dataclasses.asdict(interval) for name, interval in aggregates.items()}
        found["rank"] = dataclasses.asdict(row.summary.rank)
    return found


def _strict(value: Any) -> Any:
    """An infinite statistic (no spread on either side) as null: JSON has no word for it."""
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value
