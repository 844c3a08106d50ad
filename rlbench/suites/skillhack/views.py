"""The suite's own part of a report: success over training, whom students follow, what experts can.

Reads records, evidence and curves only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlbench.core.curves import curves_by_row, one_series, series
from rlbench.core.record import evidence_beside
from rlbench.core.suite import Exhibit, LinePlot, Panel, Table, View

if TYPE_CHECKING:
    import pandas as pd

FLOOR, CEILING = "random floor", "solvability ceiling"
SHARE = (0, 1)
_WEIGHT = "weight."
"""What the names of logged weights begin with; the teacher's follows."""


def success(frame: pd.DataFrame) -> list[Exhibit]:
    """For each task the share of training episodes won, a line for each baseline."""
    doc = (
        "Training episodes with sampled actions; IQM over seeds with pointwise 95 % bands. The"
        " frames of experts' training are not on the axis."
    )
    shown: list[Exhibit] = []
    for task, records in frame.groupby("task"):
        if lines := series(curves_by_row(records), "success"):
            first = records.iloc[0]
            levels = {FLOOR: float(first["low"]), CEILING: float(first["high"])}
            panel = Panel("share of episodes won", lines, levels, SHARE)
            shown.append(_plot(f"success-{_short(task)}", f"Success: {task}", panel, doc))
    return shown


def followed(frame: pd.DataFrame) -> list[Exhibit]:
    """For each task and student how much each of its teachers counts over time."""
    doc = "Mean over the states of a rollout; IQM over seeds with pointwise 95 % bands."
    shown: list[Exhibit] = []
    for task, records in frame.groupby("task"):
        for row, trials in curves_by_row(records).items():
            names = sorted({name for one in trials for name in one if name.startswith(_WEIGHT)})
            lines = [one_series(name.removeprefix(_WEIGHT), trials, name) for name in names]
            if drawn := [line for line in lines if line is not None]:
                panel = Panel("mean weight of the teacher", drawn, limits=SHARE)
                name = f"teachers-{_short(task)}-{_plain(row)}"
                shown.append(_plot(name, f"Whom {row} follows: {task}", panel, doc))
    return shown


def _plot(name: str, title: str, panel: Panel, doc: str) -> LinePlot:
    return LinePlot(name, title, [panel], "environment steps", doc)


def teachers(frame: pd.DataFrame) -> list[Exhibit]:
    """The experts that students learnt from: what each can do in its own skill, and its cost."""
    import pandas as pd

    found: dict[tuple[str, int, float], None] = {}
    for path in frame["path"]:
        trial = evidence_beside(Path(str(path)))
        if "teacher_name" in trial:
            columns = (trial[f"teacher_{name}"].tolist() for name in ("name", "frames", "success"))
            found |= dict.fromkeys(zip(*columns, strict=True))
    if not found:
        return []
    rows = [
        {"skill": name, "frames": frames, "success": round(won, 3)}
        for name, frames, won in sorted(found)
    ]
    table = pd.DataFrame(rows).set_index("skill")
    doc = "Share of evaluation episodes won by the expert in its own skill; frames of its training."
    return [Table("experts", "Experts", table, doc)]


def _short(task: object) -> str:
    return str(task).rpartition("/")[2]


def _plain(row: object) -> str:
    return "".join(char if char.isalnum() else "-" for char in str(row))


VIEWS: Sequence[View] = (
    View("success", "Success over training", success),
    View("teachers", "Whom students follow", followed),
    View("experts", "Experts", teachers),
)
