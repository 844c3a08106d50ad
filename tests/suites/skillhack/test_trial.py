"""Trials through the harness's own protocol: every recipe, resume, experts, own classes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlbench.core.algorithm import own_baseline
from rlbench.core.arrays import pack
from rlbench.core.assets import AssetStore, list_assets
from rlbench.core.context import Context, Row
from rlbench.core.data import DataStore
from rlbench.core.errors import UsageError
from rlbench.core.registry import Registry
from rlbench.core.spec import BaselineSpec, TaskSpec
from rlbench.core.suite import Outcome
from rlbench.core.trial import Trial, resolve_params
from rlbench.suites.skillhack import trial as trial_room
from rlbench.suites.skillhack.metrics import COUNTS
from rlbench.suites.skillhack.suite import SUITE
from rlbench.suites.skillhack.train import Cycle, Trainer

REGISTRY = Registry.load()
LEARNING = ("ppo", "impala", "rnd", "ks", "hks", "foc", "expert")
TAUGHT = ("ks", "hks", "foc")
TINY = {"env_steps": 96, "environments": 2, "episodes": 3}
SMALL = {"unroll": 16, "expert_steps": 64}


def task_of(baseline: str) -> TaskSpec:
    """Prepare for battle has short names of skills and no deaths; take-off has short episodes."""
    name = "prepare-for-battle" if baseline.partition("+")[0] in TAUGHT else "take-off"
    task = REGISTRY.tasks[f"skillhack/{name}"]
    params = {**task.params, "max_steps": 40}
    return replace(task, params=params, tiers={"smoke": TINY})


def trial_of(name: str, seed: int = 0, **overrides: Any) -> Trial:
    recipe, task = REGISTRY.baselines[f"skillhack/{name}"], task_of(name)
    params = resolve_params(task, recipe, "smoke", {})
    params |= {key: value for key, value in SMALL.items() if key in params} | overrides
    return Trial(task, recipe, params, {}, "smoke", seed)


def context(root: Path, trial: Trial, on_log: Any = None) -> Context:
    return Context(
        trial,
        assets=AssetStore(root, "0" * 64),
        data=DataStore(REGISTRY.data),
        checkpoint=root / "checkpoint.npz",
        on_log=on_log,
    )


def run(root: Path, trial: Trial) -> Outcome:
    return SUITE.run(trial, context(root, trial))


def count(outcome: Outcome, name: str) -> int:
    return int(outcome.evidence["counts"][COUNTS.index(name)])


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all tests, as on a person's machine: experts are trained once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _fresh_checkpoint(shared: Path) -> None:
    (shared / "checkpoint.npz").unlink(missing_ok=True)


@pytest.mark.parametrize("name", LEARNING)
def test_every_recipe_runs_and_its_evidence_gives_all_metrics(name: str, shared: Path) -> None:
    trial = trial_of(name)

    outcome = run(shared, trial)

    metrics = SUITE.metrics_of(trial.task, outcome.evidence)
    assert set(metrics) == set(SUITE.metrics)
    trained = name != "expert"
    assert (count(outcome, "env_steps") >= 96) == trained
    taught = name in TAUGHT
    frames = outcome.evidence["teacher_frames"] if taught or not trained else np.zeros(0, int)
    assert count(outcome, "teacher_steps") == frames.sum()
    assert len(frames) == (3 if taught else 0 if trained else 1)
    assert (frames >= 64).all()
    pack(outcome.evidence)


@pytest.mark.parametrize("name", sorted((*LEARNING, "ldd")))
def test_recipes_name_every_parameter_of_their_method_and_its_default(name: str) -> None:
    from dataclasses import fields

    from rlbench.core.algorithm import load_algorithm

    recipe = REGISTRY.baselines[f"skillhack/{name}"]
    method = load_algorithm(recipe.algorithm)()
    settings = getattr(method, "params", None) or method.training

    assert set(recipe.params) == {item.name for item in fields(settings)}
    shown = {key: param.value for key, param in recipe.params.items()}
    assert {k: v for k, v in shown.items() if v != getattr(settings, k)} == {}


@pytest.mark.parametrize("variant", ["hks+irrelevant", "hks+missing", "hks+all", "ks+forward"])
def test_the_ablations_are_variants(variant: str) -> None:
    recipe = REGISTRY.baselines[f"skillhack/{variant}"]
    plain = REGISTRY.baselines[f"skillhack/{recipe.name}"]
    changed = {k for k, v in recipe.params.items() if v.value != plain.params[k].value}

    assert changed == ({"divergence"} if variant == "ks+forward" else {"teachers"})
    assert recipe.tiers == plain.tiers
    assert recipe.tasks == plain.tasks


def test_one_teacher_more_is_one_teacher_more(shared: Path) -> None:
    rows: list[Row] = []
    trial = trial_of("hks", teachers="irrelevant")
    outcome = SUITE.run(trial, context(shared, trial, rows.append))

    names = outcome.evidence["teacher_name"].tolist()
    assert names == ["pick-up", "wear", "eat", "fight"]
    weights = np.array([[row[f"weight.{name}"] for name in names] for row in rows])
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
    assert set(outcome.notes["experts"]) == set(names)


def test_dynamics_are_learnt_from_an_experts_play_that_is_counted(shared: Path) -> None:
    trial = trial_of("ldd", demonstrations=100)

    outcome = run(shared, trial)

    assert outcome.evidence["teacher_name"].tolist() == ["take-off"]
    shown = count(outcome, "teacher_steps") - int(outcome.evidence["teacher_frames"].sum())
    assert shown == 128  # one stretch of 64 steps in 2 environments
    assert set(outcome.notes["dynamics"]) == {"key", "right", "right_changed"}


@pytest.mark.parametrize(
    ("variant", "changed"),
    [("init-only", {"distil": 0.0}), ("distil-only", {"begin_with_dynamics": False})],
)
def test_the_halves_of_dynamics_distillation_are_variants(
    variant: str, changed: dict[str, Any]
) -> None:
    recipe, plain = (REGISTRY.baselines[f"skillhack/{n}"] for n in (f"ldd+{variant}", "ldd"))
    values = {k: v.value for k, v in recipe.params.items() if v.value != plain.params[k].value}

    assert values == changed
    assert recipe.tasks == plain.tasks


def test_experts_are_made_once_and_then_read(shared: Path, monkeypatch: Any) -> None:
    first = run(shared, trial_of("ks"))
    (shared / "checkpoint.npz").unlink(missing_ok=True)
    assert {"skillhack-expert", "skillhack-student"} <= {info.kind for info in list_assets(shared)}

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("an expert was trained again")

    monkeypatch.setattr("rlbench.suites.skillhack.experts.train_expert", never)
    again = run(shared, trial_of("ks"))

    assert pack(first.evidence) == pack(again.evidence)
    assert first.notes == again.notes


def test_a_killed_training_of_an_expert_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rlbench.core.checkpoint.SAVE_EVERY", 0.0)
    monkeypatch.setattr("rlbench.core.checkpoint.SAVE_COST", 0.0)
    trial = trial_of("expert", expert_steps=512)  # four rollouts
    whole = run(tmp_path / "whole", trial)
    cycle, done = Trainer.cycle, 0

    def kill_in_the_third(trainer: Trainer) -> Cycle:
        nonlocal done
        done += 1
        if done == 3:
            raise KeyboardInterrupt
        return cycle(trainer)

    monkeypatch.setattr(Trainer, "cycle", kill_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", trial)
    again = run(tmp_path / "killed", trial)

    assert done == 3 + 2
    assert pack(again.evidence) == pack(whole.evidence)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ppo", "hks"])
def test_a_killed_trial_goes_on_exactly_where_it_was(
    name: str, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rlbench.core.checkpoint.SAVE_EVERY", 0.0)
    monkeypatch.setattr("rlbench.core.checkpoint.SAVE_COST", 0.0)
    rows: list[Row] = []
    whole = SUITE.run(trial_of(name), context(shared, trial_of(name), rows.append))
    (shared / "checkpoint.npz").unlink()

    class Killed(Exception):  # noqa: N818
        pass

    def kill(row: Row) -> None:
        if row["updates"] == 3:
            raise Killed

    with pytest.raises(Killed):
        SUITE.run(trial_of(name), context(shared, trial_of(name), kill))
    assert (shared / "checkpoint.npz").exists()
    seen: list[Row] = []
    ctx = context(shared, trial_of(name), seen.append)
    again = SUITE.run(trial_of(name), ctx)

    assert seen[0]["updates"] == 3  # the third rollout was not yet in the checkpoint
    assert pack(whole.evidence) == pack(again.evidence)
    assert ctx.curve.rows == rows


@pytest.mark.slow
def test_a_trial_is_the_same_in_another_process(shared: Path) -> None:
    code = f"""
