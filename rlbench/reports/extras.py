"""What the registry adds to a report: published figures, and the suites' own views.

Neither is needed: records that somebody else produced, for a suite that is not installed here,
still make a whole report.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

from rlbench.core.errors import RlbenchError
from rlbench.core.registry import Registry
from rlbench.core.suite import DotPlot, Exhibit, HeatMap, LinePlot, Picture, RankAxis, Table, View
from rlbench.reports.drawing import Plot
from rlbench.reports.escape import slug
from rlbench.reports.exhibits import draw
from rlbench.reports.families import REFERENCE_MARK, FamilyTable
from rlbench.reports.grid import Entry, Grid
from rlbench.reports.viewtable import frame_csv, frame_grid

if TYPE_CHECKING:
    import pandas as pd

Where = Literal["local", "reference", "both"]
"""Whose records a view shows."""
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class ShownTable:
    """A view's table; `csv` holds the numbers as computed."""

    name: str
    title: str
    caption: str
    grid: Grid
    csv: str


@dataclass(frozen=True)
class ShownPicture:
    """A picture that the suite drew."""

    name: str
    title: str
    caption: str
    png: bytes


Shown = ShownTable | ShownPicture | Plot


@dataclass(frozen=True)
class ShownView:
    """What a suite's view shows of one tier and one source."""

    suite: str
    tier: str
    source: str
    where: Where
    name: str
    title: str
    doc: str
    items: tuple[Shown, ...]


def load_registry() -> tuple[Registry, list[str]]:
    """The registry, or an empty one and why."""
    try:
        return Registry.load(), []
    except RlbenchError as error:
        return Registry(), [f"published figures are left out: {error}"]


def published(table: FamilyTable, registry: Registry) -> Grid | None:
    """What papers print for the tasks of a family, or None; never mixed with measured numbers.

    A figure that names its tier is shown only where its baseline was measured at that tier.
    """
    rows, measured = [], {row.name for row in table.rows}
    for column in table.columns:
        spec = registry.tasks.get(column.task)
        if spec is None or spec.version != table.key.version:
            continue
        for one in spec.published:
            if one.tier and (one.tier != table.key.tier or one.baseline not in measured):
                continue
            texts = (column.label, one.baseline, one.metric or column.metric)
            rows.append(
                (
                    *(Entry(text, text, "text") for text in texts),
                    Entry(f"{one.value:g}", one.value),
                    *(Entry(text, text, "text") for text in (one.source, one.note)),
                )
            )
    header = [Entry(name, kind="text") for name in ("task", "method", "metric")]
    header += [Entry("value"), Entry("source", kind="text"), Entry("note", kind="text")]
    return Grid(tuple(header), tuple(rows)) if rows else None


def shown_views(frame: pd.DataFrame, registry: Registry) -> tuple[list[ShownView], list[str]]:
    """The views of every suite, for each tier and source apart; tier `custom` has none.

    The user's own rows stand beside the reference's (see `_parts`) where both come from one source.

    Returns:
        What they show, and one line for each view or suite that could not be used.
    """
    found: list[ShownView] = []
    problems: list[str] = []
    official = frame[frame["tier"] != "custom"]
    for suite in sorted(set(official["suite"])):
        if suite not in registry.suite_names:
            problems.append(f"views of suite '{suite}' are left out: it is not installed here")
            continue
        try:
            views = registry.suite(suite).views()
        except RlbenchError as error:
            problems.append(f"views of suite '{suite}' are left out: {error}")
            continue
        own = official[official["suite"] == suite]
        for (tier, source), records in own.groupby(["tier", "source"]):
            for (where, part), view in product(_parts(records), views):
                items, problem = _build(view, part)
                if problem:
                    problems.append(f"view '{view.name}' of suite '{suite}' failed: {problem}")
                if items:
                    key = (suite, str(tier), str(source), where)
                    found.append(ShownView(*key, view.name, view.title, view.doc, items))
    return found, problems


def _parts(records: pd.DataFrame) -> Iterator[tuple[Where, pd.DataFrame]]:
    """What the views of one tier and source are built from.

    First the user's records with those that the reference has on the tasks that the user has
    completed, whose rows are marked. Then the reference by itself, if it has other tasks too.
    """
    local = records["where"] == "local"
    completed = set(records["protocol"][local & records["complete"]])
    shared = ~local & records["protocol"].isin(completed)
    if local.any():
        both = records[local | shared].reset_index(drop=True)
        both["row"] = both["row"].mask(both["where"] == "reference", both["row"] + REFERENCE_MARK)
        yield "both" if shared.any() else "local", both
    if not (local | shared).all():
        yield "reference", records[~local].reset_index(drop=True)


def apart(frame: pd.DataFrame) -> list[str]:
    """One line for each suite and tier where the user's records come from other code.

    They stand in no table and no view beside the reference then.
    """
    lines = []
    for (suite, tier), records in frame[frame["tier"] != "custom"].groupby(["suite", "tier"]):
        local, reference = (
            set(records["source"][records["where"] == where]) for where in ("local", "reference")
        )
        if reference and (others := sorted(local - reference)):
            lines.append(
                f"suite '{suite}', tier {tier}: your records of source {_short(others)} and the"
                f" reference ones of source {_short(sorted(reference))} come from different code,"
                " so they do not stand side by side"
            )
    return lines


def _short(sources: Sequence[str]) -> str:
    return ", ".join(source[:12] for source in sources)


def _build(view: View, frame: pd.DataFrame) -> tuple[tuple[Shown, ...], str]:
    try:
        items = tuple(map(_show, view.build(frame)))
        names = [slug(item.name) for item in items]
        if len(set(names)) < len(names):
            raise ValueError(f"expected exhibits with different names, found {names}")
    except Exception as error:  # a third party's code must not cost the rest of the report
        return (), f"{type(error).__name__}: {error}"
    return items, ""


def _show(exhibit: Exhibit) -> Shown:
    if isinstance(exhibit, Table):
        grid, csv = frame_grid(exhibit.frame), frame_csv(exhibit.frame)
        return ShownTable(exhibit.name, exhibit.title, exhibit.doc, grid, csv)
    if isinstance(exhibit, Picture):
        if not exhibit.png.startswith(_PNG):
            raise ValueError(f"{exhibit.name}: expected the bytes of a PNG file")
        return ShownPicture(exhibit.name, exhibit.title, exhibit.doc, exhibit.png)
    if isinstance(exhibit, HeatMap | DotPlot | LinePlot | RankAxis):
        return draw(exhibit)
    raise TypeError(f"expected exhibits of rlbench.core.suite, found {type(exhibit).__name__}")
