"""A small task, baseline, trial and record, complete and valid, to be varied by tests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rlbench.core.arrays import pack
from rlbench.core.record import (
    SCHEMA,
    BaselineRef,
    Code,
    DataRef,
    Environment,
    Primary,
    Record,
    Sibling,
    TaskRef,
)
from rlbench.core.spec import BaselineSpec, Param, Point, ReferencePoints, TaskSpec
from rlbench.core.trial import IDENTITY_VERSION, Trial


@pytest.fixture
def task() -> TaskSpec:
    """Every field that the identity reads has a value other than its default."""
    return TaskSpec(
        suite="toy",
        name="alpha",
        version=3,
        title="A toy",
        family="greek",
        origin="self-made",
        primary="score",
        reference=ReferencePoints(Point(0.25, "chance"), Point(1.0, "perfect")),
        tiers={"smoke": {"episodes": 2}, "small": {"episodes": 7}},
        params={"size": 5, "shape": [2, 3], "noise": 0.1, "name": "Ω"},
        data=("letters",),
    )


@pytest.fixture
def baseline() -> BaselineSpec:
    return BaselineSpec(
        suite="toy",
        name="guess",
        version=2,
        title="Guess",
        algorithm="toy_package.agents:Guess",
        source="nobody",
        params={
            "lr": Param(0.5, "step size", low=0.0, high=1.0),
            "steps": Param(100, "steps", budget=True, low=0),
            "net": Param("small", "size", choices=("small", "large")),
            "layers": Param([64, 64], "units"),
            "biased": Param(False, "whether"),
        },
        tiers={"small": {"steps": 1000}},
    )


@pytest.fixture
def trial(task: TaskSpec, baseline: BaselineSpec) -> Trial:
    params = {"lr": 0.5, "steps": 1000, "net": "small", "layers": [64, 64], "biased": False}
    return Trial(task, baseline, params, {}, "small", 4, "a" * 64)


@pytest.fixture
def evidence() -> bytes:
    return pack({"returns": np.arange(6, dtype=np.float64)})


@pytest.fixture
def record_of(evidence: bytes) -> Callable[..., Record]:
    """Make the record of a trial, with any field replaced."""

    def make(trial: Trial, **changes: Any) -> Record:
        task, baseline = trial.task, trial.baseline
        fields: dict[str, Any] = {
            "schema": SCHEMA,
            "identity": trial.identity,
            "identity_version": IDENTITY_VERSION,
            "source": "b" * 64,
            "suite": task.suite,
            "task": TaskRef(
                task.id, task.version, task.sha256, task.title, task.family, task.group,
                task.origin, list(task.official_seeds(trial.tier)),
            ),
            "baseline": BaselineRef(
                baseline.id, baseline.version, trial.variant, baseline.algorithm,
                dict(trial.params), dict(trial.overrides), trial.algorithm_sha256,
            ),
            "tier": trial.tier,
            "seed": trial.seed,
            "protocol": dict(trial.protocol),
            "metrics": {"score": 2.5, "spread": None},
            "nonfinite": {"spread": "nan"},
            "primary": Primary("score", "points", "higher", 0.25, 1.0),
            "normalised": 3.0,
            "evidence": Sibling(f"seed-{trial.seed}.npz", hashlib.sha256(evidence).hexdigest()),
            "curve": None,
            "data": [DataRef("letters", "c" * 64)],
            "environment": Environment(
                "3.11.7", "linux-x86_64", "A CPU", "cpu", None, 1, [], {"numpy": "2.4.0"}
            ),
            "code": Code("0.1.0", None, None),
            "command": "rlbench run toy/alpha guess --tier small --seeds 4",
            "notes": {"best": "Ω"},
            "volatile": {"wall_s": 1.5},
        }  # fmt: skip
        return Record(**{**fields, **changes})

    return make
