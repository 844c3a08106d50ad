"""Records with the numbers that a test wants: of a real trial's identity, never run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlbench.core.arrays import pack
from rlbench.core.record import (
    SCHEMA,
    BaselineRef,
    Code,
    Environment,
    Primary,
    Record,
    Sibling,
    TaskRef,
)
from rlbench.core.registry import Registry
from rlbench.core.store import Store, Stored
from rlbench.core.trial import IDENTITY_VERSION, Trial
from rlbench.gate.cells import GateCell
from rlbench.gate.judging import Case
from rlbench.gate.sample import REFERENCE_SEEDS, Sample
from rlbench.runner.plan import build_trial

MACHINE = Environment("3.11.5", "linux-x86_64", "Synthetic CPU", "cpu", None, 1, [], {"numpy": "2"})


@pytest.fixture
def walk_trial(walk: Path) -> Trial:
    registry = Registry.load()
    task, baseline = registry.tasks["walk/corridor-short"], registry.baselines["walk/chance"]
    return build_trial(registry, task, baseline, tier="smoke", seed=0, overrides={})


def record_of(trial: Trial, value: float | None, evidence: bytes) -> Record:
    """What a worker on `MACHINE` would have written."""
    task, baseline = trial.task, trial.baseline
    return Record(
        schema=SCHEMA,
        identity=trial.identity,
        identity_version=IDENTITY_VERSION,
        source="0" * 64,
        suite=task.suite,
        task=TaskRef(
            task.id, task.version, task.sha256, task.title, task.family, "", task.origin, [0, 1]
        ),
        baseline=BaselineRef(
            baseline.id, baseline.version, "", baseline.algorithm, dict(trial.params), {}
        ),
        tier="smoke",
        seed=trial.seed,
        protocol=dict(trial.protocol),
        metrics={"return": value, "length": 6.0},
        nonfinite={} if value is not None else {"return": "nan"},
        primary=Primary("return", "reward", "higher", 0.0, 1.0),
        normalised=value,
        evidence=Sibling(f"seed-{trial.seed}.npz", hashlib.sha256(evidence).hexdigest()),
        curve=None,
        data=[],
        environment=MACHINE,
        code=Code("0.1.0", None, None),
        command="rlbench run",
    )


Make = Callable[..., Stored]


@pytest.fixture
def stored(walk_trial: Trial, tmp_path: Path) -> Make:
    """A record with a value, changed as a test wants; in a folder if one is named."""

    def make(
        seed: int = 0,
        value: float | None = 0.5,
        *,
        folder: str = "",
        arrays: Mapping[str, Any] | None = None,
        environment: Mapping[str, Any] | None = None,
        primary: Mapping[str, Any] | None = None,
        wall: float = 1.0,
        **changes: Any,
    ) -> Stored:
        trial, store = replace(walk_trial, seed=seed), Store(tmp_path / folder)
        evidence = pack({"returns": np.array([value or 0.0])} if arrays is None else arrays)
        record = record_of(trial, value, evidence)
        record = replace(
            record,
            primary=replace(record.primary, **(primary or {})),
            environment=replace(MACHINE, **(environment or {})),
            volatile={"wall_s": wall},
            **changes,
        )
        if folder:
            store.publish(trial, record, evidence, None)
        return Stored(record, store.path(trial))

    return make


Samples = Callable[..., Sample]


@pytest.fixture
def sample(stored: Make) -> Samples:
    """A sample with one value a seed."""

    def make(values: Sequence[float | None], first: int = 0, **changes: Any) -> Sample:
        seeds = tuple(range(first, first + len(values)))
        found = {s: stored(s, v, **changes) for s, v in zip(seeds, values, strict=True)}
        return Sample(seeds, found, {})

    return make


Cases = Callable[..., Case]


@pytest.fixture
def case(walk_trial: Trial, sample: Samples) -> Cases:
    """A statistical case with a reference of spread .01 about .5."""

    def make(
        candidate: Sample | None, fresh: Sample | None = None, min_effect: float = 0.01
    ) -> Case:
        wanted = GateCell("walk/corridor-short", "chance", "smoke", "statistical", min_effect)
        reference = sample([0.5 + 0.01 * (i - 4.5) / 3 for i in REFERENCE_SEEDS])
        return Case(wanted, walk_trial, reference, candidate=candidate, fresh=fresh)

    return make
