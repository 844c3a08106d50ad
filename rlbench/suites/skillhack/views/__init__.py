"""The suite's own part of a report: success over training, whom students follow, what experts can.

Reads records, evidence and curves only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlbench.core.arrays import unpack
from rlbench.core.suite import Exhibit, Picture, Table, View
from rlbench.suites.skillhack.views.charts import Array, chart, mean_points, read_points

if TYPE_CHECKING:
    import pandas as pd

FLOOR, CEILING = "random floor", "solvability ceiling"


def success(frame: pd.DataFrame) -> list[Exhibit]:
    """For each task the share of training episodes won, a line for each baseline."""
    shown: list[Exhibit] = []
    for task, records in frame.groupby("task"):
        lines = {}
        for row, cell in records.groupby("row"):
            curves = [read_points(Path(str(path)), "success") for path in cell["curve"] if path]
            known = [curve for curve in curves if curve is not None]
            if known:
                lines[str(row)] = mean_points(known)
        if lines:
            first = records.iloc[0]
            levels = {FLOOR: float(first["low"]), CEILING: float(first["high"])}
            png = chart(lines, axis="share of episodes won", levels=levels)
            doc = (
                "Training episodes with sampled actions, mean over seeds. The frames of experts'"
                " training are not on the axis."
            )
            shown.append(Picture(f"success-{_short(task)}", f"Success: {task}", png, doc))
    return shown


def followed(frame: pd.DataFrame) -> list[Exhibit]:
    """For each task and student how much each of its teachers counts over time."""
    shown: list[Exhibit] = []
    for (task, row), cell in frame.sort_values("seed").groupby(["task", "row"]):
        trials = [evidence_beside(Path(str(path))) for path in cell["path"]]
        taught = [trial for trial in trials if "teacher_weight" in trial]
        if not taught:
            continue
        names = [str(name) for name in taught[0]["teacher_name"].tolist()]
        lines = {
            name: mean_points(
                [(trial["teacher_weight_step"], trial["teacher_weight"][:, k]) for trial in taught]
            )
            for k, name in enumerate(names)
        }
        png = chart(lines, axis="mean weight of the teacher")
        doc = "Mean over the states of a rollout and over seeds."
        name, title = f"teachers-{_short(task)}-{_plain(row)}", f"Whom {row} follows: {task}"
        shown.append(Picture(name, title, png, doc))
    return shown


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


def evidence_beside(record: Path) -> dict[str, Array]:
    """The evidence beside a record; nothing where it is kept elsewhere."""
    evidence = record.with_suffix(".npz")
    return unpack(evidence) if evidence.exists() else {}


def _short(task: object) -> str:
    return str(task).rpartition("/")[2]


def _plain(row: object) -> str:
    return "".join(char if char.isalnum() else "-" for char in str(row))


VIEWS: Sequence[View] = (
    View("success", "Success over training", success),
    View("teachers", "Whom students follow", followed),
    View("experts", "Experts", teachers),
)
