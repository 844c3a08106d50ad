"""The suite object through the harness's own protocol: trials, evidence, resume, own classes."""

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
from rlbench.core.assets import AssetStore
from rlbench.core.context import Context, Row
from rlbench.core.data import DataStore
from rlbench.core.errors import SpecError, UsageError
from rlbench.core.registry import Registry
from rlbench.core.spec import TaskSpec
from rlbench.core.suite import Outcome
from rlbench.core.trial import Trial, resolve_params
from rlbench.suites.ued.settings import task_settings
from rlbench.suites.ued.suite import SUITE
from rlbench.suites.ued.world import TaskWorld

REGISTRY = Registry.load()
BASELINES = sorted(spec.row for spec in REGISTRY.baselines.values() if spec.suite == "ued")
TASKS = sorted(spec.id for spec in REGISTRY.tasks.values() if spec.suite == "ued")
TINY = {
    "updates": 2, "environments": 4, "steps": 32,
    "episodes": 2, "levels": 10, "level_episodes": 1, "lr": 1e-3,
}  # fmt: skip
LEVEL_FILE = REGISTRY.tasks["ued/maze-25"].params["level_file"]


def tiny(**params: Any) -> TaskSpec:
    """A task on small mazes that takes a moment."""
    small = {
        "height": 5, "width": 5, "horizon": 20, "n_walls": 4, "maze_horizon": 30,
        "mazes": ["sixteen-rooms", "crossing"], "generator": "scattered", "level_file": LEVEL_FILE,
    }  # fmt: skip
    return replace(REGISTRY.tasks["ued/maze-25"], params={**small, **params}, tiers={"smoke": TINY})


def trial_of(baseline: str, seed: int = 0, task: TaskSpec | None = None) -> Trial:
    recipe = REGISTRY.baselines[f"ued/{baseline}"]
    params = resolve_params(task or tiny(), recipe, "smoke", {})
    small = {"capacity": 8, "noise": 4, "batch": 16, "keep": 4, "updates": 0}
    params |= {name: value for name, value in small.items() if name in params}
    return Trial(task or tiny(), recipe, params, {}, "smoke", seed)


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


@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_well_formed(name: str) -> None:
    task = REGISTRY.tasks[name]
    SUITE.check_task(task)

    TaskWorld(task_settings(task), task.file, "cpu")


@pytest.mark.parametrize("name", BASELINES)
def test_every_recipe_runs_and_its_evidence_gives_all_metrics(name: str, tmp_path: Path) -> None:
    trial = trial_of(name)
    outcome = run(tmp_path, trial)
    metrics = SUITE.metrics_of(trial.task, outcome.evidence)

    pack(outcome.evidence)  # plain arrays
    assert set(metrics) <= set(SUITE.metrics)
    assert 0 <= metrics["solve_rate"] <= 1
    assert metrics["solve.crossing"] <= 1
    trains = name not in ("random", "oracle")
    assert (metrics["student_steps"] > 0) is trains


def test_the_oracle_solves_everything_without_regret(tmp_path: Path) -> None:
    trial = trial_of("oracle", task=tiny(maze_horizon=450))
    metrics = SUITE.metrics_of(trial.task, run(tmp_path, trial).evidence)

    assert metrics["solve_rate"] == metrics["solve_rate_greedy"] == 1
    assert metrics["level_solve_rate"] == metrics["cvar_10"] == 1
    assert metrics["regret"] == metrics["level_regret"] == 0


@pytest.mark.parametrize("name", ["dr", "accel"])
def test_a_repeated_trial_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    trial = trial_of(name)
    once, again = (run(tmp_path / str(i), trial) for i in range(2))

    assert pack(once.evidence) == pack(again.evidence)
    assert once.notes == again.notes


class KilledError(Exception):
    """What a test throws into a running trial."""


