"""One trial: fit a detector on a frozen classifier's outputs and score three sets with it."""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from rlbench.core.algorithm import load_algorithm
from rlbench.core.context import Context
from rlbench.core.errors import UsageError
from rlbench.core.suite import Outcome
from rlbench.core.trial import Trial
from rlbench.suites.ood.features import Pipeline
from rlbench.suites.ood.metrics import threshold95
from rlbench.suites.ood.params import protocol, task_params
from rlbench.suites.ood.splits import NEEDS, Detector, Split

Array = np.ndarray[Any, Any]


def run_trial(trial: Trial, ctx: Context) -> Outcome:
    """The evidence of a trial; see `metrics.EVIDENCE`.

    Raises:
        UsageError: the detector is no detector, its scores are none, or the task is no pair.
    """
    detector = make_detector(trial.baseline.algorithm, trial.params)
    task = task_params(trial.task)
    if task.ood is None or task.kind != "pair":
        raise UsageError(f"{trial.task.id}: expected a task of kind 'pair', found '{task.kind}'")
    pipeline = Pipeline(ctx, task, protocol(trial.task, trial.protocol))
    began = time.perf_counter()
    train = pipeline.split(task.id, "train", detector.needs, labelled=True)
    val = pipeline.split(task.id, "val", detector.needs, labelled=True)
    unlabelled = {
        "id_val": pipeline.split(task.id, "val", detector.needs),
        "id_test": pipeline.split(task.id, "test", detector.needs),
        "ood": pipeline.split(task.ood, "ood", detector.needs),
    }
    ready = time.perf_counter()
    detector.fit(train, val)
    fitted = time.perf_counter()
    # One call a set, all alike: nothing tells the detector which of them is ID.
    scores = {name: scores_of(detector, split) for name, split in unlabelled.items()}
    done = time.perf_counter()
    evidence = {f"{name}_scores": array for name, array in scores.items()}
    for part in ("val", "test"):
        outputs = pipeline.outputs(task.id, "val" if part == "val" else "test")
        evidence[f"id_{part}_labels"] = np.array(outputs["labels"])
        evidence[f"id_{part}_predictions"] = outputs["logits"].argmax(axis=1)
    notes = {
        "threshold_95": threshold95(scores["id_val"]),
        "n_train": train.n,
        "n_val": val.n,
        "n_id": len(scores["id_test"]),
        "n_ood": len(scores["ood"]),
        "n_classes": train.n_classes,
        "n_features": pipeline.outputs(task.id, "train")["features"].shape[1],
        "classifier": task.classifier,
    }
    volatile = {
        "prepare_s": round(ready - began, 4),
        "fit_s": round(fitted - ready, 4),
        "score_s": round(done - fitted, 4),
    }
    return Outcome(evidence, notes, volatile)


def make_detector(algorithm: str, params: Mapping[str, Any]) -> Detector:
    """Load a detector's class and construct it.

    Raises:
        UsageError: it lacks `needs`, `fit` or `score`, or takes other parameters.
    """
    cls = load_algorithm(algorithm)
    for name in ("fit", "score"):
        if not callable(getattr(cls, name, None)):
            raise UsageError(f"{algorithm}: no method '{name}'; a detector has needs, fit, score")
    try:
        inspect.signature(cls).bind(**params)
    except TypeError as error:
        raise UsageError(f"{algorithm}: parameters {sorted(params)} do not fit: {error}") from error
    detector: Detector = cls(**params)
    needs = getattr(detector, "needs", None)
    if not isinstance(needs, set | frozenset) or not needs or not needs <= set(NEEDS):
        raise UsageError(
            f"{algorithm}: needs: expected a non-empty set of {sorted(NEEDS)}, found {needs!r:.60}"
        )
    return detector


def scores_of(detector: Detector, split: Split) -> Array:
    """The detector's scores of a set, float64 (n,).

    Raises:
        UsageError: they have another shape, are no numbers or hold NaN or infinity.
    """
    found = detector.score(split)
    name = type(detector).__name__
    scores = found.detach().cpu().numpy() if isinstance(found, torch.Tensor) else np.asarray(found)
    if scores.shape != (split.n,) or scores.dtype.kind not in "fiu":
        raise UsageError(
            f"{name}.score: expected numbers ({split.n},), found {scores.dtype} {scores.shape}"
        )
    scores = scores.astype(np.float64)
    if bad := int((~np.isfinite(scores)).sum()):
        raise UsageError(f"{name}.score: {bad} of {split.n} scores are NaN or infinite")
    return scores
