"""What a task and a tier of this suite say, as typed settings; imports no NetHack and no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rlbench.core.settings import decode_params, decode_tier
from rlbench.core.spec import TaskSpec

Check = Literal["carried", "reach-stairs", "reach-object", "reach-door"]
"""What can be wanted of a level at its first step; see `solvable`."""


@dataclass(frozen=True)
class Event:
    """A message of the game that pays, ends the episode, or both."""

    messages: tuple[str, ...]
    """It happens when one of these is part of the message."""
    reward: float = 1.0
    repeatable: bool = False
    """Whether it happens more than once in an episode; then it cannot end one."""
    required: bool = True
    """The episode is over when all required events have happened."""
    sufficient: bool = False
    """The episode is over when this event has happened."""

    def __post_init__(self) -> None:
        if not self.messages or not all(self.messages):
            raise ValueError(f"messages: expected texts, found {list(self.messages)}")
        if self.repeatable and (self.required or self.sufficient):
            raise ValueError("repeatable: such an event ends no episode; set required = false")


@dataclass(frozen=True)
class TaskSettings:
    """`params` of a task: its level, what pays in it, and which of two rule sets holds."""

    level: str = ""
    """The level file `tasks/skillhack/des/LEVEL.des`."""
    level_sha256: str = ""
    """Of that file: makes the level part of the task's hash."""
    published: bool = False
    """Whether everything is as published, quirks included; the card lists them."""
    max_steps: int = 250
    """Steps after which an episode is cut off; keys that answer a prompt count."""
    autopickup: bool = False
    """Whether the hero picks up what he steps on. The published skills that set it thereby drop
    all other options of the game, so that a dog comes along."""
    events: tuple[Event, ...] = ()
    together: bool = False
    """Whether events pay nothing until all of them have happened, and then all at once."""
    stairs_reward: float = 0.0
    """What standing on the stairs down pays; it always ends the episode."""
    step_penalty: float = 0.0
    """Taken off in every step."""
    drink: str = ""
    """The letter of a potion that is drunk for the agent as soon as it is carried."""
    pick_first: bool = False
    """Whether that potion has to be picked up from the floor first."""
    solvable: tuple[Check, ...] = ()
    """Levels that fail one of these checks are drawn again; the published tasks keep them."""
    skills: tuple[str, ...] = ()
    """Names of the skill tasks whose experts help in this one; none for a skill."""
    frozen_penalty: float = 0.001
    """Taken off in a step in which no game time passes, such as a key in a prompt."""
    environment: str = ""
    """Instead of a level, an id that MiniHack registers; its class says all but `max_steps`. With
    a threshold, an id that nle registers, played by SILG's rules; see `silg`."""
    threshold: float = 0.0
    """What that environment has to pay in an episode, steps' price included, to win it."""
    held_out: Literal["dev", "test"] = "test"
    """Which of SILG's two splits of seeds evaluation draws from; training has the third."""

    def __post_init__(self) -> None:
        if self.max_steps < 1:
            raise ValueError(f"max_steps: expected at least 1, found {self.max_steps}")
        if bool(self.level) == bool(self.environment):
            raise ValueError(
                f"level, environment: expected one of them,"
                f" found '{self.level}', '{self.environment}'"
            )
        if self.level and self.threshold:
            raise ValueError("threshold: expected none, because a level has events or stairs")
        if self.level and not self.events and not self.stairs_reward:
            raise ValueError("events, stairs_reward: expected something that pays")
        if len(self.drink) > 1 or (self.pick_first and not self.drink):
            raise ValueError(f"drink: expected one letter, found '{self.drink}'")


@dataclass(frozen=True)
class Protocol:
    """A tier: how much a trial is given."""

    env_steps: int
    """Steps that a learner may take."""
    episodes: int
    """Played with the final policy, each on a level that training does not draw."""
    environments: int = 16
    """Slots played at once."""
    network: Literal["small", "paper"] = "small"

    def __post_init__(self) -> None:
        for name in ("env_steps", "episodes", "environments"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, found {getattr(self, name)}")


def task_settings(task: TaskSpec) -> TaskSettings:
    """The typed `params` of a task.

    Raises:
        SpecError: a key is unknown, missing or ill-typed; names the file and the key.
    """
    return decode_params(TaskSettings, task)


def protocol(task: TaskSpec, tier_table: Mapping[str, Any]) -> Protocol:
    """The typed settings of one of the task's tiers (`tier_table` is `trial.protocol`).

    Raises:
        SpecError: a key is unknown, missing or ill-typed; names the file and the key.
    """
    return decode_tier(Protocol, task, tier_table)