@pytest.mark.parametrize("name", ["plr-robust", "paired", "sfl"])
def test_a_killed_trial_goes_on_to_the_same_evidence_and_curve(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rlbench.core.checkpoint.SAVE_EVERY", 0.0)
    trial = trial_of(name)
    whole = context(tmp_path / "whole", trial)
    expected = SUITE.run(trial, whole)
    seen: list[Row] = []

    def kill_at_the_second_point(row: Row) -> None:
        seen.append(row)
        if len(seen) == 2:
            raise KilledError

    root = tmp_path / "killed"
    with pytest.raises(KilledError):
        SUITE.run(trial, context(root, trial, kill_at_the_second_point))
    assert (root / "checkpoint.npz").exists()
    resumed = context(root, trial)
    found = SUITE.run(trial, resumed)

    assert pack(found.evidence) == pack(expected.evidence)
    assert resumed.curve.csv() == whole.curve.csv()


def test_curricula_of_one_seed_are_evaluated_on_the_same_levels(tmp_path: Path) -> None:
    one, two, other = (
        run(tmp_path / str(i), trial).evidence
        for i, trial in enumerate((trial_of("dr"), trial_of("oracle"), trial_of("oracle", 1)))
    )

    np.testing.assert_array_equal(one["level_best_return"], two["level_best_return"])
    assert not np.array_equal(one["level_best_return"], other["level_best_return"])


def test_a_class_of_ones_own_is_a_curriculum(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from rlbench.suites.ued.interface import Proposal\n\n\n"
        "class Mine:\n"
        "    training = {'gamma': 0.9}\n"
        "    def __init__(self, extra=0):\n"
        "        self.heard = []\n"
        "    def begin(self, world):\n"
        "        self.world = world\n"
        "    def propose(self):\n"
        "        return Proposal(self.world.draw(self.world.environments, self.world.rng))\n"
        "    def receive(self, proposal, plays):\n"
        "        assert plays[0].score('max-mc').shape == (self.world.environments,)\n"
    )
    recipe = own_baseline(f"{path}:Mine", "ued", ["extra"])
    trial = Trial(tiny(), recipe, {"extra": 3}, {"extra": 3}, "smoke", 0)

    metrics = SUITE.metrics_of(trial.task, run(tmp_path, trial).evidence)

    assert metrics["student_updates"] == 2


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("    pass\n", "no method 'begin'"),
        ("    def policy(self): ...\n    def __init__(self, must): ...\n", "do not fit"),
    ],
)
def test_a_class_that_is_no_curriculum_is_a_usage_error(
    body: str, complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / "wrong.py"
    path.write_text(f"class Wrong:\n{body}")
    trial = Trial(tiny(), own_baseline(f"{path}:Wrong", "ued", []), {}, {}, "smoke", 0)

    with pytest.raises(UsageError, match=complaint):
        run(tmp_path, trial)


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({"generator": "scatered"}, "did you mean 'scattered'"),
        ({"generator_params": {"wals": 3}}, "wals"),
        ({"mazes": ["labyrynth"]}, "did you mean 'labyrinth'"),
        ({"mazes": []}, "mazes"),
        ({"horizon": 0}, "horizon"),
        ({"view": 4}, "view"),
        ({"level_file": "0" * 64}, "level_file"),
        ({"n_walls": 24}, "n_walls"),
    ],
)
def test_an_impossible_task_is_refused_in_one_line(
    params: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    trial = trial_of("random", task=tiny(**params))

    with pytest.raises(SpecError, match=complaint) as caught:
        run(tmp_path, trial)
    assert "\n" not in str(caught.value)


def test_an_impossible_budget_is_refused_by_name() -> None:
    task = replace(tiny(), tiers={"smoke": {**TINY, "episodes": 0}})

    with pytest.raises(SpecError, match=r"tiers.smoke: episodes: expected at least 1"):
        SUITE.check_task(task)


def test_registration_metrics_and_views_do_not_import_torch() -> None:
    code = (
        "import sys; from rlbench.suites.ued.suite import SUITE; SUITE.views();"
        " sys.exit('torch' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
