from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlbench.core.assets import AssetStore
from rlbench.core.context import Context, Curve, Row
from rlbench.core.data import DataStore
from rlbench.core.trial import Trial

Start = Callable[..., Context]


@pytest.fixture
def start(trial: Trial, tmp_path: Path) -> Start:
    """Begin the trial (again) with the same checkpoint file, as a new process would."""

    def begin(trial: Trial = trial, **options: Any) -> Context:
        assets = AssetStore(tmp_path / "cache", "s" * 64)
        checkpoint = tmp_path / "work" / "checkpoint.npz"
        return Context(trial, assets=assets, data=DataStore({}), checkpoint=checkpoint, **options)

    return begin


def test_streams_depend_on_task_seed_and_purpose_and_never_on_the_baseline(
    start: Start, trial: Trial
) -> None:
    def first(ctx: Context, purpose: str = "train") -> float:
        return float(ctx.rng(purpose).random())

    other_baseline = replace(
        trial,
        baseline=replace(trial.baseline, name="other"),
        params={"lr": 0.1},
        overrides={"lr": 0.1},
        base_tier="smoke",
        algorithm_sha256=None,
    )
    assert first(start(other_baseline)) == first(start())
    different = {
        first(start()),
        first(start(), "eval"),
        first(start(replace(trial, seed=5))),
        first(start(replace(trial, task=replace(trial.task, name="beta")))),
        first(start(replace(trial, task=replace(trial.task, suite="other")))),
    }
    assert len(different) == 5


def test_a_stream_goes_on_where_it_was_and_is_not_disturbed_by_the_others(start: Start) -> None:
    alone, mixed = start(), start()
    expected = alone.rng("train").random(4)
    found = []
    for _ in range(4):
        found.append(mixed.rng("train").random())
        mixed.rng("eval").random(7)
    assert found == expected.tolist()
    assert mixed.seed("train") == alone.seed("train") != alone.seed("eval")


def work(ctx: Context, steps: int, stop: int | None = None) -> list[float]:
    """A trial that draws, logs and saves; ends early, as if killed, before step `stop`."""
    found = ctx.load_checkpoint()
    done = 0 if found is None else found.state["done"]
    values = [] if found is None else found.arrays["values"].tolist()
    while done < steps:
        if done == stop:
            break
        values.append(float(ctx.rng("train").random()))
        if done % 3 == 2:
            ctx.rng("noise").normal(size=done)
            ctx.log(done, value=values[-1])
            ctx.save_checkpoint({"values": np.array(values)}, {"done": done + 1})
        done += 1
    return values


@pytest.mark.parametrize("stop", [0, 1, 3, 7, 10])
def test_an_interrupted_trial_ends_as_one_that_ran_through(
    start: Start, tmp_path: Path, stop: int
) -> None:
    whole = start()
    expected = work(whole, 12)
    (tmp_path / "work" / "checkpoint.npz").unlink()
    work(start(), 12, stop)
    resumed = start()
    assert work(resumed, 12) == expected
    assert resumed.curve.csv() == whole.curve.csv()
    assert resumed.rng("noise").random() == whole.rng("noise").random()


def test_a_checkpoint_gives_back_arrays_and_state(start: Start) -> None:
    ctx = start()
    state = {"step": 3, "nested": [1, 0.1, None, "Ω"]}
    ctx.save_checkpoint({"w": np.eye(2, dtype=np.float32), "done": np.array(True)}, state)
    found = start().load_checkpoint()
    assert found is not None
    assert found.state == state
    assert found.arrays["w"].dtype == np.float32
    assert found.arrays["w"].tolist() == [[1, 0], [0, 1]]
    assert found.arrays["done"].shape == ()


def test_without_a_checkpoint_a_trial_starts_from_scratch(start: Start) -> None:
    assert start().load_checkpoint() is None


@pytest.mark.parametrize("damage", ["cut", "other", "empty", "foreign"])
def test_a_broken_checkpoint_counts_as_none(start: Start, tmp_path: Path, damage: str) -> None:
    from rlbench.core.arrays import pack

    start().save_checkpoint({"w": np.arange(100)}, {})
    path = tmp_path / "work" / "checkpoint.npz"
    foreign = np.frombuffer(b'{"other": 1}', dtype=np.uint8)
    contents = {
        "cut": path.read_bytes()[:-30],
        "other": b"x" * 100,
        "empty": b"",
        "foreign": pack({"_state": foreign}),
    }
    path.write_bytes(contents[damage])
    assert start().load_checkpoint() is None
    assert not path.exists()


def test_a_failed_save_leaves_the_last_checkpoint(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    start().save_checkpoint({}, {"step": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        start().save_checkpoint({}, {"step": float("nan")})
    found = start().load_checkpoint()
    assert found is not None
    assert found.state == {"step": 1}


def test_logging_adds_to_the_curve_and_tells_the_watcher(start: Start) -> None:
    heard: list[Row] = []
    ctx = start(on_log=heard.append)
    ctx.log(10, loss=0.5)
    ctx.log(20, loss=float(np.float32(0.25)), score=1)
    assert heard == ctx.curve.rows == [
        {"step": 10, "loss": 0.5},
        {"step": 20, "loss": 0.25, "score": 1.0},
    ]  # fmt: skip
    assert ctx.curve.csv() == b"step,loss,score\n10,0.5,\n20,0.25,1\n"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -np.inf])
def test_a_curve_holds_finite_numbers_only(start: Start, value: float) -> None:
    ctx = start()
    with pytest.raises(ValueError, match="step 7: 'loss' is"):
        ctx.log(7, loss=value)
    assert ctx.curve.rows == []


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
def test_a_curves_numbers_come_back_exactly(values: list[float]) -> None:
    curve = Curve([{"step": i, "value": value} for i, value in enumerate(values)])
    rows = list(csv.DictReader(io.StringIO(curve.csv().decode())))
    assert [float(row["value"]) for row in rows] == values
    assert [int(row["step"]) for row in rows] == list(range(len(values)))


def test_time_left_counts_down_to_the_deadline(start: Start) -> None:
    assert start().time_left() is None
    left = start(deadline=time.monotonic() + 100).time_left()
    assert left is not None
    assert 90 < left <= 100


def test_assets_come_through_the_context(start: Start) -> None:
    made: list[int] = []

    def make() -> dict[str, np.ndarray[Any, Any]]:
        made.append(1)
        return {"x": np.arange(3)}

    for _ in range(2):
        assert start().asset("numbers", {"n": 3}, make, seed=1)["x"].tolist() == [0, 1, 2]
    assert made == [1]
