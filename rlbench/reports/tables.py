"""Tables as text: Markdown, LaTeX (booktabs) and one long CSV with raw numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence

from rlbench.core.stats import Interval
from rlbench.reports.cells import Score
from rlbench.reports.escape import for_csv, for_latex, for_markdown
from rlbench.reports.families import FamilyTable, Key, Row
from rlbench.reports.grid import Entry, Grid, family_grid, interval_text, metrics_line

CSV_COLUMNS = (
    "suite", "tier", "family", "origin", "version", "source", "baseline", "where", "kind", "name",
    "metric", "unit", "direction", "point", "low", "high", "seeds", "expected", "complete",
)  # fmt: skip


def heading(key: Key) -> str:
    """One line that says what a table holds (not escaped)."""
    return (
        f"{key.suite} · {key.family} · tier {key.tier} · {key.origin} · "
        f"version {key.version} · source {key.source[:12]}"
    )


def markdown(tables: Sequence[FamilyTable]) -> str:
    """All tables as GitHub Markdown, each with its heading and notes."""
    parts = []
    for table in tables:
        parts.append(f"### {for_markdown(heading(table.key))}\n")
        parts.append(f"{for_markdown(metrics_line(table))}\n")
        parts.append(markdown_grid(family_grid(table)))
        if table.notes:
            parts.append("".join(f"- {for_markdown(note)}\n" for note in table.notes))
    return "\n".join(parts)


def markdown_grid(grid: Grid) -> str:
    """One grid as a Markdown table with aligned columns; incomplete entries are in italics."""

    def shown(entry: Entry) -> str:
        text = for_markdown(entry.text)
        return f"*{text}*" if entry.kind == "incomplete" else text

    header = [shown(entry) for entry in grid.header]
    rows = [[shown(entry) for entry in row] for row in grid.rows]
    widths = [max(3, *map(len, column)) for column in zip(header, *rows, strict=True)]
    right = [entry.kind == "number" for entry in grid.header]
    rule = [f"{'-' * (w - 1)}:" if r else "-" * w for w, r in zip(widths, right, strict=True)]
    lines = [_markdown_line(cells, widths, right) for cells in (header, rule, *rows)]
    return "".join(lines)


def _markdown_line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = [
        cell.rjust(width) if flush else cell.ljust(width)
        for cell, width, flush in zip(cells, widths, right, strict=True)
    ]
    return f"| {' | '.join(padded)} |\n"


def latex(tables: Sequence[FamilyTable]) -> str:
    """All tables as `table` environments; needs `booktabs`. Incomplete entries are in italics."""
    return "\n".join(map(_latex_table, tables))


def _latex_table(table: FamilyTable) -> str:
    caption = f"{heading(table.key)}. Incomplete cells (italics) are not ranked."
    return latex_grid(family_grid(table), caption)


def latex_grid(grid: Grid, caption: str) -> str:
    """One grid as a `table` environment; needs `booktabs`. Incomplete entries are in italics."""
    spec = "".join("l" if entry.kind == "text" else "r" for entry in grid.header)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{for_latex(caption)}}}",
        rf"\begin{{tabular}}{{{spec}}}",
        r"\toprule",
        _latex_line(grid.header),
        r"\midrule",
        *map(_latex_line, grid.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _latex_line(entries: Sequence[Entry]) -> str:
    def shown(entry: Entry) -> str:
        text = for_latex(entry.text)
        return rf"\textit{{{text}}}" if entry.kind == "incomplete" else text

    return " & ".join(map(shown, entries)) + r" \\"


def long_csv(tables: Sequence[FamilyTable]) -> str:
    """All tables as one CSV with a line per number.

    `kind` is "task" (raw, in the task's unit, Student's t interval) or "aggregate" (normalised,
    bootstrap interval). Numbers are as computed; what is unknown is empty.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for table in tables:
        for row in table.rows:
            writer.writerows(_csv_lines(table, row))
    return text.getvalue()


def _csv_lines(table: FamilyTable, row: Row) -> Iterator[list[object]]:
    key = table.key
    where = "reference" if row.reference else "local"
    shared: list[object] = [
        for_csv(key.suite), for_csv(key.tier), for_csv(key.family), for_csv(key.origin),
        key.version, for_csv(key.source), for_csv(row.name), where,
    ]  # fmt: skip
    for column, score in zip(table.columns, row.cells, strict=True):
        what = [for_csv(text) for text in (column.task, column.metric, column.unit)]
        yield [*shared, "task", *what, column.direction, *_csv_score(score)]
    summary = row.summary
    if summary is None:
        return
    tail = [len(summary.scores), len(summary.scores), "yes"]
    for name, interval, direction in (
        ("iqm", summary.iqm, "higher"),
        ("mean", summary.mean, "higher"),
        ("median", summary.median, "higher"),
        ("optimality_gap", summary.gap, "lower"),
    ):
        yield [*shared, "aggregate", name, "normalised", "", direction, *_ends(interval), *tail]
    rank = summary.rank
    ends = [rank.point, _raw(rank.low), _raw(rank.high)]
    yield [*shared, "aggregate", "rank", "iqm", "", "lower", *ends, *tail]


def _csv_score(score: Score | None) -> list[object]:
    if score is None:
        return ["", "", "", 0, "", "no"]
    ends = ["", "", ""] if score.interval is None else _ends(score.interval)
    done = "yes" if score.complete else "no"
    return [*ends, len(score.seeds), score.expected or "", done]


def _ends(interval: Interval) -> list[object]:
    return [repr(interval.point), _raw(interval.low), _raw(interval.high)]


def _raw(value: float | None) -> str:
    return "" if value is None else repr(value)


def overview(tables: Sequence[FamilyTable]) -> Grid:
    """One line per table: what is in it, how much is complete, and who leads."""
    header = [
        Entry(name, kind="text")
        for name in (
            "suite",
            "tier",
            "family",
            "origin",
            "source",
            "tasks",
            "ranked",
            "best by IQM",
        )
    ]
    return Grid(tuple(header), tuple(map(_overview_row, tables)))


def _overview_row(table: FamilyTable) -> tuple[Entry, ...]:
    key, ranked = table.key, table.ranked
    best = ", ".join(f"{row.label} {_iqm(row)}" for row in ranked[:1]) or "–"
    tied = [row for row in ranked[1:] if row.summary and row.summary.rank.low == 1]
    if tied:
        best += f" ({len(tied)} more may lead)"
    texts = (
        key.suite, key.tier, f"{key.family} v{key.version}", key.origin, key.source[:8],
        str(len(table.columns)), f"{len(ranked)} of {len(table.rows)}", best,
    )  # fmt: skip
    return tuple(Entry(text, kind="text") for text in texts)


def _iqm(row: Row) -> str:
    return interval_text(row.summary.iqm) if row.summary else ""


FORMATS: dict[str, Callable[[Sequence[FamilyTable]], str]] = {
    "md": markdown,
    "latex": latex,
    "csv": long_csv,
}
"""Text formats by the name that the command line knows."""
