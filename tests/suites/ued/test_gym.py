"""The gymnasium environments."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.utils.env_checker import check_env  # noqa: E402

from rlbench.suites.ued.families import Family, generator  # noqa: E402
from rlbench.suites.ued.gym import MazeEnv, MazeVectorEnv, families, register  # noqa: E402
from rlbench.suites.ued.maze import Maze  # noqa: E402
from rlbench.suites.ued.view import features  # noqa: E402


def test_every_family_is_registered_once() -> None:
    register()
    ids = {name for name in gymnasium.registry if name.startswith("rlbench/ued-")}
    assert ids == {f"rlbench/ued-{name}-v1" for name in families()}
    assert {"rlbench/ued-maze-v1", "rlbench/ued-labyrinth-v1"} <= ids


@pytest.mark.parametrize("name", ["maze", "small-corridor", "four-rooms-minigrid"])
def test_an_environment_passes_gymnasiums_checker(name: str) -> None:
    check_env(gymnasium.make(f"rlbench/ued-{name}-v1", render_mode="rgb_array").unwrapped)


def test_a_spec_travels_to_other_processes() -> None:
    env = gymnasium.make("rlbench/ued-maze-v1", view=7)
    again = pickle.loads(pickle.dumps(env.spec)).make()
    assert again.observation_space["image"].shape == (7, 7, 3)
    assert again.spec.to_json() == env.spec.to_json()


def play(env: Any, steps: int, seed: int) -> list[tuple[Any, ...]]:
    """What `steps` of the same random actions bring."""
    actions = np.random.Generator(np.random.PCG64(seed))
    seen, _ = env.reset(seed=seed)
    history: list[tuple[Any, ...]] = [(seen["image"].tobytes(),)]
    for _ in range(steps):
        seen, *rest, _ = env.step(actions.integers(0, 3, env.num_envs))
        flat = [np.asarray(item).tolist() for item in (seen["direction"], *rest)]
        history.append((seen["image"].tobytes(), *flat))
    return history


def test_a_seed_repeats_a_vector_environment() -> None:
    env = gymnasium.make_vec("rlbench/ued-maze-v1", num_envs=5)
    assert play(env, 300, seed=1) == play(env, 300, seed=1)
    assert play(env, 10, seed=1) != play(env, 10, seed=2)


def test_an_ended_episode_restarts_at_the_next_step_on_a_new_level() -> None:
    family = Family("tiny", 3, 3, 4, generator("scattered", height=3, width=3, n_walls=2))
    env: Any = MazeVectorEnv(family, 200)
    assert env.observation_space["image"].shape == (200, 5, 5, 3)
    env.reset(seed=0)
    ended = np.zeros(200, dtype=bool)
    goals = timeouts = 0
    for step in range(40):
        actions = np.full(200, 2 if step % 2 else 0)
        seen, reward, terminated, truncated, _ = env.step(actions)
        assert (reward[ended] == 0).all()
        assert not (terminated | truncated)[ended].any()
        assert ((reward > 0) == terminated).all()
        assert env.observation_space.contains(seen)
        ended = terminated | truncated
        goals, timeouts = goals + int(terminated.sum()), timeouts + int(truncated.sum())
    assert goals > 100
    assert timeouts > 100


def test_images_have_minigrids_layout_and_colours() -> None:
    family = families()["labyrinth"]
    seen, _ = MazeEnv(family).reset(seed=0)
    assert seen["direction"] == 0
    # at the bottom left, looking right: floor ahead, the border on the right hand
    assert seen["image"][2, 4].tolist() == [1, 0, 0]
    assert seen["image"][2, 3].tolist() == [1, 0, 0]
    assert seen["image"][3, 4].tolist() == [2, 5, 0]


def test_features_for_networks_are_the_image_divided_by_ten() -> None:
    maze = Maze(13, 13)
    pool = maze.pool(families()["labyrinth"].generate(1, torch.Generator()))
    codes = maze.observe(pool, maze.start(pool, torch.tensor([0])))
    seen, _ = MazeEnv("labyrinth").reset(seed=0)
    image = torch.from_numpy(seen["image"]).permute(2, 1, 0) / 10
    assert torch.equal(features(codes)[0], image)


def test_rendering_shows_the_agent_where_it_is() -> None:
    env = MazeEnv("labyrinth", render_mode="rgb_array")
    env.reset(seed=0)
    first = env.render()
    env.step(2)
    second = env.render()
    assert first is not None
    assert second is not None
    assert first.shape == (15 * 12, 15 * 12, 3)
    changed = np.argwhere((first != second).any(2)) // 12
    assert {tuple(cell) for cell in changed.tolist()} == {(13, 1), (13, 2)}
    assert MazeEnv("labyrinth").render() is None


def test_stepping_before_a_reset_is_refused() -> None:
    with pytest.raises(gymnasium.error.ResetNeeded):
        MazeVectorEnv("maze", 2).step(np.zeros(2))
