"""Trials whose seeds are trained at once: made once, resumed exactly, read by each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlbench.core.algorithm import own_baseline
from rlbench.core.arrays import pack
from rlbench.core.assets import AssetStore, list_assets
from rlbench.core.checkpoint import Pace
from rlbench.core.context import Context, Row
from rlbench.core.data import DataStore
from rlbench.core.errors import SpecError, UsageError
from rlbench.core.registry import Registry
from rlbench.core.spec import TaskSpec
from rlbench.core.suite import Outcome
from rlbench.core.trial import Trial, resolve_params
from rlbench.suites.ued import group
from rlbench.suites.ued.settings import protocol, seeds_together
from rlbench.suites.ued.suite import SUITE

REGISTRY = Registry.load()
MAZE = REGISTRY.tasks["ued/maze-25"]
SEEDS = (0, 1, 2)


def task(at_once: int = 3, seeds: Sequence[int] = SEEDS) -> TaskSpec:
    """Small mazes; the tier trains `at_once` of its official seeds at once."""
    params = {
        **MAZE.params, "generator_params": {}, "mazes": ["crossing"],
        "height": 5, "width": 5, "horizon": 20, "n_walls": 4, "maze_horizon": 30,
    }  # fmt: skip
    tier = {
        "updates": 3, "environments": 4, "steps": 32, "episodes": 2, "levels": 10,
        "level_episodes": 1, "lr": 1e-3, "seeds_at_once": at_once,
    }  # fmt: skip
    return replace(MAZE, params=params, tiers={"medium": tier}, seeds={"medium": list(seeds)})


def trial_of(baseline: str, seed: int = 0, at_once: int = 3, **overrides: Any) -> Trial:
    recipe, own = REGISTRY.baselines[f"ued/{baseline}"], task(at_once)
    params = resolve_params(own, recipe, "medium", overrides)
    small = {"capacity": 8, "noise": 4}
    params |= {name: value for name, value in small.items() if name in params}
    return Trial(own, recipe, params, overrides, "medium", seed)


def context(root: Path, trial: Trial, on_log: Any = None) -> Context:
    return Context(
        trial,
        assets=AssetStore(root, "0" * 64),
        data=DataStore(REGISTRY.data),
        checkpoint=root / f"checkpoint-{trial.seed}.npz",
        on_log=on_log,
    )


def run(root: Path, trial: Trial) -> tuple[Outcome, bytes]:
    """The outcome and the curve."""
    ctx = context(root, trial)
    outcome = SUITE.run(trial, ctx)
    return outcome, ctx.curve.csv()


def weights(root: Path, outcome: Outcome) -> dict[str, np.ndarray[Any, Any]]:
    """Of the student that the trial has kept."""
    folder = root / "assets" / "ued-student" / outcome.notes["student"][:32]
    return {path.stem: np.load(path) for path in folder.glob("*.npy")}


def test_how_many_seeds_are_trained_at_once_is_part_of_the_identity() -> None:
    assert trial_of("dr").identity != trial_of("dr", at_once=1).identity


@pytest.mark.parametrize(
    ("seed", "together"),
    [(0, (0, 1, 5)), (5, (0, 1, 5)), (6, (6, 7)), (7, (6, 7)), (100, (100,))],
)
def test_official_seeds_are_cut_into_blocks_and_others_are_alone(
    seed: int, together: tuple[int, ...]
) -> None:
    own = task(3, (0, 1, 5, 6, 7))
    trial = replace(trial_of("dr", seed), task=own)

    assert seeds_together(trial, protocol(own, trial.protocol)) == together


def test_one_training_serves_all_trials_of_the_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them has its own student, evidence, curve and evaluation."""
    first, first_curve = run(tmp_path, trial_of("plr-robust", 1))
    monkeypatch.setattr(group, "Lockstep", None)  # nobody trains any more
    others = [run(tmp_path, trial_of("plr-robust", seed)) for seed in (0, 2)]

    kinds = [info.kind for info in list_assets(tmp_path)]
    assert kinds.count("ued-training") == 1
    assert kinds.count("ued-student") == 3
    for other, curve in others:
        assert pack(other.evidence) != pack(first.evidence)
        assert curve != first_curve
        assert other.evidence["counts"][0] > 0


