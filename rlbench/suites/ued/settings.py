"""What a task and a tier of this suite say, as typed settings; imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rlbench.core.settings import decode_params, decode_tier
from rlbench.core.spec import TaskSpec
from rlbench.core.trial import Trial


@dataclass(frozen=True)
class TaskSettings:
    """`params` of a task: the mazes to train on and those to be good at."""

    generator: str
    """A key of `families.GENERATORS`: the distribution that domain randomisation trains on."""
    level_file: str
    """sha256 of `tasks/ued/levels/transfer.txt`: makes the mazes part of the task's hash."""
    mazes: tuple[str, ...]
    """Named mazes of that file and procedural families (`families.procedural`)."""
    n_walls: int
    """Of the training distribution, at most; what a designer of levels may use."""
    generator_params: dict[str, Any] = field(default_factory=dict)
    """What the generator takes besides `n_walls`, `height` and `width`."""
    height: int = 13
    """Rows of the interior of training mazes."""
    width: int = 13
    horizon: int = 250
    """Time limit in training and on random levels."""
    view: int = 5
    occluded: bool = False
    """Whether walls block the view, in training and evaluation."""
    maze_horizon: int = 0
    """Time limit in the evaluation mazes; 0 for each maze's own."""

    def __post_init__(self) -> None:
        if not self.mazes or len(set(self.mazes)) < len(self.mazes):
            raise ValueError(f"mazes: expected different names, found {list(self.mazes)}")
        if self.horizon < 1 or self.maze_horizon < 0:
            raise ValueError(
                "horizon, maze_horizon: expected at least 1 and 0,"
                f" found {self.horizon}, {self.maze_horizon}"
            )


@dataclass(frozen=True)
class Protocol:
    """A tier: how much a trial is given."""

    updates: int
    """Updates of the student (each of several epochs)."""
    episodes: int
    """Per evaluation maze, once with sampled and once with greedy actions."""
    levels: int
    """Random solvable levels, for the worst case and the conditional value at risk."""
    level_episodes: int
    """Per random level, in each of the two halves of the unbiased estimator."""
    environments: int = 32
    """Mazes that a student plays at once."""
    steps: int = 256
    """Steps of a rollout."""
    lr: float = 1e-4
    """Adam's learning rate for a curriculum that names none."""
    seeds_at_once: int = 1
    """Official seeds of a cell that are trained as one batch; see `seeds_together`."""

    def __post_init__(self) -> None:
        names = ("updates", "episodes", "levels", "level_episodes", "environments", "steps")
        for name in (*names, "seeds_at_once"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, found {getattr(self, name)}")
        if self.lr <= 0:
            raise ValueError(f"lr: expected a positive number, found {self.lr}")


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


def seeds_together(trial: Trial, limits: Protocol) -> tuple[int, ...]:
    """The seeds whose students are trained in one batch with those of a trial, its own included.

    The official seeds are cut into blocks of `limits.seeds_at_once`, the last of which may be
    shorter. Any other seed is trained alone.
    """
    official = trial.task.official_seeds(trial.base_tier)
    if trial.seed not in official:
        return (trial.seed,)
    size = limits.seeds_at_once
    first = official.index(trial.seed) // size * size
    return official[first : first + size]
