"""Small ways to print: aligned columns for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from rlbench.core.files import pretty


def columns(rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> str:
    """Left-aligned columns, two spaces apart."""
    lines = [list(header), *map(list, rows)] if header else [list(row) for row in rows]
    if not lines:
        return ""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def json_out(value: Any) -> None:
    """Strict JSON to stdout."""
    click.echo(pretty(value).decode(), nl=False)


def say(text: str) -> None:
    """A line for a person, to stderr."""
    click.echo(text, err=True)
