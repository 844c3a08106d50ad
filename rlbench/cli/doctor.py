"""`rlbench doctor`: what can run here, and the command that fixes what cannot."""

from __future__ import annotations

from typing import Any

import click

import rlbench
from rlbench.cli.output import columns, json_out
from rlbench.core.assets import cache_folder
from rlbench.core.data import DataStore, data_folders
from rlbench.core.errors import RlbenchError
from rlbench.core.hardware import cores, gpus, machine, versions
from rlbench.core.registry import Registry
from rlbench.runner.plan import missing_modules


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def doctor(as_json: bool) -> None:
    """Say per suite whether it can run here, and what fixes the rest; versions, GPU, data."""
    found = examine()
    if as_json:
        json_out(found)
        return
    click.echo(columns([[f"{key}", str(value)] for key, value in found["machine"].items()]))
    click.echo("\nsuites")
    for name, suite in found["suites"].items():
        click.echo(f"  {name}: {'ready' if suite['ready'] else suite['fix']}")
        click.echo(f"    {suite['runnable']} of {suite['tasks']} tasks have their data here")
    click.echo("\ndata sets")
    rows = [[f"  {name}", why or "here"] for name, why in found["data"].items()]
    click.echo(columns(rows))


def examine() -> dict[str, Any]:
    """The findings, as plain JSON."""
    registry = Registry.load()
    store = DataStore(registry.data)
    data = {name: store.missing(name) for name in sorted(registry.data)}
    return {
        "machine": {
            "rlbench": rlbench.__version__,
            **machine(),
            "cores": cores(),
            "gpus": list(gpus()),
            **versions(),
            "data_folders": [str(folder) for folder in data_folders()],
            "cache": str(cache_folder()),
        },
        "suites": {name: _suite(registry, name, data) for name in registry.suite_names},
        "data": data,
    }


def _suite(registry: Registry, name: str, data: dict[str, str | None]) -> dict[str, Any]:
    tasks = [task for task in registry.tasks.values() if task.suite == name]
    try:
        fix = missing_modules(registry.suite(name))
    except RlbenchError as error:
        fix = str(error)
    runnable = [task for task in tasks if not any(data.get(item) for item in task.data)]
    return {"ready": not fix, "fix": fix, "tasks": len(tasks), "runnable": len(runnable)}
