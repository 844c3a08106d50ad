"""The training loop: propose, play, tell the curriculum, learn; resumable after every rollout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rlbench.core.decode import decode
from rlbench.core.errors import UsageError
from rlbench.learn.checkpoint import generator_array, restore_generator
from rlbench.learn.ppo import Loss, PpoSettings
from rlbench.suites.ued.feedback import Play, Tally
from rlbench.suites.ued.generate import Generate
from rlbench.suites.ued.interface import Curriculum, Proposal, World
from rlbench.suites.ued.learner import Learner
from rlbench.suites.ued.levels import Levels
from rlbench.suites.ued.maze import Maze
from rlbench.suites.ued.rollout import Rollout, play, try_out
from rlbench.suites.ued.student import ActorCritic, MemoryKind, Student

Arrays = dict[str, np.ndarray[Any, Any]]

STREAMS = ("student", "actions", "levels", "minibatches")
"""The purposes of chance in training, each a generator of its own."""


@dataclass(frozen=True)
class Training(PpoSettings):
    """The part of a recipe that is about the student; the rest is its curriculum's."""

    anneal: bool = False
    """Whether the learning rate falls linearly to 0 over the updates."""
    memory: MemoryKind = "lstm"
    updates: int = 0
    """0 for the tier's."""
    count: Literal["updates", "rollouts"] = "updates"
    """What the tier's number counts: updates of the student (minimax), or rollouts whether or not
    the student learns from them (JaxUED)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.updates < 0:
            raise ValueError(f"updates: expected at least 0, found {self.updates}")


TRAINING_KEYS = frozenset(item.name for item in fields(Training))


def split_params(
    params: Mapping[str, Any], where: str, defaults: Mapping[str, Any]
) -> tuple[Training, dict[str, Any]]:
    """A recipe's parameters, cut into the student's and the curriculum's.

    Raises:
        UsageError: a value that no student can be trained with.
    """
    own = {name: value for name, value in params.items() if name in TRAINING_KEYS}
    rest = {name: value for name, value in params.items() if name not in TRAINING_KEYS}
    return decode(Training, {**defaults, **own}, where, error=UsageError), rest


@dataclass
class Counts:
    """What training has cost so far."""

    rollouts: int = 0
    student_updates: int = 0
    """Rollouts that the students learnt from."""
    student_steps: int = 0
    """Environment steps of all students, exploratory and scoring ones included."""
    trained_steps: int = 0
    """Those of them that were learnt from."""


class Lesson(NamedTuple):
    """What one student learns from."""

    rollout: Rollout
    advantage: Tensor
    """float32 [T, n]."""


@dataclass(frozen=True, eq=False)
class Cycle:
    """What one rollout brought, for the log."""

    proposal: Proposal
    play: Play
    """The first student's."""
    loss: Loss | None
    """The first student's; None when it did not learn."""


