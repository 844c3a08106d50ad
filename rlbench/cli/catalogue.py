"""`rlbench list` and `rlbench show`: what there is, read from specs alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import click

from rlbench.cli.output import columns, json_out
from rlbench.core.errors import UsageError, closest
from rlbench.core.registry import Registry
from rlbench.core.spec import BaselineSpec, TaskSpec

KINDS = ("tasks", "baselines", "suites")


@click.command("list")
@click.argument("kind", type=click.Choice(KINDS), required=False)
@click.argument("pattern", default="*")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def list_(kind: str | None, pattern: str, as_json: bool) -> None:
    """List tasks, baselines and suites; PATTERN is a glob such as 'ood/glyph-*'."""
    registry = Registry.load()
    kinds = [kind] if kind else list(KINDS)
    found = {word: _rows(registry, word, pattern) for word in kinds}
    if pattern != "*" and not any(found.values()):
        known = [row["id"] for word in kinds for row in _rows(registry, word, "*")]
        hint = closest(pattern, [*known, *(name.partition("/")[2] for name in known)])
        raise UsageError(f"nothing matches '{pattern}'{hint} (rlbench list)")
    if as_json:
        json_out(found)
        return
    blocks = [f"{word}\n{columns([_line(row) for row in rows])}" for word, rows in found.items()]
    click.echo("\n\n".join(blocks))


def _rows(registry: Registry, kind: str, pattern: str) -> list[dict[str, Any]]:
    whole = pattern if "/" in pattern or pattern == "*" else f"*/{pattern}"
    if kind == "suites":
        counts = [task.suite for task in registry.tasks.values()]
        return [
            {"id": name, "tasks": counts.count(name)}
            for name in registry.suite_names
            if fnmatchcase(name, pattern)
        ]
    specs: Mapping[str, TaskSpec | BaselineSpec]
    specs = registry.tasks if kind == "tasks" else registry.baselines
    return [_row(spec) for spec in specs.values() if fnmatchcase(spec.id, whole)]


def _row(spec: TaskSpec | BaselineSpec) -> dict[str, Any]:
    if isinstance(spec, TaskSpec):
        return {
            "id": spec.id,
            "version": spec.version,
            "title": spec.title,
            "family": spec.family,
            "origin": spec.origin,
            "primary": spec.primary,
            "tiers": list(spec.tiers),
        }
    return {"id": spec.id, "version": spec.version, "title": spec.title, "track": spec.track}


def _line(row: Mapping[str, Any]) -> list[str]:
    if "tasks" in row:
        return [f"  {row['id']}", f"{row['tasks']} tasks"]
    about = f"{row['origin']}, {'/'.join(row['tiers'])}" if "tiers" in row else row["track"]
    return [f"  {row['id']}", str(row["title"]), about]


@click.command()
@click.argument("name", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="The spec as one JSON object on stdout.")
def show(name: str, as_json: bool) -> None:
    """Show everything about a task (ood/glyph-symbols), a baseline (knn) or a suite (ood)."""
    registry = Registry.load()
    specs: list[TaskSpec | BaselineSpec] = [
        spec
        for known in (registry.tasks, registry.baselines)
        for id_, spec in known.items()
        if name in (id_, id_.partition("/")[2])
    ]
    if name in registry.suite_names:
        _show_suite(registry, name, as_json)
    elif not specs:
        known = [*registry.tasks, *registry.baselines, *registry.suite_names]
        short = [word.partition("/")[2] for word in known]
        raise UsageError(f"nothing is called '{name}'{closest(name, [*known, *short])}")
    elif as_json:
        json_out([dataclasses.asdict(spec) for spec in specs])
    else:
        click.echo("\n\n".join(_card(spec) for spec in specs))


def _show_suite(registry: Registry, name: str, as_json: bool) -> None:
    suite = registry.suite(name)
    if as_json:
        metrics = {key: dataclasses.asdict(metric) for key, metric in suite.metrics.items()}
        json_out({"name": suite.name, "title": suite.title, "metrics": metrics})
        return
    rows = [
        [f"  {metric.name}", f"{metric.direction} is better, {metric.unit}", metric.doc]
        for metric in suite.metrics.values()
    ]
    click.echo(f'{name}: {suite.title}\ninstall: pip install "{suite.extra}"\nmetrics')
    click.echo(columns(rows))


def _card(spec: TaskSpec | BaselineSpec) -> str:
    return _task_card(spec) if isinstance(spec, TaskSpec) else _baseline_card(spec)


def _task_card(task: TaskSpec) -> str:
    low, high = task.reference.low, task.reference.high
    lines = [
        f"{task.id}  (task, version {task.version}, {task.origin})",
        task.title,
        *_paragraph(task.card),
        f"family    {task.family}{f', {task.group}' if task.group else ''}",
        f"metric    {task.primary}; 0 at {low.value:g} ({low.source}), "
        f"1 at {high.value:g} ({high.source})",
        f"data      {', '.join(task.data) or 'embedded or generated'}",
        *(
            f"tier      {tier}: {_settings(values)}; seeds {_seeds(task.official_seeds(tier))}"
            for tier, values in task.tiers.items()
        ),
        *(
            f"published {item.baseline}{f', tier {item.tier}' if item.tier else ''}:"
            f" {item.metric or task.primary} {item.value:g} ({item.source})"
            for item in task.published
        ),
        f"spec      {task.file}, sha256 {task.sha256[:16]}…",
    ]
    return "\n".join(lines)


def _baseline_card(spec: BaselineSpec) -> str:
    lines = [
        f"{spec.id}  (baseline, version {spec.version}{f', {spec.track}' if spec.track else ''})",
        spec.title,
        *_paragraph(spec.card),
        f"source    {spec.source}",
        f"fits      {', '.join(spec.tasks)}",
        *(
            f"param     {name} = {param.value}{' (budget)' if param.budget else ''}: {param.doc}"
            for name, param in spec.params.items()
        ),
        *(f"on        {item.tasks}: {_settings(item.params)}" for item in spec.overrides),
        *(f"tier      {tier}: {_settings(values)}" for tier, values in spec.tiers.items()),
        *(f"deviation {text}" for text in spec.deviations),
        f"spec      {spec.file}",
    ]
    return "\n".join(lines)


def _paragraph(text: str) -> list[str]:
    import textwrap

    lines = [textwrap.fill(part, 88) for part in text.strip().split("\n\n") if part.strip()]
    return ["", *lines, ""] if lines else []


def _settings(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "as it is"


def _seeds(seeds: tuple[int, ...]) -> str:
    contiguous = len(seeds) > 1 and seeds == tuple(range(seeds[0], seeds[-1] + 1))
    return f"{seeds[0]}–{seeds[-1]}" if contiguous else ", ".join(map(str, seeds))
