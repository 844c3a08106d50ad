"""MiniHack's own environments as tasks, through its public class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from nethack_levels import MINIHACK, TASKS, play_hash, settings_of

from rlbench.core.errors import SpecError
from rlbench.core.registry import Registry
from rlbench.suites.skillhack import folders, gym
from rlbench.suites.skillhack.interface import ACTIONS, Cause
from rlbench.suites.skillhack.public import PublicPlay
from rlbench.suites.skillhack.seeding import GameSeed
from rlbench.suites.skillhack.settings import task_settings
from rlbench.suites.skillhack.suite import SUITE
from rlbench.suites.skillhack.vector import make_vector

pytestmark = pytest.mark.filterwarnings("ignore")  # minihack imports pkg_resources
pytest.importorskip("pkg_resources", reason="setuptools 81 dropped it, and minihack needs it")
pytest.importorskip("minihack", reason="minihack is not installed")

ROOM = "minihack-room-5x5"


def hashed(name: str, workers: int = 0) -> str:
    settings = settings_of(name)
    with make_vector(settings, purpose="train", seed=0, n=2, workers=workers) as env:
        return play_hash(env, 120)


@pytest.mark.parametrize("name", sorted(MINIHACK))
def test_every_task_is_an_environment_that_minihack_registers(name: str) -> None:
    SUITE.check_task(MINIHACK[name])
    play = PublicPlay(settings_of(name), {})
    play.begin_at(GameSeed(1, 2))
    last = play.act(len(ACTIONS) - 1)
    play.close()

    assert last.cause is Cause.RUNNING


def test_any_number_of_workers_plays_the_same_games() -> None:
    assert len({hashed(ROOM), hashed(ROOM), hashed(ROOM, workers=2)}) == 1


def test_temporary_folders_lie_where_the_next_start_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "root", lambda: tmp_path / "games")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folders._of_process.cache_clear()
    play = PublicPlay(settings_of(ROOM), {})
    play.begin_at(GameSeed(1, 2))

    assert list(tmp_path.glob("games/*/*/nle*"))
    assert [path.name for path in tmp_path.iterdir()] == ["games"]
    play.close()
    assert not list(tmp_path.glob("games/*/*"))
    folders._of_process.cache_clear()


def test_walking_to_the_stairs_is_a_success() -> None:
    """The room of five by five has the hero in one corner and the stairs in the other."""
    with make_vector(settings_of(ROOM), purpose="train", seed=0, n=1) as env:
        env.reset()
        for _ in range(4):
            step = env.step(np.array([ACTIONS.index("southeast")]))

    assert step.success.all()
    assert step.cause.tolist() == [Cause.STAIRS]
    assert step.reward.tolist() == [1.0]


def test_the_time_limit_cuts_off() -> None:
    with make_vector(settings_of(ROOM), purpose="train", seed=0, n=1) as env:
        env.reset()
        for i in range(100):
            step = env.step(np.array([ACTIONS.index("escape")]))
            assert step.truncated[0] == (i == 99)


def test_a_restored_vector_goes_on_as_if_it_had_never_stopped() -> None:
    def after(env: Any) -> str:
        return "".join(str(env.step(np.full(2, a)).observation.blstats.tolist()) for a in range(8))

    settings = settings_of("minihack-eat")
    with make_vector(settings, purpose="train", seed=0, n=2) as env:
        env.reset()
        for action in (0, 1, 2, 3, 4):
            env.step(np.full(2, action))
        state = env.state()
        told = after(env)
    with make_vector(settings, purpose="train", seed=0, n=2) as env:
        env.restore(state)

        assert after(env) == told


def test_gymnasium_s_checker_finds_nothing() -> None:
    env = gymnasium.make(f"rlbench/skillhack-{ROOM}-v1", render_mode="rgb_array")
    check_env(env.unwrapped)
    env.close()  # type: ignore[no-untyped-call]
    assert ROOM in gym.tasks()


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"environment": "MiniHack-Rome-v0"}, "registers no 'MiniHack-Rome-v0'"),
        ({"max_steps": 7}, "max_steps: MiniHack-Room-5x5-v0 has 100"),
    ],
)
def test_what_minihack_does_not_have_is_refused(params: dict[str, Any], expected: str) -> None:
    settings = replace(settings_of(ROOM), **params)

    with pytest.raises(SpecError, match=expected):
        PublicPlay(settings, {})


def test_a_task_has_a_level_or_an_environment() -> None:
    both = {**TASKS["eat"].params, "environment": "MiniHack-Eat-v0"}

    with pytest.raises(SpecError, match="level, environment: expected one of them"):
        task_settings(replace(TASKS["eat"], params=both))


def test_the_scripted_solver_does_not_play_them() -> None:
    scripted = Registry.load().baselines["skillhack/scripted"]

    assert SUITE.misfit(MINIHACK[ROOM], scripted)
    assert not SUITE.misfit(TASKS["eat"], scripted)
