"""The suite object: curricula train a student on mazes; it is measured in mazes unseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rlbench.core.spec import BaselineSpec, TaskSpec
from rlbench.core.suite import Metric, Outcome, View
from rlbench.suites.ued.metrics import METRICS, ued_metrics
from rlbench.suites.ued.settings import protocol, task_settings

if TYPE_CHECKING:
    from rlbench.core.context import Context
    from rlbench.core.suite import Evidence
    from rlbench.core.trial import Trial


class UedSuite:
    """Implements `rlbench.core.suite.Suite`."""

    name = "ued"
    title = "Unsupervised environment design on MiniGrid mazes"
    extra = "rlbench[ued]"
    modules: Sequence[str] = ("torch",)
    metrics: Mapping[str, Metric] = METRICS

    def check_task(self, task: TaskSpec) -> None:
        """See `Suite.check_task`; generators and mazes are looked up when a trial runs."""
        task_settings(task)
        for table in task.tiers.values():
            protocol(task, table)
        if task.primary not in METRICS:
            raise ValueError(f"primary: expected one of {sorted(METRICS)}, found '{task.primary}'")

    def misfit(self, task: TaskSpec, baseline: BaselineSpec) -> str | None:
        """Every curriculum fits every maze."""
        return None

    def affinity(self, trial: Trial) -> str:
        """Seeds that are trained together; else the trials of one seed, which share nothing."""
        if protocol(trial.task, trial.protocol).seeds_at_once > 1:
            return f"{trial.task.name} {trial.baseline.name}"
        return f"{trial.task.name} seed {trial.seed}"

    def run(self, trial: Trial, ctx: Context) -> Outcome:
        """See `trial.run_trial`."""
        from rlbench.suites.ued.trial import run_trial

        return run_trial(trial, ctx)

    def metrics_of(self, task: TaskSpec, evidence: Evidence) -> dict[str, float]:
        """See `metrics.ued_metrics`."""
        return ued_metrics(evidence)

    def views(self) -> Sequence[View]:
        """See `views`."""
        from rlbench.suites.ued.views import VIEWS

        return VIEWS


SUITE = UedSuite()