def test_a_trial_does_not_depend_on_which_of_the_group_came_first(tmp_path: Path) -> None:
    run(tmp_path / "later", trial_of("dr", 0))
    found, curve = run(tmp_path / "later", trial_of("dr", 2))
    expected, expected_curve = run(tmp_path / "first", trial_of("dr", 2))

    assert pack(found.evidence) == pack(expected.evidence)
    assert (found.notes, curve) == (expected.notes, expected_curve)


@pytest.mark.parametrize("name", ["dr", "plr-robust"])
def test_a_trial_of_a_group_is_the_trial_alone_to_rounding(name: str, tmp_path: Path) -> None:
    found, curve = run(tmp_path / "group", trial_of(name, 1))
    alone, alone_curve = run(tmp_path / "alone", trial_of(name, 1, at_once=1))

    assert len(curve.splitlines()) == len(alone_curve.splitlines())
    for key in ("counts", "seen_update", "seen_walls", "seen_agent"):
        np.testing.assert_array_equal(found.evidence[key], alone.evidence[key])
    expected = weights(tmp_path / "alone", alone)
    for key, weight in weights(tmp_path / "group", found).items():
        np.testing.assert_allclose(weight, expected[key], rtol=0, atol=1e-5, err_msg=key)


class KilledError(Exception):
    """What a test throws into a running trial."""


@pytest.mark.parametrize("updates", [1, 2])
def test_a_killed_group_goes_on_to_the_same_evidence_and_curve(
    updates: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another trial of the group takes over what the killed one left after so many updates."""
    whole = run(tmp_path / "whole", trial_of("plr-robust", 2))
    monkeypatch.setattr(Pace, "save", lambda self, write: write())  # after every update
    seen: list[Row] = []

    def kill(row: Row) -> None:
        seen.append(row)
        if len(seen) == updates + 1:
            raise KilledError

    root = tmp_path / "killed"
    killed = trial_of("plr-robust", 0)
    with pytest.raises(KilledError):
        SUITE.run(killed, context(root, killed, kill))
    assert len(list(root.glob("assets/ued-training/*checkpoint*"))) == 1
    resumed = run(root, trial_of("plr-robust", 2))

    assert pack(resumed[0].evidence) == pack(whole[0].evidence)
    assert resumed[1] == whole[1]
    assert not list(root.glob("assets/ued-training/*checkpoint*"))


def test_a_fixed_agent_trains_nobody_whatever_the_tier_says(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, trial_of("random"))

    assert outcome.notes["student"] is None
    assert not list(list_assets(tmp_path))


def test_a_memory_that_cannot_be_batched_is_refused_in_one_line(tmp_path: Path) -> None:
    trial = trial_of("dr", memory="gru")

    with pytest.raises(UsageError) as caught:
        run(tmp_path, trial)
    assert str(caught.value) == (
        "ued/dr on ued/maze-25: memory: tier medium has seeds_at_once = 3, which takes 'lstm',"
        " found 'gru'"
    )


def test_a_network_of_ones_own_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from rlbench.suites.ued.curricula.randomised import DomainRandomisation\n\n\n"
        "class Mine(DomainRandomisation):\n"
        "    def student(self, view): ...\n"
    )
    trial = Trial(task(), own_baseline(f"{path}:Mine", "ued", []), {}, {}, "medium", 0)

    with pytest.raises(UsageError, match=r"memory: .* found a network of its own$"):
        run(tmp_path, trial)


def test_an_impossible_number_of_seeds_is_refused_by_name() -> None:
    with pytest.raises(SpecError, match=r"tiers.medium: seeds_at_once: expected at least 1"):
        SUITE.check_task(task(0))
