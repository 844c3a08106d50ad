"""MiniHack's own registered environments, played through its public class; slow, but theirs.

A `PublicPlay` can be put wherever a `Play` can. The agent has this suite's 23 keys, which is why
environments that need other keys are no tasks. Moon and date follow from the seed. As everywhere in
this suite, no event counts at the reset, which only the move to gymnasium brought.
"""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import numpy as np

from rlbench.core.errors import MissingError, SpecError
from rlbench.suites.skillhack.folders import drop_folder, everything_in, new_folder
from rlbench.suites.skillhack.game import SEEN, Rows
from rlbench.suites.skillhack.interface import KEYS, Cause
from rlbench.suites.skillhack.rewards import Verdict
from rlbench.suites.skillhack.seeding import GameSeed, Purpose, episode_seed
from rlbench.suites.skillhack.settings import TaskSettings

_STAIRS = 4


def environment_class(
    identifier: str, package: str = "minihack"
) -> tuple[type[Any], dict[str, Any]]:
    """The class that a package registers under an id of gymnasium, and its arguments.

    Raises:
        MissingError: the package is not installed.
        SpecError: it registers no such id.
    """
    import gymnasium

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it imports pkg_resources
            importlib.import_module(package)
        spec = gymnasium.spec(identifier)
    except ImportError as error:
        raise MissingError(
            f"{package} is not installed ({error}): pip install 'rlbench[skillhack]'"
        ) from error
    except gymnasium.error.Error as error:
        raise SpecError(f"environment: {package} registers no '{identifier}'") from error
    module, _, name = str(spec.entry_point).partition(":")
    return getattr(importlib.import_module(module), name), dict(spec.kwargs)


class PublicPlay:
    """Plays episodes of one environment, one after another."""

    def __init__(self, settings: TaskSettings, rows: Rows) -> None:
        """`rows` are the arrays to write into, see `Game`.

        Raises:
            MissingError: the package that has it is not installed.
            SpecError: it registers no such environment, or one with another time limit.
        """
        self._folder = new_folder()
        try:
            with everything_in(self._folder):
                self._env = self._make(settings, rows)
        except BaseException:
            drop_folder(self._folder)
            raise
        self.seed = GameSeed(0, 0)
        self._rows, self._names = rows, self._env._observation_keys

    def _make(self, settings: TaskSettings, rows: Rows) -> Any:
        kind, more = environment_class(settings.environment)
        env = _without_reset_events(kind)(
            **more, actions=KEYS, observation_keys=SEEN, fix_moon_phase=True
        )
        limit = env._max_episode_steps
        if limit != settings.max_steps:
            env.close()
            raise SpecError(f"max_steps: {settings.environment} has {limit}, not the task's")
        return env

    def begin(self, seed: int, purpose: Purpose, slot: int, episode: int) -> None:
        """Begin an episode."""
        self.begin_at(episode_seed(seed, purpose, slot, episode))

    def begin_at(self, seed: GameSeed) -> None:
        """Begin the game with these seeds."""
        self.seed = seed
        self._env.seed(seed.core, seed.disp, reseed=False)
        self._env.reset()
        self._show()

    def act(self, action: int) -> Verdict:
        """Press the key of an action."""
        reward, over, status = self._step(action)
        return Verdict(reward, self._cause(status) if over else Cause.RUNNING)

    def close(self) -> None:
        """End the game."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it tells when it has to end a game the hard way
            self._env.close()
        drop_folder(self._folder)

    def _step(self, action: int) -> tuple[float, bool, Any]:
        """Reward, whether the class says that the episode is over, and its word for how."""
        _, reward, over, _, info = self._env.step(action)
        self._show()
        return float(reward), bool(over), info["end_status"]

    def _cause(self, status: Any) -> Cause:
        kinds = self._env.StepStatus
        if status == kinds.ABORTED:
            return Cause.TIMEOUT
        if status == kinds.DEATH:
            return Cause.DEATH
        seen = self._env.last_observation[self._names.index("internal")]
        return Cause.STAIRS if seen[_STAIRS] else Cause.EVENT

    def _show(self) -> None:
        for name, shown in zip(self._names, self._env.last_observation, strict=True):
            if name in self._rows:
                np.copyto(self._rows[name], shown)


def _without_reset_events(kind: type[Any]) -> type[Any]:
    """The class, asked for no end of the episode before its first step."""

    def is_episode_end(env: Any, observation: Any) -> Any:
        if env._steps == 0:
            return env.StepStatus.RUNNING
        return kind._is_episode_end(env, observation)

    return type(kind.__name__, (kind,), {"_is_episode_end": is_episode_end})
