"""The suite object: policies play NetHack levels made for one skill, or for several at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rlbench.core.spec import BaselineSpec, TaskSpec
from rlbench.core.suite import Metric, Outcome, View
from rlbench.suites.skillhack.metrics import METRICS, skillhack_metrics
from rlbench.suites.skillhack.settings import protocol, task_settings

if TYPE_CHECKING:
    from rlbench.core.context import Context
    from rlbench.core.suite import Evidence
    from rlbench.core.trial import Trial


class SkillHackSuite:
    """Implements `rlbench.core.suite.Suite`."""

    name = "skillhack"
    title = "Skills and tasks in NetHack"
    extra = "rlbench[skillhack]"
    modules: Sequence[str] = ("torch", "nle")
    metrics: Mapping[str, Metric] = METRICS

    def check_task(self, task: TaskSpec) -> None:
        """See `Suite.check_task`; levels are compiled when a trial runs."""
        task_settings(task)
        for table in task.tiers.values():
            protocol(task, table)
        if task.primary not in METRICS:
            raise ValueError(f"primary: expected one of {sorted(METRICS)}, found '{task.primary}'")

    def misfit(self, task: TaskSpec, baseline: BaselineSpec) -> str | None:
        """What keeps a player from a task; recipes that need experts name their tasks."""
        if baseline.name == "scripted" and task.params.get("environment"):
            return "there are no scripts for environments of MiniHack and nle"
        return None

    def affinity(self, trial: Trial) -> str:
        """Trials of one seed on one task share the experts."""
        return f"{trial.task.name} seed {trial.seed}"

    def run(self, trial: Trial, ctx: Context) -> Outcome:
        """See `trial.run_trial`."""
        from rlbench.suites.skillhack.trial import run_trial

        return run_trial(trial, ctx)

    def metrics_of(self, task: TaskSpec, evidence: Evidence) -> dict[str, float]:
        """See `metrics.skillhack_metrics`."""
        return skillhack_metrics(evidence)

    def views(self) -> Sequence[View]:
        """See `views`."""
        from rlbench.suites.skillhack.views import VIEWS

        return VIEWS


SUITE = SkillHackSuite()
