"""The report as one HTML file that needs nothing but itself.

It works offline, from a file or any static host, under a Content-Security-Policy that allows this
very style sheet, this very script and nothing else. It holds no time of build and no path, so equal
records give an equal file.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from itertools import groupby

from rlbench.core.files import digest
from rlbench.reports.drawing import Plot
from rlbench.reports.escape import for_html, slug
from rlbench.reports.extras import Shown, ShownPicture, ShownTable, ShownView, Where
from rlbench.reports.families import FamilyTable, Row
from rlbench.reports.grid import Entry, Grid, family_grid, metrics_line
from rlbench.reports.svg import inline_svg

GENERATOR = '<meta name="generator" content="rlbench report">'
_LINKED = 2  # the family, in the overview
_LEAD = 2  # rank and IQM
_LONG_NOTES = 8
_WRAPPED = 40  # characters beyond which a field may break over lines


@dataclass(frozen=True)
class Section:
    """One family's part of the page."""

    anchor: str
    table: FamilyTable
    plots: Sequence[Plot] = ()
    published: Grid | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """Everything that the page shows, in order."""

    sections: Sequence[Section]
    overview: Grid
    views: Sequence[ShownView]
    origins: Grid
    commands: Grid
    counts: Mapping[str, int]
    notes: Sequence[str] = field(default_factory=tuple)


def render(page: Page) -> str:
    """The whole file's text."""
    style, script = _asset("report.css"), _asset("report.js")
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    counts = ", ".join(_count(count, name) for name, count in page.counts.items() if count)
    body = [
        _section("overview", "Overview", _overview(page)),
        *_suites(page),
        _section("provenance", "Provenance", _provenance(page)),
    ]
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            GENERATOR,
            "<title>rlbench report</title>",
            f"<style>{style}</style>\n</head>\n<body>",
            '<a class="skip" href="#main">Skip to the results</a>',
            f'<header class="top"><h1>rlbench report</h1><p class="lead">{counts}</p></header>',
            f'<div class="body">\n{_contents(page)}\n<main id="main">',
            *body,
            f"</main>\n</div>\n<script>{script}</script>\n</body>\n</html>\n",
        ]
    )


