"""One trial: fit a detector on a classifier's outputs and score every set of the task with it."""

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
from rlbench.suites.ood.detection import threshold95
from rlbench.suites.ood.features import Pipeline
from rlbench.suites.ood.params import Kind, OodParams, SetRef, protocol, task_params
from rlbench.suites.ood.params import Split as SplitName
from rlbench.suites.ood.splits import NEEDS, Detector, Split
from rlbench.suites.ood.trainer import Trainer

Array = np.ndarray[Any, Any]


def run_trial(trial: Trial, ctx: Context) -> Outcome:
    """The evidence of a trial; see `metrics.evidence_names`.

    Raises:
        UsageError: the detector is no detector, or its scores are none.
    """
    detector = make_detector(trial.baseline.algorithm, trial.params)
    task = task_params(trial.task)
    training = getattr(detector, "training", None)
    pipeline = Pipeline(ctx, task, protocol(trial.task, trial.protocol), training)
    began = time.perf_counter()
    train = pipeline.split(task.id, "train", detector.needs, labelled=True)
    val = pipeline.split(task.id, "val", detector.needs, labelled=True)
    tested = {"id_val": (task.id, "val"), **_tested(task)}
    unlabelled = {
        part: pipeline.split(ref, split, detector.needs) for part, (ref, split) in tested.items()
    }
    ready = time.perf_counter()
    detector.fit(train, val)
    fitted = time.perf_counter()
    # One call a set, all alike: nothing tells the detector which of them is ID.
    scores = {part: scores_of(detector, split) for part, split in unlabelled.items()}
    done = time.perf_counter()
    evidence = {f"{part}_scores": array for part, array in scores.items()}
    for part, (ref, split) in tested.items():
        if part != "ood":
            outputs = pipeline.classifying.outputs(ref, split)
            answers = _answers(outputs["labels"], outputs["logits"], task.kind)
            evidence |= {f"{part}_{name}": array for name, array in answers.items()}
    notes = {
        "threshold_95": threshold95(scores["id_val"]),
        "n_train": train.n,
        "n_val": val.n,
        **{f"n_{part.removesuffix('_test')}": len(scores[part]) for part in _tested(task)},
        "n_classes": train.n_classes,
        "n_features": pipeline.outputs(task.id, "train")["features"].shape[1],
        "classifier": task.classifier,
        **getattr(detector, "notes", {}),
        **_course(pipeline.trainer, ctx),
    }
    volatile = {
        "prepare_s": round(ready - began, 4),
        "fit_s": round(fitted - ready, 4),
        "score_s": round(done - fitted, 4),
    }
    return Outcome(evidence, notes, volatile)


def _course(trainer: Trainer, ctx: Context) -> dict[str, int]:
    """How the training of a detector's own network went: its losses as the trial's curve.

    They are read from the asset, so that the curve is the same whoever trained the network.
    """
    if trainer.training is None:
        return {}
    for epoch, loss in enumerate(trainer.asset["train_loss"].tolist(), start=1):
        ctx.log(epoch, train_loss=loss)
    made, planned = trainer.asset["train_steps"].tolist()
    return {"train_steps": made, "planned_steps": planned}


def _tested(task: OodParams) -> dict[str, tuple[SetRef, SplitName]]:
    """The sets that figures are about, by the name that the evidence has for them."""
    names = {"test": "id_test"}
    return {names.get(split, split): (ref, split) for split, ref in task.scored.items()}


def _answers(labels: Array, logits: Array, kind: Kind) -> dict[str, Array]:
    """What the classifier said of a labelled set, as evidence."""
    found = {"labels": np.array(labels), "predictions": logits.argmax(axis=1)}
    if kind == "selective":
        found["confidences"] = _softmax(logits).max(axis=1)
    return found


def _softmax(logits: Array) -> Array:
    """float64 (n, C)."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    unnormalised = np.exp(shifted)
    probabilities: Array = unnormalised / unnormalised.sum(axis=1, keepdims=True)
    return probabilities


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
