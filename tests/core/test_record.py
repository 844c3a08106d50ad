from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlbench.core.errors import CorruptError, MissingError
from rlbench.core.record import (
    Primary,
    Record,
    Sibling,
    read_evidence,
    read_record,
    split_nonfinite,
)
from rlbench.core.trial import Trial

Write = Callable[..., Path]


@pytest.fixture
def write(trial: Trial, record_of: Any, evidence: bytes, tmp_path: Path) -> Write:
    """Write the record as JSON, with fields changed by dotted name, beside its evidence."""

    def make(**changes: Any) -> Path:
        data = json.loads(record_of(trial).to_json())
        for key, value in changes.items():
            *outer, last = key.split("__")
            inner = data
            for word in outer:
                inner = inner[word]
            inner[last] = value
        path = tmp_path / "seed-4.json"
        path.write_text(json.dumps(data), encoding="utf-8")
        (tmp_path / "seed-4.npz").write_bytes(evidence)
        return path

    return make


def test_a_record_is_read_back_equal(trial: Trial, record_of: Any, write: Write) -> None:
    assert read_record(write()) == record_of(trial)


def test_the_bytes_of_a_record_do_not_depend_on_the_order_of_keys(
    trial: Trial, record_of: Any
) -> None:
    notes = {"a": 1, "b": 2}
    turned = dict(reversed(notes.items()))
    one, two = record_of(trial, notes=notes), record_of(trial, notes=turned)
    assert one.to_json() == two.to_json()
    assert one.to_json().endswith(b"}\n")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": "rlbench.record/2"}, "schema: expected 'rlbench.record/1', found 'rlbench.re"),
        ({"schema": None}, "schema: expected 'rlbench.record/1', found None"),
        ({"extra": 1}, "extra: unknown key"),
        ({"seed": "4"}, "seed: expected an integer, found '4'"),
        ({"seed": 5, "evidence__file": "seed-5.npz"}, "seed: expected the file's name to say 5"),
        ({"seed": -1}, "seed, task.version: expected"),
        ({"task__version": 0}, "seed, task.version: expected"),
        ({"identity": "A" * 64}, "identity, source: expected 64 hexadecimal digits"),
        ({"source": "a" * 63}, "identity, source: expected 64 hexadecimal digits"),
        ({"suite": "other"}, "task.id: expected 'other/name', found 'toy/alpha'"),
        ({"task__id": "toy/../../x"}, "task.id: expected 'toy/name'"),
        ({"task__id": "toy/a/b"}, "task.id: expected 'toy/name'"),
        ({"task__id": "toy/"}, "task.id: expected 'toy/name'"),
        ({"suite": "..", "task__id": "../x"}, "task.id: expected '../name'"),
        ({"task__id": "toy/alpha\n"}, "task.id: expected 'toy/name'"),
        ({"baseline__id": "other/guess"}, "baseline.id: expected 'toy/name'"),
        ({"baseline__id": "toy/../../x"}, "baseline.id: expected 'toy/name'"),
        ({"baseline__id": "toy/<b>"}, "baseline.id: expected 'toy/name'"),
        ({"baseline__id": "toy/a+lr=1"}, "baseline.id: expected 'toy/name'"),
        ({"baseline__variant": "/../x"}, "baseline.variant: expected"),
        ({"baseline__variant": "a+b"}, "baseline.variant: expected"),
        ({"baseline__variant": "<script>"}, "baseline.variant: expected"),
        ({"baseline__variant": "x" * 200}, "baseline.variant: expected"),
        ({"tier": "huge"}, "tier: expected 'smoke' or"),
        ({"evidence__file": "../other.npz"}, "siblings: expected seed-4.npz with its sha256"),
        ({"evidence__file": "seed-4.json"}, "siblings: expected seed-4.npz with its sha256"),
        ({"evidence__sha256": "0"}, "siblings: expected seed-4.npz with its sha256"),
        ({"curve": {"file": "/etc/passwd", "sha256": "a" * 64}}, "siblings: expected seed-4.csv"),
        ({"metrics": {"score": "1"}}, "metrics.score: expected"),
        ({"metrics": {"other": 1.0}, "nonfinite": {}}, "metrics: expected a value of 'score'"),
        ({"metrics": {"score": None}, "nonfinite": {}}, "nonfinite: expected the names of"),
        ({"nonfinite": {"score": "nan"}}, "nonfinite: expected the names of"),
        ({"normalised": 10**400}, "normalised: expected a finite number"),
        ({"environment__threads": 1.5}, "environment.threads: expected an integer"),
        ({"official_seeds": []}, "official_seeds: unknown key"),
    ],
    ids=lambda item: str(item)[:40],
)
def test_a_record_that_is_none_is_refused_with_file_and_key(
    write: Write, changes: dict[str, Any], message: str
) -> None:
    path = write(**changes)
    with pytest.raises(CorruptError) as caught:
        read_record(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_record_whose_sibling_was_changed_is_corrupt(write: Write) -> None:
    path = write()
    (path.parent / "seed-4.npz").write_bytes(b"other")
    with pytest.raises(CorruptError, match=r"seed-4\.npz: not what seed-4\.json says"):
        read_record(path)


def test_a_record_may_come_without_its_evidence(write: Write) -> None:
    path = write()
    (path.parent / "seed-4.npz").unlink()
    record = read_record(path)
    with pytest.raises(MissingError, match=r"seed-4\.npz: not here: .*'command' in seed-4\.json"):
        read_evidence(path, record)


def test_the_evidence_beside_a_record_is_read(write: Write) -> None:
    path = write()
    found = read_evidence(path, read_record(path))
    np.testing.assert_array_equal(found["returns"], np.arange(6.0))


def test_text_from_strangers_is_kept_as_it_is(write: Write) -> None:
    hostile = '<script>alert("1")</script>\\input{x} =cmd()'
    record = read_record(write(task__title=hostile, notes={"x": hostile}, command=hostile))
    assert (record.task.title, record.notes["x"], record.command) == (hostile,) * 3


def test_nothing_that_a_record_names_is_imported(write: Write, tmp_path: Path) -> None:
    module = tmp_path / "hostile.py"
    module.write_text("import pathlib\npathlib.Path(__file__).with_suffix('.ran').touch()\n")
    record = read_record(write(baseline__algorithm=f"{module}:Agent"))
    assert record.baseline.algorithm == f"{module}:Agent"
    assert not module.with_suffix(".ran").exists()


@given(st.dictionaries(st.text(max_size=5), st.floats(), max_size=6))
def test_metrics_that_are_not_finite_are_named_and_the_others_kept(
    metrics: dict[str, float],
) -> None:
    values, nonfinite = split_nonfinite(metrics)
    assert values.keys() == metrics.keys()
    assert list(values) == sorted(values)
    for name, value in metrics.items():
        if math.isfinite(value):
            assert values[name] == value
            assert name not in nonfinite
        else:
            assert values[name] is None
            assert float(nonfinite[name]) == value or math.isnan(value)


def test_the_cell_of_a_record_is_the_cell_of_its_trial(trial: Trial, record_of: Any) -> None:
    longer = dataclasses.replace(trial, overrides={"steps": 3})
    for item in (trial, longer):
        record: Record = record_of(item)
        assert record.cell == item.cell


def test_a_record_cannot_be_made_with_a_wrong_sibling(trial: Trial, record_of: Any) -> None:
    with pytest.raises(ValueError, match="siblings"):
        record_of(trial, evidence=Sibling("seed-9.npz", "a" * 64))
    with pytest.raises(ValueError, match="'length'"):
        record_of(trial, primary=Primary("length", "", "higher", 0, 1))
