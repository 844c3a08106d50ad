"""The contract between the harness and a suite; everything a suite must offer stands here.

The harness calls `run` in a worker process and `metrics_of` wherever numbers are needed. A suite's
module, its metrics and its views import nothing heavier than numpy when they are imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from rlbench.core.spec import BaselineSpec, TaskSpec

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from rlbench.core.context import Context
    from rlbench.core.stats import Band, Interval
    from rlbench.core.trial import Trial

    Evidence = Mapping[str, np.ndarray[Any, Any]]
    """Raw outcome units by name: per-episode returns, per-example scores, labels."""


@dataclass(frozen=True)
class Metric:
    """What a number means: unit, direction and the values it can take."""

    name: str
    doc: str
    unit: str
    direction: Literal["higher", "lower"]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What a trial leaves: evidence, and what else the record should say."""

    evidence: Evidence
    """Arrays of numbers, booleans or text, from which the metrics can be recomputed."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """Plain JSON facts that repeat exactly when the trial is repeated."""
    volatile: Mapping[str, Any] = field(default_factory=dict)
    """Plain JSON facts that do not: seconds, throughput."""


@dataclass(frozen=True)
class Table:
    """A table of a view; a field is a text, a number, or an `Interval` of `rlbench.core.stats`."""

    name: str
    """Short and plain: it becomes part of a file's name."""
    title: str
    frame: pd.DataFrame
    doc: str = ""


@dataclass(frozen=True, eq=False)
class HeatMap:
    """A matrix in colours, with a text in every field."""

    name: str
    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: np.ndarray[Any, Any]
    """Float `(rows, columns)`; NaN has no colour."""
    texts: Sequence[Sequence[str]]
    ends: tuple[float, float]
    """The values of the faint and of the strong end of the colours."""
    doc: str = ""
    centred: bool = False
    """Whether the middle between the ends is neutral, and the ends are opposites."""
    groups: Sequence[str] = ()
    """A heading for each column; neighbours of one heading share it, others stand apart."""


@dataclass(frozen=True)
class DotPlot:
    """Points with their intervals: a line for each row, a mark on it for each series."""

    name: str
    title: str
    rows: Sequence[str]
    series: Mapping[str, Sequence[Interval]]
    axis: str
    """What the numbers are, with their unit."""
    doc: str = ""


@dataclass(frozen=True, eq=False)
class Series:
    """A labelled line."""

    label: str
    steps: np.ndarray[Any, Any]
    """Ascending whole numbers, `(points,)`."""
    band: Band
    """The values over the steps, with their interval where there is one."""


@dataclass(frozen=True, eq=False)
class Panel:
    """One part of a line plot: lines over the same steps."""

    y_label: str
    """What the values are, with their unit."""
    series: Sequence[Series]
    levels: Mapping[str, float] = field(default_factory=dict)
    """Horizontal lines to compare with, such as a floor, by label."""
    limits: tuple[float | None, float | None] = (None, None)
    """Least and greatest value shown; None follows the lines."""


@dataclass(frozen=True)
class LinePlot:
    """Panels of lines over steps; a label has one colour in all of them."""

    name: str
    title: str
    panels: Sequence[Panel]
    x_label: str
    """What the steps count."""
    doc: str = ""


@dataclass(frozen=True)
class RankAxis:
    """Average ranks on an axis, best first, and bars over those that are not told apart."""

    name: str
    title: str
    rows: Sequence[str]
    ranks: Sequence[float]
    """Ascending, one for each row."""
    bars: Sequence[tuple[int, int]]
    """First and last row of each group that is not told apart."""
    distance: float
    """The least difference of average ranks that tells two rows apart."""
    doc: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture that the suite itself has drawn."""

    name: str
    title: str
    png: bytes
    doc: str = ""


Exhibit = Table | HeatMap | DotPlot | LinePlot | RankAxis | Picture


@dataclass(frozen=True)
class View:
    """A suite's own tables and figures, made from records, under the suite's heading in a report.

    `build` gets the frame of `rlbench.load_results` (one suite, one tier, one source) and returns
    what to show, in order; nothing when the records do not suffice. Their names differ. Where the
    reference's records stand beside the user's own, their `row` is marked.
    """

    name: str
    title: str
    build: Callable[[pd.DataFrame], Sequence[Exhibit]]
    doc: str = ""


class Suite(Protocol):
    """A family of tasks with one protocol."""

    @property
    def name(self) -> str:
        """The word before the slash in its task ids."""

    @property
    def title(self) -> str:
        """One line for `rlbench list suites`."""

    @property
    def extra(self) -> str:
        """What to `pip install` for it, such as `rlbench[ood]`."""

    @property
    def modules(self) -> Sequence[str]:
        """The top-level modules that must be importable to run it."""

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Every metric that `metrics_of` can return, by name."""

    def check_task(self, task: TaskSpec) -> None:
        """Validate `task.params` and its tiers; raise `ValueError` naming key and expectation."""

    def misfit(self, task: TaskSpec, baseline: BaselineSpec) -> str | None:
        """Why this baseline cannot run on this task, or None when it can."""

    def affinity(self, trial: Trial) -> str:
        """Trials with equal affinity share assets and are best run one after another."""

    def run(self, trial: Trial, ctx: Context) -> Outcome:
        """Run one trial from scratch or from its checkpoint."""

    def metrics_of(self, task: TaskSpec, evidence: Evidence) -> dict[str, float]:
        """Turn evidence into metrics; numpy only, used by the leaderboard validator as well."""

    def views(self) -> Sequence[View]:
        """The suite's own tables and figures for the report."""
