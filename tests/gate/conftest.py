"""Records as a worker leaves them, with the numbers that a test wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlbench.core.arrays import pack
from rlbench.core.assets import AssetStore
from rlbench.core.data import DataStore
from rlbench.core.record import Record, read_record
from rlbench.core.registry import Registry
from rlbench.core.store import Store, Stored
from rlbench.core.trial import Trial
from rlbench.gate.cells import GateCell
from rlbench.gate.judging import Case
from rlbench.gate.sample import REFERENCE_SEEDS, Sample
from rlbench.runner.execute import Bench, execute
from rlbench.runner.plan import build_trial

Make = Callable[..., Stored]


@pytest.fixture
def walk_trial(walk: Path) -> Trial:
    registry = Registry.load()
    task, baseline = registry.tasks["walk/corridor-short"], registry.baselines["walk/chance"]
    return build_trial(registry, task, baseline, tier="smoke", seed=0, overrides={})


@pytest.fixture
def stored(walk_trial: Trial, tmp_path: Path) -> Make:
    """Publish the record of a real trial, changed as a test wants, and read it back."""
    registry = Registry.load()
    suite = registry.suite("walk")
    bench = Bench(
        Store(tmp_path / "real"), AssetStore(tmp_path / "c", "s"), DataStore({}), "0" * 64
    )
    real = execute(bench, suite, walk_trial)

    def make(
        seed: int = 0,
        value: float | None = 0.5,
        *,
        folder: str = "out",
        arrays: Mapping[str, Any] | None = None,
        environment: Mapping[str, Any] | None = None,
        primary: Mapping[str, Any] | None = None,
        wall: float | None = 1.0,
        **changes: Any,
    ) -> Stored:
        trial = replace(walk_trial, seed=seed)
        evidence = pack({"returns": np.array([value or 0.0])} if arrays is None else arrays)
        record: Record = replace(
            real,
            seed=seed,
            identity=trial.identity,
            metrics={"return": value, "length": 6.0},
            nonfinite={} if value is not None else {"return": "nan"},
            primary=replace(real.primary, **(primary or {})),
            evidence=replace(real.evidence, file=f"seed-{seed}.npz", sha256=_sha256(evidence)),
            curve=None,
            environment=replace(real.environment, **(environment or {})),
            volatile={} if wall is None else {"wall_s": wall},
        )
        record = replace(record, **changes)
        path = Store(tmp_path / folder).publish(trial, record, evidence, None, replace=True)
        return Stored(read_record(path), path)

    return make


def _sha256(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


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
