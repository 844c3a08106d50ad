"""Trained students are kept: found by their record, and the same players as before."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rlbench.core.assets import AssetStore, cache_folder
from rlbench.core.context import Context
from rlbench.core.data import DataStore
from rlbench.core.errors import CorruptError, MissingError, UsageError
from rlbench.core.record import read_evidence, read_record
from rlbench.core.registry import Registry
from rlbench.core.store import Store
from rlbench.core.trial import Trial, resolve_params
from rlbench.runner.execute import Bench, execute
from rlbench.suites.skillhack.evaluate import evaluate, learnt
from rlbench.suites.skillhack.learners.expert import Frozen
from rlbench.suites.skillhack.learners.interface import Expert, World
from rlbench.suites.skillhack.saved import KIND, load_student
from rlbench.suites.skillhack.settings import task_settings
from rlbench.suites.skillhack.suite import SUITE
from rlbench.suites.skillhack.vector import make_vector

REGISTRY = Registry.load()
SOURCE = "0" * 64
TIER = {"env_steps": 64, "environments": 2, "episodes": 4}


def trial_of(name: str) -> Trial:
    task = replace(REGISTRY.tasks["skillhack/take-off"], tiers={"smoke": TIER})
    recipe = REGISTRY.baselines[f"skillhack/{name}"]
    params = resolve_params(task, recipe, "smoke", {})
    params |= {"unroll": 16} if "unroll" in params else {}
    return Trial(task, recipe, params, {}, "smoke", 0)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished trials: one that learns, and chance."""
    root = tmp_path_factory.mktemp("results")
    bench = Bench(
        store=Store(root),
        assets=AssetStore(cache_folder(), SOURCE),
        data=DataStore(REGISTRY.data),
        source=SOURCE,
    )
    for name in ("impala", "random"):
        execute(bench, SUITE, trial_of(name))
    return root


def record_of(results: Path, name: str) -> Path:
    return next(results.rglob(f"{name}/smoke/seed-0.json"))


def test_a_kept_student_plays_as_it_did_at_the_end_of_its_trial(
    results: Path, tmp_path: Path
) -> None:
    record, trial = record_of(results, "impala"), trial_of("impala")
    policy = load_student(record).policy
    ctx = Context(
        trial,
        assets=AssetStore(tmp_path, SOURCE),
        data=DataStore(REGISTRY.data),
        checkpoint=tmp_path / "checkpoint.npz",
    )
    world = World("small", 23, 2, 64, (), "take-off", {}, torch.device("cpu"), lambda *_: [])
    student = Frozen(Expert("take-off", policy, frames=64, success=0.0, key=""), world)
    rng = torch.Generator().manual_seed(ctx.seed("evaluate-actions"))

    settings = task_settings(trial.task)
    with make_vector(settings, purpose="evaluate", seed=ctx.seed("levels"), n=2) as env:
        again = evaluate(learnt(student, 2, rng), env, 4)

    kept = read_evidence(record, read_record(record))
    np.testing.assert_array_equal(again["episode_keys"], kept["episode_keys"])
    np.testing.assert_array_equal(again["episode_seed"], kept["episode_seed"])


def test_a_students_folder_serves_as_well_as_its_record(results: Path, tmp_path: Path) -> None:
    record = record_of(results, "impala")
    folder = cache_folder() / "assets" / KIND / str(read_record(record).notes["student"])[:32]

    one, two = load_student(record), load_student(folder)

    assert one.task == two.task == "skillhack/take-off"
    for name, value in one.policy.state_dict().items():
        torch.testing.assert_close(two.policy.state_dict()[name], value, rtol=0, atol=0)


def test_where_no_student_is_the_reason_is_given(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = record_of(results, "impala")
    folder = cache_folder() / "assets" / KIND / str(read_record(record).notes["student"])[:32]
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / "value.bias.npy").unlink()

    with pytest.raises(UsageError, match="trained no student"):
        load_student(record_of(results, "random"))
    with pytest.raises(CorruptError, match="not a whole student"):
        load_student(broken)
    monkeypatch.setenv("RLBENCH_CACHE", str(tmp_path))
    with pytest.raises(MissingError, match="is not in"):
        load_student(record)
