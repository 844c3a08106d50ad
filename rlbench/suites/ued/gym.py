"""The mazes as gymnasium environments, one at a time and many at once.

Importing this module registers `rlbench/ued-maze-v1` (60 walls), `rlbench/ued-maze-25-v1`, every
named maze (`rlbench/ued-labyrinth-v1`) and every procedural family (`rlbench/ued-perfect-19-v1`);
`gymnasium.make_vec` steps all copies in one call. Each episode draws a level of the family.

Observations are MiniGrid's without the mission: `image[x, y]` holds (object, colour, state), x from
left to right and y from far to near; `direction` is 0 right, 1 down, 2 left, 3 up. As in MiniGrid,
reaching the goal terminates and the time limit truncates.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from rlbench.core.bundled import bundled
from rlbench.suites.ued.draw import Picture, draw
from rlbench.suites.ued.families import Family, generator, of_maze, procedural
from rlbench.suites.ued.levelfile import read_levels
from rlbench.suites.ued.levels import Levels
from rlbench.suites.ued.maze import N_ACTIONS, Maze, State
from rlbench.suites.ued.view import COLOURS, GOAL, WALL

Observation = dict[str, npt.NDArray[Any]]

_TRANSFER = "ued/levels/transfer.txt"


class MazeVectorEnv(VectorEnv[Observation, npt.NDArray[Any], npt.NDArray[Any]]):
    """Many mazes in one call; an ended episode restarts at the next step (gymnasium's default)."""

    metadata = {  # noqa: RUF012 (gymnasium declares it as an instance's)
        "render_modes": ["rgb_array"],
        "render_fps": 12,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        family: Family | str,
        num_envs: int = 1,
        *,
        view: int = 5,
        occluded: bool | None = None,
        horizon: int | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Args say what is played and seen.

        Args:
            family: where levels come from, or the name of one of `families`.
            num_envs: how many are played at once.
            view: side of the view, odd.
            occluded: whether walls block sight; the family's own rule by default.
            horizon: the time limit; the family's own by default.
            render_mode: `rgb_array` or None.
        """
        family = families()[family] if isinstance(family, str) else family
        hidden = family.occluded if occluded is None else occluded
        self._maze = Maze(
            family.height,
            family.width,
            horizon=horizon or family.horizon,
            view=view,
            occluded=hidden,
        )
        self._family, self._rng = family, torch.Generator()
        self._pool = self._maze.empty_pool(num_envs)
        self._state: State | None = None
        self._ended = np.zeros(num_envs, dtype=bool)
        self.num_envs, self.render_mode = num_envs, render_mode
        self.single_observation_space = observation_space(view)
        self.single_action_space = spaces.Discrete(N_ACTIONS)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """New levels everywhere; an integer seed makes all that follows repeatable."""
        super().reset(seed=seed)
        if seed is not None:
            self._rng.manual_seed(seed)
        elif self._state is None:
            self._rng.seed()
        every = torch.arange(self.num_envs)
        self._pool.write(every, self._family.generate(self.num_envs, self._rng))
        self._state = self._maze.start(self._pool, every)
        self._ended[:] = False
        return self._observation(self._state), {}

    def step(
        self, actions: npt.NDArray[Any]
    ) -> tuple[Observation, npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], dict[str, Any]]:
        """Act everywhere, or begin anew (the action ignored, reward 0) where an episode ended."""
        state = self._playing()
        fresh = torch.from_numpy(self._ended.copy())
        slots = fresh.nonzero()[:, 0]
        if len(slots):
            self._pool.write(slots, self._family.generate(len(slots), self._rng))
            state = self._maze.restart(self._pool, state, fresh, state.level)
        chosen = torch.as_tensor(actions, dtype=torch.int64)
        state, reward, _ = self._maze.step(self._pool, state, chosen)
        terminated, truncated = reward > 0, state.time >= self._maze.horizon
        state = self._maze.restart(self._pool, state, fresh, state.level)
        self._state = state
        flags = (~fresh & terminated).numpy(), (~fresh & truncated).numpy()
        self._ended = flags[0] | flags[1]
        gained = (reward * ~fresh).numpy().astype(np.float64)
        return self._observation(state), gained, *flags, {}

    def render(self) -> tuple[Picture, ...] | None:  # type: ignore[override]
        """Pictures of all mazes as they are now, or None without a render mode."""
        if self.render_mode is None:
            return None
        state = self._playing()
        levels = self._pool.read(state.level)
        here = self._maze.position(self._pool, state)
        return tuple(draw(Levels(levels.walls, here, state.direction, levels.goal)))

    def _playing(self) -> State:
        if self._state is None:
            raise gymnasium.error.ResetNeeded("call reset before step or render")
        return self._state

    def _observation(self, state: State) -> Observation:
        side = self._maze.view
        codes = self._maze.observe(self._pool, state).numpy().reshape(-1, side, side)
        return {"image": _image(codes), "direction": state.direction.numpy().copy()}


class MazeEnv(gymnasium.Env[Observation, Any]):
    """One maze at a time."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 12}  # noqa: RUF012

    def __init__(
        self, family: Family | str, *, render_mode: str | None = None, **options: Any
    ) -> None:
        """`options` are those of `MazeVectorEnv`."""
        self._many = MazeVectorEnv(family, 1, render_mode=render_mode, **options)
        self.render_mode = render_mode
        self.observation_space = self._many.single_observation_space
        self.action_space = self._many.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """A new level."""
        super().reset(seed=seed)
        seen, info = self._many.reset(seed=seed, options=options)
        return _first(seen), info

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Act once."""
        seen, reward, terminated, truncated, info = self._many.step(np.array([action]))
        return _first(seen), float(reward[0]), bool(terminated[0]), bool(truncated[0]), info

    def render(self) -> Picture | None:  # type: ignore[override]
        """A picture of the maze as it is now, or None without a render mode."""
        pictures = self._many.render()
        return None if pictures is None else pictures[0]


def observation_space(view: int) -> spaces.Dict:
    """MiniGrid's space of views and directions."""
    image = spaces.Box(0, 255, (view, view, 3), np.uint8)
    return spaces.Dict({"direction": spaces.Discrete(4), "image": image})


@cache
def families() -> dict[str, Family]:
    """What is registered, by the word between `rlbench/ued-` and the version."""
    named = [of_maze(maze) for maze in read_levels(bundled("tasks") / _TRANSFER)]
    return {
        "maze": Family("maze", 13, 13, 250, generator("scattered", n_walls=60)),
        "maze-25": Family("maze-25", 13, 13, 250, generator("scattered", n_walls=25)),
        **{family.name: family for family in named},
        **procedural(),
    }


def register() -> None:
    """Register every family; harmless when done again."""
    for name in families():
        identifier = f"rlbench/ued-{name}-v1"
        if identifier not in gymnasium.registry:
            gymnasium.register(
                identifier,
                entry_point=f"{__name__}:MazeEnv",
                vector_entry_point=f"{__name__}:MazeVectorEnv",
                kwargs={"family": name},
            )


def _image(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Object codes [n, row, column] as MiniGrid's image [n, x, y, 3]."""
    image = np.zeros((*codes.shape, 3), dtype=np.uint8)
    image[..., 0] = codes
    for code in (WALL, GOAL):
        image[..., 1][codes == code] = COLOURS[code]
    return image.transpose(0, 2, 1, 3).copy()


def _first(seen: Observation) -> Observation:
    return {key: value[0] for key, value in seen.items()}


register()
