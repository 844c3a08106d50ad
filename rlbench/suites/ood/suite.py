"""The suite object: pairs of an in-distribution and an out-of-distribution set, and detectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rlbench.core.files import digest
from rlbench.core.spec import BaselineSpec, TaskSpec
from rlbench.core.suite import Metric, Outcome, View
from rlbench.suites.ood import sources
from rlbench.suites.ood.metrics import METRICS, pair_metrics
from rlbench.suites.ood.params import protocol, task_params

if TYPE_CHECKING:
    from rlbench.core.context import Context
    from rlbench.core.suite import Evidence
    from rlbench.core.trial import Trial


class OodSuite:
    """Implements `rlbench.core.suite.Suite`."""

    name = "ood"
    title = "Out-of-distribution detection on a frozen classifier"
    extra = "rlbench[ood]"
    modules: Sequence[str] = ("torch", "sklearn", "PIL")
    metrics: Mapping[str, Metric] = METRICS

    def check_task(self, task: TaskSpec) -> None:
        """See `Suite.check_task`."""
        sources.check(task)
        if task.primary not in METRICS:
            raise ValueError(f"primary: expected one of {sorted(METRICS)}, found '{task.primary}'")
        for name, table in task.tiers.items():
            trained = task_params(task).classifier != "softmax"
            if trained and protocol(task, table).epochs < 1:
                raise ValueError(f"tiers.{name}.epochs: expected at least 1, found 0")

    def misfit(self, task: TaskSpec, baseline: BaselineSpec) -> str | None:
        """Every detector fits every pair: what it lacks on a classifier it finds out by reading."""
        return None

    def affinity(self, trial: Trial) -> str:
        """Trials on one classifier: same ID set, sizes and seed."""
        params, sizes = task_params(trial.task), trial.protocol
        shared = {name: size for name, size in sizes.items() if name != "n_ood"}
        ident = [params.id.source, list(params.id.classes), params.classifier, shared]
        return f"{params.id.source} {digest(ident)[:12]} seed {trial.seed}"

    def run(self, trial: Trial, ctx: Context) -> Outcome:
        """See `posthoc.run_trial`; the training of a shared classifier is not resumed."""
        from rlbench.suites.ood.posthoc import run_trial

        return run_trial(trial, ctx)

    def metrics_of(self, task: TaskSpec, evidence: Evidence) -> dict[str, float]:
        """See `metrics.pair_metrics`."""
        return pair_metrics(evidence)

    def views(self) -> Sequence[View]:
        """None."""
        return ()


SUITE = OodSuite()