import hashlib, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_trial import pack, run, trial_of
print(hashlib.sha256(pack(run(Path({str(shared)!r}), trial_of("ppo")).evidence)).hexdigest())
"""
    there = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()[-1]
    (shared / "checkpoint.npz").unlink(missing_ok=True)
    import hashlib

    here = hashlib.sha256(pack(run(shared, trial_of("ppo")).evidence)).hexdigest()

    assert here == there


def test_worker_processes_change_nothing(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    within = run(shared, trial_of("ppo"))
    (shared / "checkpoint.npz").unlink(missing_ok=True)
    asked: list[int] = []

    def two(n: int) -> int:
        asked.append(n)
        return 2

    monkeypatch.setattr(trial_room, "workers_for", two)
    beside = run(shared, trial_of("ppo"))

    assert asked == [2, 2]  # training and evaluation
    assert pack(within.evidence) == pack(beside.evidence)


def test_seeds_and_baselines_meet_the_levels_they_should(shared: Path) -> None:
    """Levels follow from the seed and not from the baseline: comparisons are paired."""
    first = {}
    for name, seed in (("ppo", 0), ("impala", 0), ("ppo", 1)):
        (shared / "checkpoint.npz").unlink(missing_ok=True)
        first[name, seed] = run(shared, trial_of(name, seed)).evidence["episode_seed"][0].tolist()

    assert first["ppo", 0] == first["impala", 0] != first["ppo", 1]


OWN = """
import numpy as np

class Still:
    def __init__(self, action: int = 14):
        self.action = action

    def policy(self, settings, rng):
        return self

    def act(self, observation, step):
        return np.full(len(observation.glyphs), self.action)

class Neither:
    pass
"""


def own(tmp_path: Path, name: str, **params: Any) -> Trial:
    (tmp_path / "mine.py").write_text(OWN)
    recipe: BaselineSpec = own_baseline(f"{tmp_path / 'mine.py'}:{name}", "skillhack", params)
    return Trial(task_of("ppo"), recipe, params, {}, "smoke", 0, "0" * 64)


def test_a_class_of_ones_own_is_played(tmp_path: Path) -> None:
    outcome = run(tmp_path, own(tmp_path, "Still", action=11))

    assert set(outcome.evidence["episode_keys"].tolist()) == {11}
    assert count(outcome, "env_steps") == 0


def test_a_class_that_neither_learns_nor_acts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no method 'begin' and no 'policy'"):
        run(tmp_path, own(tmp_path, "Neither"))


def test_a_skill_has_no_teachers_to_learn_from(shared: Path) -> None:
    trial = replace(trial_of("ks"), task=task_of("ppo"))

    with pytest.raises(UsageError, match="skill itself"):
        run(shared, trial)
