"""The suite's own part of a report: solve rates per maze, the worst levels, the hardest found."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rlbench.core.arrays import unpack
from rlbench.core.stats import t_interval
from rlbench.core.suite import Exhibit, Picture, Table, View
from rlbench.suites.ued.metrics import MAZES, WORST

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 8
"""Levels of a row of the gallery."""
_PARTS = ("walls", "agent", "direction", "goal")


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
    shown: list[Exhibit] = []
    for task, records in frame.groupby("task"):
        found = {}
        for row, cell in records.sort_values("seed").groupby("row"):
            arrays = unpack_beside(Path(str(cell["path"].iloc[0])))
            if "found_walls" in arrays:
                found[str(row)] = {part: arrays[f"found_{part}"][:SHOWN] for part in _PARTS}
        if found:
            short = str(task).rpartition("/")[2]
            names = ", ".join(found)
            doc = f"One row each, highest value first, from the first seed: {names}."
            title = f"Hardest levels found: {task}"
            shown.append(Picture(f"gallery-{short}", title, _sheet(list(found.values())), doc))
    return shown


def unpack_beside(record: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The evidence beside a record; nothing where it is kept elsewhere."""
    evidence = record.with_suffix(".npz")
    return unpack(evidence) if evidence.exists() else {}


def _sheet(rows: Sequence[dict[str, np.ndarray[Any, Any]]]) -> bytes:
    """Rows of levels as a PNG."""
    from PIL import Image

    from rlbench.suites.ued.draw import draw_level, sheet

    pictures = []
    for row in rows:
        levels = list(zip(*(row[part] for part in _PARTS), strict=True))
        drawn = [
            draw_level(walls, int(agent), int(look), int(goal), 8)
            for walls, agent, look, goal in levels
        ]
        blank = np.full_like(drawn[0], 255)
        pictures += drawn + [blank] * (SHOWN - len(drawn))
    stream = io.BytesIO()
    Image.fromarray(sheet(pictures, columns=SHOWN)).save(stream, format="PNG", optimize=True)
    return stream.getvalue()


VIEWS: Sequence[View] = (
    View("mazes", "Solve rates per maze", per_maze),
    View("levels", "Random solvable levels", worst_levels),
    View("gallery", "Hardest levels found", gallery),
)
