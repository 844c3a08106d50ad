"""Every task as a gymnasium environment, one at a time.

Importing this module registers `rlbench/skillhack-NAME-v1` for each task of `tasks/skillhack`,
published ones included. Training on many at once is `vector.make_vector`'s business.

An observation is what `interface.Observation` says, without the first dimension. An episode's level
follows from the seed of the last `reset` that gave one and from how many came after it.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from nle.nethack import MAX_GLYPH

from rlbench.core.bundled import bundled
from rlbench.core.spec import TaskSpec, read_tasks
from rlbench.suites.skillhack.interface import ACTIONS, BLSTATS, MAP, MESSAGE, Cause, Observation
from rlbench.suites.skillhack.screen import ansi, picture
from rlbench.suites.skillhack.settings import task_settings
from rlbench.suites.skillhack.slots import SUCCESS
from rlbench.suites.skillhack.watch import WatchedGame

Seen = dict[str, npt.NDArray[Any]]


class SkillHackEnv(gymnasium.Env[Seen, Any]):
    """One task; the info of the last step says `cause` and `success`."""

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 8}  # noqa: RUF012

    def __init__(self, task: str, *, render_mode: str | None = None) -> None:
        """`task` is the name of a task of this suite.

        Raises:
            SpecError: the level does not compile.
            MissingError: NetHack is not installed.
        """
        self.render_mode = render_mode
        self.observation_space = observation_space()
        self.action_space = spaces.Discrete(len(ACTIONS))
        self._game = WatchedGame(task_settings(tasks()[task]))
        self._seed, self._episode = 0, -1

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Seen, dict[str, Any]]:
        """Begin the next episode; `info["seeds"]` are NetHack's own two."""
        super().reset(seed=seed)
        if seed is not None or self._episode < 0:
            self._seed = int(self.np_random.integers(2**62))
            self._episode = -1
        self._episode += 1
        self._game.play.begin(self._seed, "train", 0, self._episode)
        return _seen(self._game.observation()), {"seeds": tuple(self._game.play.seed)}

    def step(self, action: Any) -> tuple[Seen, float, bool, bool, dict[str, Any]]:
        """Press the key of an action."""
        reward, cause = self._game.step(int(action))
        info: dict[str, Any] = {}
        if cause is not Cause.RUNNING:
            info = {"cause": cause.name.lower(), "success": reward > SUCCESS}
        timed_out = cause is Cause.TIMEOUT
        ended = cause is not Cause.RUNNING and not timed_out
        return _seen(self._game.observation()), reward, ended, timed_out, info

    def render(self) -> Any:
        """The terminal as text with colours, or as a picture uint8 [height, width, 3]."""
        if self.render_mode is None:
            return None
        return (ansi if self.render_mode == "ansi" else picture)(self._game.screen())

    def close(self) -> None:
        """End the game."""
        self._game.close()


def observation_space() -> spaces.Dict:
    """What `interface.Observation` says, for one slot."""
    byte = {"low": 0, "high": 255, "dtype": np.uint8}
    least, most = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    return spaces.Dict(
        {
            "glyphs": spaces.Box(0, MAX_GLYPH, MAP, np.int16),
            "chars": spaces.Box(shape=MAP, **byte),  # type: ignore[arg-type]
            "colors": spaces.Box(shape=MAP, **byte),  # type: ignore[arg-type]
            "specials": spaces.Box(shape=MAP, **byte),  # type: ignore[arg-type]
            "blstats": spaces.Box(least, most, (BLSTATS,), np.int64),
            "message": spaces.Box(shape=(MESSAGE,), **byte),  # type: ignore[arg-type]
            "prompt": spaces.MultiBinary(3),
        }
    )


def _seen(observation: Observation) -> Seen:
    seen = {name: rows[0] for name, rows in observation._asdict().items()}
    return seen | {"prompt": seen["prompt"].astype(np.int8)}


def tasks() -> dict[str, TaskSpec]:
    """The tasks of this suite, by name."""
    folder = bundled("tasks")
    found: dict[str, TaskSpec] = {}
    for path in sorted((folder / "skillhack").glob("*.toml")):
        shown = path.relative_to(folder.parent).as_posix()
        found |= {task.name: task for task in read_tasks(path, shown)}
    return found


def register() -> None:
    """Register every task; harmless when done again."""
    for name in tasks():
        identifier = f"rlbench/skillhack-{name}-v1"
        if identifier not in gymnasium.registry:
            gymnasium.register(
                identifier, entry_point=f"{__name__}:SkillHackEnv", kwargs={"task": name}
            )


register()
