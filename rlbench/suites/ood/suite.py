"""The suite object: pairs of an in-distribution and an out-of-distribution set, and detectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rlbench.core.files import digest
from rlbench.core.spec import BaselineSpec, TaskSpec
from rlbench.core.suite import Metric, Outcome, View
from rlbench.suites.ood import sources
from rlbench.suites.ood.metrics import METRICS, metric_names, metrics_of
from rlbench.suites.ood.params import protocol, task_params
from rlbench.suites.ood.sets import is_trained
from rlbench.suites.ood.views import VIEWS

if TYPE_CHECKING:
    from rlbench.core.context import Context
    from rlbench.core.suite import Evidence
    from rlbench.core.trial import Trial


TRAINED = ("training", "uses outliers", "transductive")
"""The tracks of methods that train a network of their own, beside `post-hoc` and `uses OOD
validation`."""


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
        names = metric_names(task_params(task).kind)
        if task.primary not in names:
            raise ValueError(f"primary: expected one of {sorted(names)}, found '{task.primary}'")
        for name, table in task.tiers.items():
            if is_trained(task_params(task)) and protocol(task, table).epochs < 1:
                raise ValueError(f"tiers.{name}.epochs: expected at least 1, found 0")

    def misfit(self, task: TaskSpec, baseline: BaselineSpec) -> str | None:
        """A detector fits every task, unless its track trains on what the task does not offer.

        What it lacks on a classifier it finds out by reading.
        """
        params, track = task_params(task), baseline.track
        if track in TRAINED and not is_trained(params):
            return f"trains a network, but the task's classifier is '{params.classifier}', given"
        if track == "uses outliers" and params.outliers is None:
            return "trains with outliers, of which the task offers none"
        if track == "transductive" and not params.transductive:
            return "trains on unlabelled images, of which the task offers none"
        if track == "uses OOD validation" and params.val_ood is None:
            return "chooses on OOD validation images, of which the task offers none"
        return None

    def affinity(self, trial: Trial) -> str:
        """Trials on one classifier: same training set, recipe and seed."""
        params, sizes = task_params(trial.task), protocol(trial.task, trial.protocol)
        recipe = [params.classifier, params.augment, params.weights, sizes.n_train, sizes.epochs]
        ident = digest([{**vars(params.id), "classes": list(params.id.classes)}, recipe])
        return f"{params.id.source} {ident[:12]} seed {trial.seed}"

    def run(self, trial: Trial, ctx: Context) -> Outcome:
        """See `posthoc.run_trial`; a killed training goes on in whichever trial needs it next."""
        from rlbench.suites.ood.posthoc import run_trial

        return run_trial(trial, ctx)

    def metrics_of(self, task: TaskSpec, evidence: Evidence) -> dict[str, float]:
        """See `metrics.metrics_of`."""
        return metrics_of(task_params(task).kind, evidence)

    def views(self) -> Sequence[View]:
        """See `views.VIEWS`."""
        return VIEWS


SUITE = OodSuite()