class Trainer:
    """Students, their curriculum and all that changes."""

    def __init__(
        self,
        curriculum: Curriculum,
        training: Training,
        maze: Maze,
        draw: Generate,
        seeds: Mapping[str, int],
        *,
        updates: int,
        environments: int = 32,
        steps: int = 256,
        n_walls: int = 60,
    ) -> None:
        """Begin a training.

        Args:
            curriculum: chooses levels.
            training: the students' settings.
            maze: the rules, on the device where all happens.
            draw: the task's own distribution of levels.
            seeds: one per name in `STREAMS`.
            updates: until when, see `Training.count`.
            environments: mazes that a student plays at once.
            steps: steps of a rollout.
            n_walls: of the task's own levels, at most.
        """
        self.curriculum, self.training, self.maze = curriculum, training, maze
        self.updates, self.counts = training.updates or updates, Counts()
        cpu = torch.device("cpu")
        places = {"student": cpu, "minibatches": cpu}
        self.rngs = {
            name: torch.Generator(places.get(name, maze.device)).manual_seed(seeds[name])
            for name in STREAMS
        }
        n_students = int(getattr(curriculum, "n_students", 1))
        self.learners = [self._learner() for _ in range(n_students)]
        rng = self.rngs["levels"]
        self.world = World(maze, draw, rng, environments, steps, self.updates, n_walls, self.probe)
        curriculum.begin(self.world)

    def _learner(self) -> Learner:
        make = getattr(self.curriculum, "student", None)
        memory = self.training.memory
        student: ActorCritic = (
            make(self.maze.view) if make else Student(view=self.maze.view, memory=memory)
        )
        student.initialise(self.rngs["student"])
        return Learner(student, self.training, self.rngs["minibatches"], self.maze.device)

    @property
    def student(self) -> ActorCritic:
        """The student that is evaluated."""
        return self.learners[0].student

    @property
    def progress(self) -> int:
        """How much is done of `updates`."""
        counts = self.counts
        by_updates = self.training.count == "updates"
        return counts.student_updates if by_updates else counts.rollouts

    @property
    def over(self) -> bool:
        """Whether everything is done."""
        return self.progress >= self.updates

    def cycle(self) -> Cycle:
        """One rollout of every student, and an update if the curriculum wants it."""
        proposal = self.propose()
        plays = [self._play(learner, proposal) for learner in self.learners]
        lessons = self.hear(proposal, plays)
        pupils = zip(self.learners, lessons, strict=False)  # no lessons: nobody learns
        losses = [learner.update(*lesson) for learner, lesson in pupils]
        return Cycle(proposal, plays[0], losses[0] if losses else None)

    def propose(self) -> Proposal:
        """What to play next; the first third of a cycle."""
        if self.training.anneal:
            for learner in self.learners:
                learner.set_lr(self.training.lr * (1 - self.progress / self.updates))
        return self.curriculum.propose()

    def _play(self, learner: Learner, proposal: Proposal) -> Play:
        rollout = play(
            learner.student,
            self.maze,
            proposal.levels,
            environments=self.environments(proposal),
            steps=self.world.steps,
            rng=self.rngs["actions"],
            renew=proposal.renew,
        )
        return Play(rollout, learner.advantage(rollout))

    def environments(self, proposal: Proposal) -> int:
        """How many a student plays.

        Raises:
            UsageError: there are not enough levels to begin with.
        """
        n = self.world.environments if proposal.renew else len(proposal.levels)
        if not 0 < n <= len(proposal.levels):
            name = type(self.curriculum).__name__
            found = len(proposal.levels)
            raise UsageError(f"{name}: expected at least {max(n, 1)} levels, found {found}")
        return n

    def hear(self, proposal: Proposal, plays: Sequence[Play]) -> list[Lesson]:
        """Tell the curriculum how it went; one lesson for every student, or none at all."""
        self.curriculum.receive(proposal, plays)
        self.counts.rollouts += 1
        self.counts.student_steps += sum(heard.rollout.done.numel() for heard in plays)
        chosen = proposal.trained
        if chosen is not None and not bool(chosen.any()):
            return []
        lessons = [Lesson(heard.rollout, heard.advantage) for heard in plays]
        if chosen is not None and not bool(chosen.all()):
            lessons = [Lesson(one.select(chosen), gain[:, chosen]) for one, gain in lessons]
        self.counts.trained_steps += sum(lesson.rollout.done.numel() for lesson in lessons)
        self.counts.student_updates += 1
        return lessons

    def probe(self, levels: Levels, steps: int) -> Tally:
        """See `World.probe`."""
        rng = self.rngs["actions"]
        self.counts.student_steps += steps * len(levels)
        return Tally(*try_out(self.student, self.maze, levels, steps=steps, rng=rng))

    @property
    def resumable(self) -> bool:
        """Whether the curriculum can be saved."""
        return hasattr(self.curriculum, "state") and hasattr(self.curriculum, "restore")

    def state(self) -> Arrays:
        """Everything that changes."""
        arrays: Arrays = {f"rng:{name}": generator_array(rng) for name, rng in self.rngs.items()}
        for i, learner in enumerate(self.learners):
            arrays |= {f"student{i}:{name}": value for name, value in learner.state().items()}
        kept: Mapping[str, Tensor] = self.curriculum.state()  # type: ignore[attr-defined]
        arrays |= {f"curriculum:{name}": t.detach().cpu().numpy() for name, t in kept.items()}
        return arrays | {f"count:{name}": np.array(n) for name, n in vars(self.counts).items()}

    def restore(self, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Put back what `state` gave."""

        def under(mark: str) -> Arrays:
            return {k.removeprefix(mark): v for k, v in arrays.items() if k.startswith(mark)}

        for name, rng in self.rngs.items():
            restore_generator(rng, arrays[f"rng:{name}"])
        for i, learner in enumerate(self.learners):
            learner.restore(under(f"student{i}:"))
        kept = {
            name: torch.from_numpy(np.array(value)).to(self.maze.device)
            for name, value in under("curriculum:").items()
        }
        self.curriculum.restore(kept)  # type: ignore[attr-defined]
        self.counts = Counts(**{name: int(value) for name, value in under("count:").items()})
