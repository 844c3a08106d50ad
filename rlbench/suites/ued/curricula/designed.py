"""Levels by a teacher that learns: PAIRED, its population form, REPAIRED, and minimax.

PAIRED (Dennis et al. 2020, arXiv:2012.02096): the teacher is paid the regret of one student as
against another. The minimax adversary is paid what the student loses. REPAIRED (Jiang et al. 2021,
arXiv:2110.02439) replays the teacher's levels as robust PLR does, and the students learn from
replayed levels only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from rlbench.learn.checkpoint import optimiser_arrays, restore_optimiser
from rlbench.learn.ppo import PpoSettings
from rlbench.suites.ued.buffer import LevelBuffer
from rlbench.suites.ued.editor import Editor
from rlbench.suites.ued.feedback import Play
from rlbench.suites.ued.interface import Proposal, World
from rlbench.suites.ued.levels import Levels
from rlbench.suites.ued.regret import population_regret, relative_regret
from rlbench.suites.ued.teacher import Design, Teacher, TeacherLearner, design

Reward = Literal["relative", "population", "loss"]


class Designed:
    """All of them, by their parameters."""

    def __init__(
        self,
        *,
        students: int = 2,
        reward: Reward = "relative",
        teacher_lr: float = 1e-4,
        teacher_gamma: float = 0.995,
        teacher_gae_lambda: float = 0.98,
        teacher_entropy_coef: float = 0.05,
        teacher_epochs: int = 5,
        noise: int = 50,
        n_walls: int = 0,
        replay: float = 0.0,
        capacity: int = 4000,
        min_fill: float = 0.5,
        temperature: float = 0.1,
        staleness: float = 0.3,
    ) -> None:
        """Args are the method's hyperparameters.

        Args:
            students: how many learn on the same levels; the first one is evaluated.
            reward: of the teacher: the second student's best return minus the first one's mean
                return, at least 0 (`relative`, two students); the best return of all minus the
                mean of all (`population`); minus the mean return (`loss`, one student).
            teacher_lr: the teacher's learning rate.
            teacher_gamma: its discount.
            teacher_gae_lambda: of its advantage estimates.
            teacher_entropy_coef: weight of its entropy bonus.
            teacher_epochs: passes over each batch of designs.
            noise: numbers of noise that it sees at each step.
            n_walls: walls that it may place; 0 for as many as the task's own levels have.
            replay: chance that a rollout replays levels (REPAIRED); 0 for no buffer.
            capacity: levels in the buffer.
            min_fill: part of the buffer that is filled before replay begins.
            temperature: of the rank prioritisation.
            staleness: weight of the time since a level was played.

        Raises:
            ValueError: students that do not go with the reward.
        """
        fits = {"relative": students == 2, "population": students >= 2, "loss": students == 1}
        if not fits[reward]:
            raise ValueError(f"students: {students} do not go with reward '{reward}'")
        self.n_students, self.reward = students, reward
        self.settings = PpoSettings(
            lr=teacher_lr,
            gamma=teacher_gamma,
            gae_lambda=teacher_gae_lambda,
            entropy_coef=teacher_entropy_coef,
            epochs=teacher_epochs,
        )
        self.noise, self.n_walls = noise, n_walls
        self.replay, self.capacity, self.min_fill = replay, capacity, min_fill
        self.temperature, self.staleness = temperature, staleness
        self.teacher_steps = 0
        """Steps of the level editor so far."""

    def begin(self, world: World) -> None:
        """See `Curriculum.begin`."""
        maze, device = world.maze, world.maze.device
        self._world = world
        n_walls = self.n_walls or world.n_walls
        self.editor = Editor(maze.height, maze.width, n_walls=n_walls, noise=self.noise)
        # the teacher's chance must not depend on where levels are drawn
        teacher = Teacher(self.editor)
        start = torch.randint(2**62, (), generator=world.rng, device=device)
        teacher.initialise(torch.Generator().manual_seed(int(start)))
        self.learner = TeacherLearner(teacher.to(device), self.settings)
        self.buffer = LevelBuffer(
            self.capacity if self.replay else 1,
            maze.height,
            maze.width,
            temperature=self.temperature,
            staleness=self.staleness,
            unique=True,
            device=device,
        )
        self._slots: Tensor | None = None
        self._design: Design | None = None

    def propose(self) -> Proposal:
        """New designs, or levels from the buffer."""
        world, n = self._world, self._world.environments
        if self.replay:
            warm = len(self.buffer) >= max(self.min_fill * self.capacity, 1)
            lot = torch.rand((), generator=world.rng, device=world.rng.device)
            if warm and float(lot) < self.replay:
                self._slots = self.buffer.draw(n, world.rng)
                return Proposal(self.buffer.levels[self._slots])
            self.buffer.pass_time(n)
        levels, self._design = design(self.learner.teacher, self.editor, n, world.rng)
        self.teacher_steps += self.editor.steps * n
        if self.replay:
            return Proposal(levels, trained=torch.zeros_like(levels.goal, dtype=torch.bool))
        return Proposal(levels)

    def receive(self, proposal: Proposal, plays: Sequence[Play]) -> None:
        """Pay the teacher for new designs; score levels for the buffer."""
        if self._slots is not None:
            score, best = self._scored(plays, self._slots)
            self.buffer.update(self._slots, score, best)
            self._slots = None
            return
        if self._design is None:
            raise RuntimeError("receive: nothing was proposed")
        self.learner.update(self._design, self.regret(plays))
        self._design = None
        if self.replay:
            score, best = self._scored(plays, self.buffer.find(proposal.levels))
            nothing = torch.zeros_like(proposal.levels.goal)
            self.buffer.insert(proposal.levels, score, best, nothing)

    def regret(self, plays: Sequence[Play]) -> Tensor:
        """The teacher's reward for each level: float [n]."""
        episodes = [play.episodes for play in plays]
        if self.reward == "relative":
            return relative_regret(episodes[1], episodes[0])
        if self.reward == "population":
            return population_regret(episodes)
        loss = -episodes[0].mean_return
        return torch.where(episodes[0].finished > 0, loss, 0.0)

    def _scored(self, plays: Sequence[Play], slots: Tensor) -> tuple[Tensor, Tensor]:
        """The mean of the students' MaxMC, and the highest return of any of them."""
        before = torch.where(slots >= 0, self.buffer.best[slots.clamp(min=0)], -torch.inf)
        best = before
        for play in plays:
            best = play.best(best)
        scores = torch.stack([play.score("max-mc", before) for play in plays])
        return scores.mean(0), best

    def hardest(self, n: int) -> Levels:
        """The levels with the highest estimated regret."""
        return self.buffer.hardest(n)

    def state(self) -> dict[str, Tensor]:
        """See `Resumable.state`."""
        teacher = self.learner.teacher.state_dict()
        kept = {f"teacher:{name}": tensor for name, tensor in teacher.items()}
        for name, array in optimiser_arrays(self.learner.optimiser).items():
            kept[name] = torch.from_numpy(array)
        kept["teacher_steps"] = torch.tensor(self.teacher_steps)
        return kept | self.buffer.state()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """See `Resumable.restore`."""
        mark = "teacher:"
        weights = {k.removeprefix(mark): v for k, v in state.items() if k.startswith(mark)}
        self.learner.teacher.load_state_dict(weights)
        restore_optimiser(self.learner.optimiser, {k: v.cpu().numpy() for k, v in state.items()})
        self.teacher_steps = int(state["teacher_steps"])
        self.buffer.restore(dict(state))
