"""What environments and learners say to each other; numpy only.

An agent without learning is a class with `policy(settings, rng)`, which returns a `Player`:

    class Mine:
        def policy(self, settings, rng):     # the task's `TaskSettings`, a numpy generator
            return self

        def act(self, observation, step):    # an `Observation` of n slots; `Step` or None at first
            return np.zeros(len(observation.glyphs), np.int64)

Name it on the command line: `rlbench run skillhack/eat mine.py:Mine`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from rlbench.suites.skillhack.settings import TaskSettings

ACTIONS: tuple[str, ...] = (
    "north", "east", "south", "west", "northeast", "southeast", "southwest", "northwest",
    "pickup", "put-on", "zap", "take-off", "wear", "throw", "escape", "eat", "apply", "wield",
    "quaff", "$", "f", "g", "h",
)  # fmt: skip
"""The published actions in the published order."""
KEYS: tuple[int, ...] = tuple(map(ord, "kljhunby,PzTWt\x1beawq$fgh"))
"""The key that each action presses; west and `h` are the same key, and prompts are answered with
these: `y` is northwest, `n` southeast, `l` (left) east."""
NLE_ACTIONS: tuple[str, ...] = (
    "more", *ACTIONS[:8], *(f"far {direction}" for direction in ACTIONS[:8]),
    "up", "down", "wait", "kick", "eat", "search",
)  # fmt: skip
"""Those of nle's own tasks, in nle's order. There are 23 too, so every task has as many actions."""


MAP = (21, 79)
"""Rows and columns of NetHack's map."""
BLSTATS = 27
MESSAGE = 256


def actions_of(settings: TaskSettings) -> tuple[str, ...]:
    """What the actions of a task are called."""
    return NLE_ACTIONS if settings.threshold else ACTIONS


class Observation(NamedTuple):
    """What n slots see; the arrays are overwritten by the next step, so copy what you keep."""

    glyphs: npt.NDArray[np.int16]
    """[n, 21, 79]"""
    chars: npt.NDArray[np.uint8]
    """[n, 21, 79]"""
    colors: npt.NDArray[np.uint8]
    """[n, 21, 79]"""
    specials: npt.NDArray[np.uint8]
    """[n, 21, 79]"""
    blstats: npt.NDArray[np.int64]
    """[n, 27]; the first two are the hero's column and row"""
    message: npt.NDArray[np.uint8]
    """[n, 256], ended by a zero"""
    prompt: npt.NDArray[np.bool_]
    """[n, 3]: whether the game waits for one key, for a line of text, for --More--"""


class Cause(IntEnum):
    """Why an episode is over."""

    RUNNING = 0
    EVENT = 1
    """The task's own events ended it."""
    STAIRS = 2
    """The hero stood on the stairs down."""
    DEATH = 3
    TIMEOUT = 4


class Step(NamedTuple):
    """What one action in each of n slots brought; overwritten by the next step."""

    observation: Observation
    """Where an episode ended, the first of the next one."""
    reward: npt.NDArray[np.float32]
    """[n]"""
    terminated: npt.NDArray[np.bool_]
    """[n]: the episode ended"""
    truncated: npt.NDArray[np.bool_]
    """[n]: it was cut off at its time limit; in published tasks too, though they pay -1 for it"""
    success: npt.NDArray[np.bool_]
    """[n]: it ended with a reward above 0.5, which is what the published learner counts"""
    cause: npt.NDArray[np.uint8]
    """[n]: a `Cause`"""


class Player(Protocol):
    """A fixed policy that plays n slots."""

    def act(self, observation: Observation, step: Step | None) -> npt.NDArray[np.int64]:
        """The actions [n], as indices of `actions_of`; `step` is None before the first."""


class Agent(Protocol):
    """An agent without learning."""

    def policy(self, settings: TaskSettings, rng: np.random.Generator) -> Player:
        """A player of one task."""


class Environments(Protocol):
    """n slots in which one episode after another is played; a context manager."""

    n: int

    @property
    def episodes(self) -> npt.NDArray[np.int64]:
        """[n]: the number of each slot's open episode, from 0."""

    def reset(self) -> Observation:
        """Begin episode 0 in every slot."""

    def step(self, actions: npt.NDArray[Any]) -> Step:
        """Act in every slot; where an episode ends, the next one begins at once."""

    def seeds(self) -> npt.NDArray[np.int64]:
        """[n, 2]: NetHack's two seeds of each slot's open episode."""

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """The open episodes: `episodes` int64 [n], `lengths` int64 [n], `actions` uint8 [sum]."""

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> Observation:
        """Play the open episodes again up to where they were."""

    def close(self) -> None:
        """End all games."""

    def __enter__(self) -> Environments:
        """Itself."""

    def __exit__(self, *_: object) -> None:
        """Close."""
