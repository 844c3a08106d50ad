"""A report on disk: `index.html`, `tables/` and `plots/`, from results folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rlbench.core.errors import RlbenchError, UsageError
from rlbench.core.files import digest, write_atomic
from rlbench.core.registry import Registry
from rlbench.reports.coverage import Line
from rlbench.reports.curves import panels
from rlbench.reports.drawing import Plot
from rlbench.reports.escape import slug
from rlbench.reports.extras import (
    ShownTable,
    ShownView,
    apart,
    load_registry,
    published,
    shown_views,
)
from rlbench.reports.families import FamilyTable, Key, family_tables, key_of
from rlbench.reports.frame import lines_of, load_results
from rlbench.reports.page import GENERATOR, Page, Section, render, view_anchor
from rlbench.reports.plots import family_plots
from rlbench.reports.provenance import commands, origins
from rlbench.reports.tables import FORMATS, latex_grid, long_csv, markdown_grid, overview

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = {"md": "md", "latex": "tex", "csv": "csv"}


@dataclass(frozen=True)
class Report:
    """What `build_report` made."""

    html: Path
    tables: tuple[Path, ...]
    plots: tuple[Path, ...]
    families: tuple[FamilyTable, ...]
    problems: tuple[str, ...]
    """One line for each corrupt record or view that had to be left out, and for what cannot stand
    side by side."""
    corrupt: bool
    """Whether a record was left out because it is corrupt."""

    @property
    def summary(self) -> str:
        """The overview of families as a Markdown table."""
        return markdown_grid(overview(self.families))


def load_for_report(
    roots: Sequence[Path | str],
    *,
    reference: bool = True,
    tasks: str = "*",
    baselines: str = "*",
    tier: str = "*",
) -> pd.DataFrame:
    """The frame of a report: `load_results` that goes on past corrupt records.

    Raises:
        RlbenchError: there is no record at all.
        UsageError: as for `load_results`.
    """
    frame = load_results(
        *roots, reference=reference, tasks=tasks, baselines=baselines, tier=tier, strict=False
    )
    if frame.empty:
        where = ", ".join(map(str, roots)) or "results/local"
        bad = len(frame.attrs["problems"])
        more = f" ({bad} corrupt: {frame.attrs['problems'][0]})" if bad else ""
        raise RlbenchError(f"{where}: no results yet{more}; make some with rlbench run")
    return frame


def build_report(
    roots: Sequence[Path | str] = (),
    out: Path | str = Path("report"),
    *,
    reference: bool = True,
    tasks: str = "*",
    baselines: str = "*",
    tier: str = "*",
) -> Report:
    """Write a report; the same records give the same bytes.

    Args:
        roots: results folders; `results/local` when none is given.
        out: the folder to write. What an earlier report left in its `tables/` and `plots/` is
            taken away.
        reference: show the bundled reference records beside them.
        tasks: ids or globs, separated by commas.
        baselines: the same.
        tier: one tier, or several separated by commas.

    Raises:
        RlbenchError: there is no record at all.
        UsageError: no such results folder, a pattern matches nothing, or `out` holds a page that
            is no report.
        MissingError: pandas, matplotlib or scipy is not installed.
        StorageError: `out` cannot take the files.
    """
    folder = Path(out)
    frame = load_for_report(roots, reference=reference, tasks=tasks, baselines=baselines, tier=tier)
    _claim(folder)
    corrupt = list(frame.attrs["problems"])
    registry, problems = load_registry()
    families = family_tables(frame)
    views, more = shown_views(frame, registry)
    sources = apart(frame)
    lines = lines_of(frame)
    sections = _sections(families, lines, registry)
    page = Page(
        sections=sections,
        overview=overview(families),
        views=views,
        origins=origins(lines),
        commands=commands(lines),
        counts=_counts(lines),
        notes=[*_page_notes(corrupt), *sources],
    )
    files = {**_files(folder, sections), **_view_files(folder, views)}
    for path, data in files.items():
        write_atomic(path, data)
    write_atomic(folder / "index.html", render(page).encode())
    return Report(
        html=folder / "index.html",
        tables=tuple(path for path in files if path.parent.name == "tables"),
        plots=tuple(path for path in files if path.parent.name == "plots"),
        families=tuple(families),
        problems=(*corrupt, *problems, *more, *sources),
        corrupt=bool(corrupt),
    )


def _sections(
    families: Sequence[FamilyTable], lines: Sequence[Line], registry: Registry
) -> list[Section]:
    grouped: dict[Key, list[Line]] = {}
    for line in lines:
        grouped.setdefault(key_of(line), []).append(line)
    sections = []
    for table in families:
        curves, notes = panels(table, grouped[table.key])
        sections.append(
            Section(
                anchor=name_of(table.key),
                table=table,
                plots=family_plots(table, curves),
                published=published(table, registry),
                notes=notes,
            )
        )
    return sections


def name_of(key: Key) -> str:
    """A file name for a table: readable, and unique through the digest at its end."""
    words = slug(f"{key.suite}-{key.family}-{key.tier}")
    return f"{words}-v{key.version}-{digest(list(key))[:6]}"


def _files(folder: Path, sections: Sequence[Section]) -> dict[Path, bytes]:
    found: dict[Path, bytes] = {}
    for section in sections:
        for kind, write in FORMATS.items():
            path = folder / "tables" / f"{section.anchor}.{ENDINGS[kind]}"
            found[path] = write([section.table]).encode()
        for plot in section.plots:
            found[folder / "plots" / f"{section.anchor}-{plot.name}.svg"] = plot.svg
            found[folder / "plots" / f"{section.anchor}-{plot.name}.png"] = plot.png
    found[folder / "tables" / "all.csv"] = long_csv([s.table for s in sections]).encode()
    return found


def _view_files(folder: Path, views: Sequence[ShownView]) -> dict[Path, bytes]:
    found: dict[Path, bytes] = {}
    for view in views:
        stem = view_anchor(view)
        for item in view.items:
            table = folder / "tables" / f"{stem}-{slug(item.name)}"
            plot = folder / "plots" / table.name
            if isinstance(item, ShownTable):
                found[_with(table, ".md")] = markdown_grid(item.grid).encode()
                found[_with(table, ".tex")] = latex_grid(item.grid, item.title).encode()
                found[_with(table, ".csv")] = item.csv.encode()
            else:
                found[_with(plot, ".png")] = item.png
            if isinstance(item, Plot):
                found[_with(plot, ".svg")] = item.svg
    return found


def _with(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _claim(folder: Path) -> None:
    """Take away what an earlier report left, and nothing else.

    Raises:
        UsageError: `folder` holds a page that is no report, so its files are somebody's.
    """
    page = folder / "index.html"
    if not page.exists():
        return
    if GENERATOR not in page.read_text(encoding="utf-8", errors="replace")[:4096]:
        raise UsageError(f"{page}: exists and is no rlbench report; choose another --out")
    for part, endings in (("tables", {".md", ".tex", ".csv"}), ("plots", {".svg", ".png"})):
        for path in sorted((folder / part).glob("*")):
            if path.suffix in endings and path.is_file():
                path.unlink()


def _counts(lines: Sequence[Line]) -> dict[str, int]:
    own = sum(line["where"] == "local" for line in lines)
    return {
        "suite": len({line["suite"] for line in lines}),
        "task": len({line["task"] for line in lines}),
        "baseline": len({(line["suite"], line["row"]) for line in lines}),
        "local record": own,
        "reference record": len(lines) - own,
    }


def _page_notes(corrupt: Sequence[str]) -> list[str]:
    if not corrupt:
        return []
    were = "record was" if len(corrupt) == 1 else "records were"
    return [f"{len(corrupt)} corrupt {were} left out; rlbench report names them"]