def _asset(name: str) -> str:
    return files("rlbench.reports").joinpath("assets", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _section(anchor: str, title: str, inner: str) -> str:
    return f'<section id="{anchor}"><h2>{for_html(title)}</h2>\n{inner}\n</section>'


# -- contents -------------------------------------------------------------------------------------


def _contents(page: Page) -> str:
    items = ['<li><a href="#overview">Overview</a></li>']
    for suite, sections in _by_suite(page):
        inner = "".join(
            f'<li><a href="#{view_anchor(view)}">{for_html(view.title)}'
            f'<span class="tag">{for_html(view.tier)}</span></a></li>'
            for view in page.views
            if view.suite == suite
        )
        inner += "".join(
            f'<li><a href="#{one.anchor}">{for_html(one.table.key.family)}'
            f'<span class="tag">{for_html(_tag(one, sections))}</span></a></li>'
            for one in sections
        )
        anchor = f"suite-{slug(suite)}"
        items.append(f'<li><a href="#{anchor}">{for_html(suite)}</a><ul>{inner}</ul></li>')
    items.append('<li><a href="#provenance">Provenance</a></li>')
    return (
        '<nav aria-label="Contents"><details open><summary>Contents</summary>'
        f"<ul>{''.join(items)}</ul></details></nav>"
    )


def _tag(section: Section, siblings: Sequence[Section]) -> str:
    """The tier, with version and source where several tables would read alike."""
    key = section.table.key
    alone = sum(other.table.key[:4] == key[:4] for other in siblings) == 1
    return key.tier if alone else f"{key.tier} v{key.version} {key.source[:6]}"


def _by_suite(page: Page) -> list[tuple[str, list[Section]]]:
    grouped = groupby(page.sections, key=lambda section: section.table.key.suite)
    return [(suite, list(sections)) for suite, sections in grouped]


# -- overview and legend --------------------------------------------------------------------------

_LEGEND = (
    ("mean ± half", "A task's score over the official seeds in the task's own unit, with the half "
     "width of Student's 95 % t interval. The arrow in the heading says which way is better."),
    ("IQM", "Interquartile mean: the mean of the middle half of all runs of all tasks, on scores "
     "normalised so that 0 and 1 are each task's two reference points. Neither one lucky run "
     "nor one hard task decides it (Agarwal et al. 2021)."),
    ("[low, high]", "95 % stratified bootstrap interval, widened for few seeds. With one seed "
     "there is none."),
    ("optimality gap", "How far runs fall short of a normalised score of 1, on average; what "
     "exceeds 1 does not make up for it. Lower is better."),
    ("rank", "95 % bootstrap interval of the rank by IQM, among the complete rows of the table. "
     "Shaded rows may be the best: their interval holds rank 1."),
    ("incomplete", "In italics, with the number of official seeds that are there. An incomplete "
     "row is never averaged and never ranked, and what is missing is never counted as 0."),
    ("reference", "Rows measured by the rlbench authors and shipped with it. They stand beside "
     "your own only when both were made by the same source code."),
    ("tier", "How much each trial was given: smoke, small, medium or paper. Tiers never share a "
     "table. Tier custom has a changed budget: it is shown, never ranked."),
    ("published", "A figure that a paper prints, under its own protocol. Not measured here."),
)  # fmt: skip


def _overview(page: Page) -> str:
    rows = "".join(
        _row([replace(entry, sort=entry.text) for entry in entries], link=section.anchor)
        for entries, section in zip(page.overview.rows, page.sections, strict=True)
    )
    legend = "".join(f"<dt>{for_html(t)}</dt><dd>{for_html(d)}</dd>" for t, d in _LEGEND)
    return (
        f'<div class="card">{_table(page.overview.header, rows, "Overview")}'
        f"{_notes(page.notes)}</div>\n"
        f'<details class="card legend"><summary><b>How to read this</b></summary>'
        f"<dl>{legend}</dl></details>"
    )


# -- suites ---------------------------------------------------------------------------------------


def _suites(page: Page) -> Iterable[str]:
    for suite, sections in _by_suite(page):
        parts = [_view(view) for view in page.views if view.suite == suite]
        parts += [_family(section, sections) for section in sections]
        yield _section(f"suite-{slug(suite)}", suite, "\n".join(parts))


def _family(section: Section, siblings: Sequence[Section]) -> str:
    table = section.table
    key = table.key
    facts = (
        f"version {key.version} · source {key.source[:12]} · {_count(len(table.rows), 'baseline')}"
    )
    parts = [
        f'<article class="card" id="{section.anchor}"><h3>{for_html(key.family)} '
        f'<span class="tag">{for_html(key.tier)}</span> '
        f'<span class="tag">{for_html(key.origin)}</span></h3>',
        f'<p class="meta">{for_html(facts)}{_elsewhere(section, siblings)}<br>'
        f"{for_html(metrics_line(table))}</p>",
        _family_table(table),
        _notes([*table.notes, *section.notes]),
    ]
    if section.published is not None:
        parts.append("<h4>Published figures (not measured here)</h4>")
        parts.append(_plain_table(section.published, "Published figures"))
    figures = "".join(_figure(section.anchor, plot) for plot in section.plots)
    parts.append(f'<div class="figures">{figures}</div></article>' if figures else "</article>")
    return "\n".join(filter(None, parts))


def _elsewhere(section: Section, siblings: Sequence[Section]) -> str:
    """Links to the same family and tier as other code or another version measured it."""
    mine = section.table.key
    links = [
        f'<a href="#{other.anchor}">version {other.table.key.version}, source '
        f"{other.table.key.source[:12]}</a>"
        for other in siblings
        if other is not section and other.table.key[:4] == mine[:4]
    ]
    return f"; measured apart: {', '.join(links)}" if links else ""


def _family_table(table: FamilyTable) -> str:
    grid = family_grid(table)
    order = _reading_order(grid, len(table.columns))
    rows = "".join(
        _row([entries[index] for index in order], row=row)
        for entries, row in zip(grid.rows, table.rows, strict=True)
    )
    label = f"{table.key.family}, tier {table.key.tier}"
    return _table([grid.header[index] for index in order], rows, label)


def _reading_order(grid: Grid, tasks: int) -> list[int]:
    """Baseline, rank and IQM first: on a narrow screen the rest has to be scrolled to."""
    order = list(range(len(grid.header)))
    aggregates = order[1 + tasks :]
    return [0, *aggregates[-1:], *aggregates[:1], *order[1 : 1 + tasks], *aggregates[1:-1]]


def view_anchor(view: ShownView) -> str:
    """An id, and the begin of file names, that no other view of the page has."""
    words = slug(f"{view.suite}-{view.name}-{view.tier}")
    return f"{words}-{digest([view.source, view.where, view.suite, view.name])[:6]}"


_WHOSE: Mapping[Where, str] = {
    "local": "",
    "reference": ", reference records",
    "both": ", your records and the reference ones on the same tasks",
}


def _view(view: ShownView) -> str:
    where = _WHOSE[view.where]
    doc = f"{view.doc} " if view.doc else ""
    anchor = view_anchor(view)
    parts = [
        f'<article class="card" id="{anchor}"><h3>{for_html(view.title)} '
        f'<span class="tag">{for_html(view.tier)}</span></h3>',
        f'<p class="meta">{for_html(doc)}Source {for_html(view.source[:12])}{where}.</p>',
    ]
    for tables, items in groupby(view.items, key=lambda item: isinstance(item, ShownTable)):
        inner = "\n".join(_exhibit(anchor, item) for item in items)
        parts.append(inner if tables else f'<div class="figures">{inner}</div>')
    return "\n".join([*parts, "</article>"])


def _exhibit(anchor: str, item: Shown) -> str:
    if isinstance(item, ShownTable):
        caption = f'<p class="meta">{for_html(item.caption)}</p>' if item.caption else ""
        return f"<h4>{for_html(item.title)}</h4>{caption}{_plain_table(item.grid, item.title)}"
    if isinstance(item, ShownPicture):
        data = base64.b64encode(item.png).decode()
        drawing = f'<img src="data:image/png;base64,{data}" alt="{for_html(item.title)}">'
        return _framed(item.title, item.caption, drawing, wide=True)
    return _figure(anchor, item)


def _figure(anchor: str, plot: Plot) -> str:
    label = f"{plot.title}: {plot.caption}"
    drawing = inline_svg(plot.svg, f"{anchor}-{slug(plot.name)}", label, natural=plot.wide)
    return _framed(plot.title, plot.caption, drawing, wide=plot.wide)


def _framed(title: str, caption: str, drawing: str, *, wide: bool) -> str:
    kind = ' class="wide"' if wide else ""
    return (
        f"<figure{kind}><figcaption><b>{for_html(title)}.</b> {for_html(caption)}</figcaption>"
        f'<div class="plot" tabindex="0" role="group" aria-label="{for_html(title)}">'
        f"{drawing}</div></figure>"
    )


def _notes(notes: Sequence[str]) -> str:
    if not notes:
        return ""
    long = " long" if len(notes) > _LONG_NOTES else ""
    items = "".join(f"<li>{for_html(note)}</li>" for note in notes)
    return f'<ul class="notes{long}">{items}</ul>'


def _provenance(page: Page) -> str:
    return (
        '<div class="card"><p class="meta">What measured the numbers above. The source digest '
        "covers the code of the suite and of the shared learning library.</p>"
        f"{_plain_table(page.origins, 'Provenance')}</div>\n"
        '<details class="card"><summary><b>Commands that repeat each cell</b></summary>'
        f"{_plain_table(page.commands, 'Commands')}</details>"
    )


# -- tables ---------------------------------------------------------------------------------------


def _plain_table(grid: Grid, label: str) -> str:
    return _table(grid.header, "".join(_row(row) for row in grid.rows), label)


def _table(header: Sequence[Entry], rows: str, label: str) -> str:
    """A sortable table in a box of its own that scrolls, so that the page never does sideways."""
    heads = "".join(
        f'<th scope="col" class="{_classes(entry)}"{_hint(entry)}>{for_html(entry.text)}</th>'
        for entry in header
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{for_html(label)}">'
        f'<table class="sortable"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(
    entries: Sequence[Entry],
    *,
    row: Row | None = None,
    link: str = "",
) -> str:
    """One table row; the first field heads it."""
    top = row is not None and row.summary is not None and row.summary.rank.low == 1
    cells = []
    for index, entry in enumerate(entries):
        text = _text(entry, row if index == 0 else None)
        if link and index == _LINKED:
            text = f'<a href="#{link}">{text}</a>'
        classes = _classes(entry) + (" top" if top and 0 < index <= _LEAD else "")
        tag, scope = ("th", ' scope="row"') if index == 0 else ("td", "")
        cells.append(f'<{tag}{scope} class="{classes}"{_sort(entry)}{_hint(entry)}>{text}</{tag}>')
    unranked = ' class="unranked"' if row is not None and row.summary is None else ""
    return f"<tr{unranked}>{''.join(cells)}</tr>\n"


def _text(entry: Entry, row: Row | None) -> str:
    """The field's text; what follows the number is shown smaller."""
    if row is not None:
        mark = ' class="reference"' if row.reference else ""
        return f"<span{mark}>{for_html(row.name)}</span>"
    if entry.kind == "code":
        return f"<code>{for_html(entry.text)}</code>"
    number, space, rest = entry.text.partition(" ")
    if entry.kind in ("number", "incomplete") and space and entry.sort is not None:
        more = f' <span class="more">{for_html(rest)}</span>'
        return f'<span class="value">{for_html(number)}</span>{more}'
    return for_html(entry.text)


def _classes(entry: Entry) -> str:
    wrap = " wrap" if len(entry.text) > _WRAPPED and entry.kind == "text" else ""
    kind = "text" if entry.kind == "reference" else entry.kind
    return f"{kind}{wrap}"


def _sort(entry: Entry) -> str:
    if entry.sort is None:
        return ""
    value = repr(entry.sort) if isinstance(entry.sort, float) else entry.sort
    return f' data-sort="{for_html(value)}"'


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"


def _hint(entry: Entry) -> str:
    return f' title="{for_html(entry.hint)}"' if entry.hint else ""
