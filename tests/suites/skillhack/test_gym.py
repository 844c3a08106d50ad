"""Tasks as gymnasium environments."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from nethack_levels import MINIHACK, SILG, TASKS

from rlbench.suites.skillhack import gym
from rlbench.suites.skillhack.interface import ACTIONS


def test_every_task_has_an_id() -> None:
    every = {**TASKS, **MINIHACK, **SILG}
    assert {f"rlbench/skillhack-{name}-v1" for name in every} <= set(gymnasium.registry)
    assert gym.tasks() == every


@pytest.mark.parametrize("name", ["battle", "wield-published", "nav-blind"])
@pytest.mark.parametrize("mode", ["ansi", "rgb_array"])
def test_gymnasium_s_checker_finds_nothing(name: str, mode: str) -> None:
    env = gymnasium.make(f"rlbench/skillhack-{name}-v1", render_mode=mode)
    check_env(env.unwrapped)
    env.close()  # type: ignore[no-untyped-call]


def test_one_seed_gives_one_series_of_levels() -> None:
    env = gymnasium.make("rlbench/skillhack-eat-v1")
    series = [env.reset(seed=5)[1], env.reset()[1], env.reset(seed=5)[1], env.reset()[1]]
    env.close()  # type: ignore[no-untyped-call]

    assert series[:2] == series[2:]
    assert series[0] != series[1]


def test_the_last_step_says_why_and_whether_it_was_won() -> None:
    env = gymnasium.make("rlbench/skillhack-take-off-v1")
    env.reset(seed=0)
    _, reward, terminated, truncated, info = env.step(ACTIONS.index("take-off"))
    env.close()  # type: ignore[no-untyped-call]

    assert (terminated, truncated) == (True, False)
    assert float(reward) == pytest.approx(0.99)
    assert info == {"cause": "event", "success": True}


def test_pictures_show_what_the_text_shows() -> None:
    frames: list[Any] = []
    for mode in ("ansi", "rgb_array"):
        env = gymnasium.make("rlbench/skillhack-fight-v1", render_mode=mode)
        env.reset(seed=0)
        frames.append(env.render())
        env.close()  # type: ignore[no-untyped-call]
    text, picture = frames

    assert isinstance(text, str)
    assert "Agent the Troglodyte" in "".join(
        part[part.find("m") + 1 :] for part in text.split("\033")
    )
    assert isinstance(picture, np.ndarray)
    assert picture.shape == (24 * 13, 80 * 7, 3)
    assert picture.max() > 100
    assert not picture[13 * 3 : 13 * 5].any()  # lines above the room are empty


def names_known(program: str) -> list[str]:
    code = f"{program}; import gymnasium; print(*gymnasium.registry)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_importing_the_module_of_all_ids_registers_these() -> None:
    assert "rlbench/skillhack-battle-v1" in names_known("import rlbench.envs")


def test_without_nethack_the_other_suites_ids_are_there() -> None:
    known = names_known("import sys; sys.modules['nle'] = None; import rlbench.envs")

    assert "rlbench/ued-maze-v1" in known
    assert "rlbench/skillhack-battle-v1" not in known
