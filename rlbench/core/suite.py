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
class View:
    """A suite's own table, made from records; the report shows it under the suite's heading.

    `build` gets the frame of `rlbench.load_results` (one suite, one tier, one source) and returns
    a frame to print, or None when the records do not suffice.
    """

    name: str
    title: str
    build: Callable[[pd.DataFrame], pd.DataFrame | None]
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
        """The suite's own tables for the report."""
