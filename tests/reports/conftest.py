"""Small real results folders: record, evidence and curve as a worker leaves them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from rlbench.core.arrays import pack
from rlbench.core.context import Curve
from rlbench.core.files import digest, publish
from rlbench.core.record import (
    SCHEMA,
    BaselineRef,
    Code,
    Environment,
    Primary,
    Record,
    Sibling,
    TaskRef,
    split_nonfinite,
)
from rlbench.core.store import Store

SEEDS: Mapping[str, Sequence[int]] = {"smoke": range(2), "small": range(5), "custom": ()}


def write_record(
    root: Path,
    *,
    task: str = "toy/alpha",
    row: str = "base",
    seed: int = 0,
    value: float = 0.5,
    tier: Any = "small",
    source: str = "a",
    version: int = 1,
    family: str = "toys",
    origin: Any = "self-made",
    title: str = "",
    group: str = "",
    unit: str = "fraction",
    metric: str = "score",
    direction: Literal["higher", "lower"] = "higher",
    points: tuple[float, float] = (0.0, 1.0),
    official: Sequence[int] | None = None,
    params: Mapping[str, Any] | None = None,
    protocol: Mapping[str, Any] | None = None,
    curve: Sequence[Mapping[str, float]] = (),
    metrics: Mapping[str, float] | None = None,
    cpu: str = "Synthetic CPU",
    command: str | None = None,
    track: str = "",
) -> Path:
    """Publish one trial under `root` and return the record's path."""
    suite = task.partition("/")[0]
    name, _, variant = row.partition("+")
    evidence = pack({"scores": np.array([value])})
    lines = Curve([dict(line) for line in curve]).csv() if curve else None
    values, nonfinite = split_nonfinite({metric: value, **(metrics or {})})
    low, high = points
    record = Record(
        schema=SCHEMA,
        identity=digest([task, version, row, seed, tier, params]),
        identity_version=1,
        source=hashlib.sha256(source.encode()).hexdigest(),
        suite=suite,
        task=TaskRef(
            id=task,
            version=version,
            spec_sha256=digest([task, version]),
            title=title or f"The task {task}",
            family=family,
            group=group,
            origin=origin,
            official_seeds=list(SEEDS[tier] if official is None else official),
        ),
        baseline=BaselineRef(
            f"{suite}/{name}", 1, variant, "toy:Base", dict(params or {}), {}, track=track
        ),
        tier=tier,
        seed=seed,
        protocol=dict(protocol or {"steps": 100}),
        metrics=values,
        nonfinite=nonfinite,
        primary=Primary(metric, unit, direction, low, high),
        normalised=None if nonfinite else (value - low) / (high - low),
        evidence=Sibling(f"seed-{seed}.npz", hashlib.sha256(evidence).hexdigest()),
        curve=Sibling(f"seed-{seed}.csv", hashlib.sha256(lines).hexdigest()) if lines else None,
        data=[],
        environment=Environment(
            "3.12.0", "linux-x86_64", cpu, "cpu", None, 1, [], {"numpy": "2.0.0"}
        ),
        code=Code("0.1.0", "0123456789abcdef", False),
        command=command or f"rlbench run {task} {row} --tier {tier} --seeds {seed}",
        volatile={"wall_s": 1.5},
    )
    folder = Store(root).folder(record.cell)
    files = {folder / f"seed-{seed}.npz": evidence}
    if lines:
        files[folder / f"seed-{seed}.csv"] = lines
    target = folder / f"seed-{seed}.json"
    publish({**files, target: record.to_json()}, create_only=target)
    return target


@pytest.fixture(autouse=True)
def reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that stands for the records shipped with rlbench; empty unless a test fills it."""
    folder = tmp_path / "shipped"
    monkeypatch.setattr("rlbench.reports.frame.bundled", lambda name: folder)
    return folder


@pytest.fixture
def write() -> Callable[..., Path]:
    """The maker of one trial's files, for tests that need a particular record."""
    return write_record


@pytest.fixture
def write_cell() -> Callable[..., None]:
    """A maker of a cell: one trial for each value, seeds from 0."""

    def write(root: Path, values: Sequence[float], **fields: Any) -> None:
        for seed, value in enumerate(values):
            write_record(root, seed=seed, value=value, **fields)

    return write


@pytest.fixture
def results(tmp_path: Path, reference: Path, write_cell: Callable[..., None]) -> Path:
    """Two tasks, one of them "lower is better": two whole rows, a partial one, a reference row."""
    root = tmp_path / "results"
    loss: dict[str, Any] = {
        "task": "toy/toys-beta", "direction": "lower", "points": (100.0, 0.0), "metric": "loss",
        "unit": "%",
    }  # fmt: skip
    alpha = {"task": "toy/toys-alpha"}
    write_cell(root, [0.713, 0.74, 0.69, 0.77, 0.72], row="good", **alpha)
    write_cell(root, [21.25, 24.5, 19.25, 26.0, 22.5], row="good", **loss)
    write_cell(root, [0.412, 0.45, 0.52, 0.38, 0.49], row="base+k=3", **alpha)
    write_cell(root, [62.0, 55.5, 71.25, 58.0, 60.75], row="base+k=3", **loss)
    write_cell(root, [0.91, 0.93, 0.95, 0.9, 0.92], row="part", **alpha)
    write_cell(root, [5.0, 7.0, 6.5], row="part", **loss)
    write_cell(reference, [0.703, 0.73, 0.7, 0.76, 0.71], row="good", **alpha)
    write_cell(reference, [22.25, 25.5, 20.25, 27.0, 23.5], row="good", **loss)
    return root
