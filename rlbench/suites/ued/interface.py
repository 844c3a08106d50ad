"""What a curriculum is: a class that proposes levels and hears how the student did.

    class Mine:
        def begin(self, world):              # once; see `World`
            self.world = world

        def propose(self):                   # before each rollout; see `Proposal`
            levels = self.world.draw(self.world.environments, self.world.rng)
            return Proposal(levels)

        def receive(self, proposal, plays):  # after it; one `Play` per student
            scores = plays[0].score("max-mc")

Name it on the command line: `rlbench run ued/maze-25 mine.py:Mine`. It needs no base class. Its
parameters are those of its constructor. Optional, as class attributes or methods:

- `n_students`: how many students learn, each from its own play (1). The first one is evaluated.
- `training`: a mapping of settings that differ from the default (`lr`, `gamma`, … see `Training`).
- `state()` and `restore(tensors)`: everything that changes, as a dict of tensors, so that a killed
  trial goes on where it was; without them it starts again.
- `student(view)`: a network of its own for views of `view` x `view` cells, an `nn.Module` with the
  methods of `student.ActorCritic`.
- `hardest(n)`: up to n levels that it values most at the end, best first; kept in the record.

A class with `policy` instead of `propose` trains nobody: its fixed policy is evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from rlbench.suites.ued.feedback import Play, Tally
    from rlbench.suites.ued.levels import Levels
    from rlbench.suites.ued.maze import Maze, State
    from rlbench.suites.ued.pool import Pool


@dataclass(frozen=True)
class World:
    """What a curriculum may use."""

    maze: Maze
    """The rules of the mazes to train on: their size, horizon and view."""
    draw: Callable[[int, torch.Generator], Levels]
    """The task's own distribution: n random levels. Not all of them can be solved."""
    rng: torch.Generator
    """The curriculum's own chance; it is saved with the trial."""
    environments: int
    """Levels that a student plays at once."""
    steps: int
    """Steps of a rollout."""
    updates: int
    """How many updates of the student there will be."""
    n_walls: int
    """Of the task's own levels, at most: what a designer of levels may use."""
    probe: Callable[[Levels, int], Tally]
    """Let the first student play each level for a number of steps, without learning from it; the
    steps are counted."""


@dataclass(frozen=True, eq=False)
class Proposal:
    """What to play next."""

    levels: Levels
    """Environment i begins with level i, and there are as many environments as levels, or
    `World.environments` of them with `renew`."""
    trained: Tensor | None = None
    """bool [environments]: from which of them the students learn; None for all."""
    renew: bool = False
    """After an episode: go on to the next level that nobody has played, instead of the same."""


class Curriculum(Protocol):
    """Chooses the levels."""

    def begin(self, world: World) -> None:
        """Called once, first."""

    def propose(self) -> Proposal:
        """What to play in the next rollout."""

    def receive(self, proposal: Proposal, plays: Sequence[Play]) -> None:
        """How it went, per student, before they learn from it."""


class Resumable(Protocol):
    """What a curriculum has besides, when its trial can be resumed."""

    def state(self) -> Mapping[str, Tensor]:
        """Everything that changes."""

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put it back."""


class Agent(Protocol):
    """A fixed policy instead of a curriculum."""

    def policy(self, maze: Maze, pool: Pool, rng: torch.Generator) -> Callable[[State], Tensor]:
        """From the agents' states to actions int64 [n]."""
