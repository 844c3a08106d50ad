"""The suite's own part of a report: solve rates, the levels chosen over time, the hardest found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlbench.core.curves import Logged, curves_by_row, series
from rlbench.core.record import evidence_beside
from rlbench.core.stats import t_interval
from rlbench.core.suite import Exhibit, LinePlot, Panel, Picture, Table, View
from rlbench.suites.ued.draw import Picture as Drawn
from rlbench.suites.ued.draw import captioned, png_bytes, sheet, stack
from rlbench.suites.ued.evolution import Arrays, by_columns, pictures
from rlbench.suites.ued.metrics import MAZES, WORST

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 8
"""Levels of a row of the gallery."""
_DIFFICULTY: Mapping[str, tuple[str, float | None]] = {
    "walls": ("walls of a level", None),
    "path": ("shortest path, moves", None),
    "solvable": ("share of solvable levels", 1),
    "solved": ("share of episodes solved", 1),
}
"""What is drawn of a curve: the logged value, its label, and its greatest value."""


def per_maze(frame: pd.DataFrame) -> list[Exhibit]:
    """For each task a table, rows are baselines, columns the evaluation mazes."""
    columns = {name: f"metric.solve.{name}" for name in MAZES}
    return _tables(frame, "mazes", "Solve rate per maze", columns)


def worst_levels(frame: pd.DataFrame) -> list[Exhibit]:
    """For each task a table of solve rates on random solvable levels, from all to the worst."""
    columns = {"all levels": "metric.level_solve_rate"}
    columns |= {f"worst {p:g} %": f"metric.cvar_{p:g}" for p in WORST}
    return _tables(frame, "levels", "Solve rate on random levels", columns)


def _tables(frame: pd.DataFrame, name: str, title: str, columns: dict[str, str]) -> list[Exhibit]:
    import pandas as pd

    shown: list[Exhibit] = []
    for task, records in frame.groupby("task"):
        here = {k: c for k, c in columns.items() if c in frame and records[c].notna().any()}
        rows = {
            row: {label: _interval(cell[column]) for label, column in here.items()}
            for row, cell in records.groupby("row")
        }
        if here:
            short = str(task).rpartition("/")[2]
            table = pd.DataFrame.from_dict(rows, orient="index")
            doc = "Means over seeds with 95 % intervals of Student's t."
            shown.append(Table(f"{name}-{short}", f"{title}: {task}", table, doc))
    return shown


def _interval(values: pd.Series[float]) -> Any:
    known = values.dropna().to_numpy(float)
    return t_interval(known) if len(known) else ""


def gallery(frame: pd.DataFrame) -> list[Exhibit]:
    """For each task a picture of the levels that curricula valued most, a row for each of them."""

    def row(name: str, evidence: Arrays) -> Drawn | None:
        found = pictures(evidence, "found", tile=8)[:SHOWN]
        return captioned(sheet(found, columns=SHOWN), name) if found else None

    doc = "A row each, highest value first, from the first seed."
    return _stacked(frame, "gallery", "Hardest levels found", doc, row)


def evolution(frame: pd.DataFrame) -> list[Exhibit]:
    """For each task how hard the chosen levels were over time, and some of them."""

    def strip(name: str, evidence: Arrays) -> Drawn | None:
        drawn = by_columns(evidence)
        return None if drawn is None else captioned(drawn, f"{name}: {_when(evidence)}")

    charts = [
        difficulty(str(task), curves_by_row(records)) for task, records in frame.groupby("task")
    ]
    shown: list[Exhibit] = [chart for chart in charts if chart.panels]
    doc = "Three levels each time, from the first seed."
    return shown + _stacked(frame, "evolution", "Levels chosen, over time", doc, strip)


def difficulty(task: str, curves: Mapping[str, Sequence[Logged]]) -> LinePlot:
    """How hard the levels of a task were that students learnt from.

    Args:
        task: its id.
        curves: of each curriculum's trials, by label; of those without any there is no panel.
    """
    shown = ((series(curves, name), *rest) for name, rest in _DIFFICULTY.items())
    panels = [Panel(label, lines, limits=(0, top)) for lines, label, top in shown if lines]
    doc = "Means over the levels of a rollout, IQM over seeds with pointwise 95 % bands."
    name, title = f"difficulty-{task.rpartition('/')[2]}", f"Levels learnt from, over time: {task}"
    return LinePlot(name, title, panels, "updates of the student", doc)


def _when(evidence: Arrays) -> str:
    return "updates " + ", ".join(f"{now:,}" for now in evidence["seen_update"].tolist())


def _stacked(
    frame: pd.DataFrame,
    name: str,
    title: str,
    doc: str,
    draw: Callable[[str, Arrays], Drawn | None],
) -> list[Exhibit]:
    """For each task a picture with what `draw` makes of each row's first record."""
    shown: list[Exhibit] = []
    for task, records in frame.groupby("task"):
        rows = [
            draw(str(row), evidence_beside(Path(str(cell["path"].iloc[0]))))
            for row, cell in records.sort_values("seed").groupby("row")
        ]
        drawn = [row for row in rows if row is not None]
        if drawn:
            short = str(task).rpartition("/")[2]
            png = png_bytes(stack(drawn))
            shown.append(Picture(f"{name}-{short}", f"{title}: {task}", png, doc))
    return shown


VIEWS: Sequence[View] = (
    View("mazes", "Solve rates per maze", per_maze),
    View("levels", "Random solvable levels", worst_levels),
    View("evolution", "Levels chosen over time", evolution),
    View("gallery", "Hardest levels found", gallery),
)
