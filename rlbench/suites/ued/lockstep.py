"""Training runs of several seeds in lockstep: what all of them do is done as one batch.

Every run keeps its own curriculum, students, optimisers, generators and counts, so that it meets
the levels and the chance that it would meet alone. Only the arithmetic is shared: its parameters
are those of a run alone, to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import torch
from torch import Tensor

from rlbench.learn.recurrent import restart
from rlbench.suites.ued.feedback import Play
from rlbench.suites.ued.interface import Proposal
from rlbench.suites.ued.levels import Levels, join
from rlbench.suites.ued.maze import N_ACTIONS, Maze
from rlbench.suites.ued.rollout import Rollout, gumbel
from rlbench.suites.ued.stack import Stack
from rlbench.suites.ued.student import ActorCritic
from rlbench.suites.ued.train import Cycle, Lesson, Trainer
from rlbench.suites.ued.tuition import Pupil, update_together


class _Heard(NamedTuple):
    """A run's last rollout."""

    proposal: Proposal
    plays: list[Play]
    lessons: list[Lesson]


class Lockstep:
    """Runs of one recipe, whose students are `Student`s with an LSTM."""

    def __init__(self, runs: Sequence[Trainer]) -> None:
        """One for each seed."""
        self.runs = runs

    @property
    def over(self) -> bool:
        """Whether all of them are done."""
        return all(run.over for run in self.runs)

    def cycle(self) -> dict[int, Cycle]:
        """One update in every run that is not over; what was learnt from, by the run's number.

        A run whose curriculum only explores goes on with rollouts until it wants an update too:
        the update is the dear part, and the more take part the better. A run may end without one.
        """
        ready: dict[int, _Heard] = {}
        waiting = [i for i, run in enumerate(self.runs) if not run.over]
        while waiting:
            heard = self._rollouts(waiting)
            ready |= {i: one for i, one in heard.items() if one.lessons}
            waiting = [i for i in waiting if i not in ready and not self.runs[i].over]
        pupils = [
            Pupil(learner, lesson, self.runs[i].rngs["minibatches"])
            for i, one in ready.items()
            for learner, lesson in zip(self.runs[i].learners, one.lessons, strict=True)
        ]
        losses = iter(update_together(pupils) if pupils else [])
        of_run = {i: [next(losses) for _ in one.lessons] for i, one in ready.items()}
        return {i: Cycle(one.proposal, one.plays[0], of_run[i][0]) for i, one in ready.items()}

    def _rollouts(self, chosen: Sequence[int]) -> dict[int, _Heard]:
        """One in each of the chosen runs; those of one size are one batch."""
        proposals = {i: self.runs[i].propose() for i in chosen}
        heard = {}

        def kind(i: int) -> tuple[int, bool]:
            return self.runs[i].environments(proposals[i]), proposals[i].renew

        for _, alike in groupby(sorted(chosen, key=kind), kind):
            for i, plays in self._play({i: proposals[i] for i in alike}).items():
                lessons = self.runs[i].hear(proposals[i], plays)
                heard[i] = _Heard(proposals[i], plays, lessons)
        return heard

    def _play(self, proposals: Mapping[int, Proposal]) -> dict[int, list[Play]]:
        """One batch of rollouts; by run, its students' plays."""
        pairs = [(i, learner) for i in proposals for learner in self.runs[i].learners]
        one, proposal = next((self.runs[i], proposal) for i, proposal in proposals.items())
        n = one.environments(proposal)
        rollout = play_together(
            [
                Player(learner.student, proposals[i].levels, self.runs[i].rngs["actions"])
                for i, learner in pairs
            ],
            one.maze,
            environments=n,
            steps=one.world.steps,
            renew=proposal.renew,
        )
        advantage = one.learners[0].advantage(rollout)
        plays: dict[int, list[Play]] = {i: [] for i in proposals}
        parts = torch.arange(n * len(pairs), device=advantage.device).view(-1, n)
        for (i, _), part in zip(pairs, parts, strict=True):
            plays[i].append(Play(rollout.select(part), advantage[:, part]))
        return plays


class Player(NamedTuple):
    """A student, its levels, and the chance of its actions."""

    student: ActorCritic
    levels: Levels
    rng: torch.Generator


@torch.no_grad()
def play_together(
    players: Sequence[Player], maze: Maze, *, environments: int, steps: int, renew: bool
) -> Rollout:
    """What `rollout.play` does, for several students at once.

    Args:
        players: who plays; environment i of each begins with its level i.
        maze: the rules.
        environments: n, of each student.
        steps: T.
        renew: see `rollout.play`.

    Returns:
        Over all environments, n of the first student, then n of the second, and so on.
    """
    stack = Stack([player.student for player in players])
    pool = maze.pool(join([player.levels for player in players]))
    sizes = torch.tensor([[len(player.levels)] for player in players], device=maze.device)
    first = sizes.cumsum(0) - sizes
    level = (first + torch.arange(environments, device=maze.device)).flatten()
    state, memory = maze.start(pool, level), stack.start(environments, maze.device)
    shape = (steps, environments, N_ACTIONS)
    noise = torch.cat([gumbel(shape, player.rng) for player in players], 1)
    used = torch.full_like(first, environments)
    kept: list[tuple[Tensor, ...]] = []
    for t in range(steps):
        codes = maze.observe(pool, state)
        logits, value, memory = stack.act(codes, state.direction, memory)
        action = (logits + noise[t]).argmax(1)
        after, reward, done = maze.step(pool, state, action)
        log_prob = torch.log_softmax(logits, 1).gather(1, action[:, None])[:, 0]
        kept.append((codes, state.direction, action, log_prob, value, reward, done))
        level = state.level
        if renew:
            ended = done.view(len(players), -1).cumsum(1)
            level = (first + (used + ended - 1) % sizes).flatten()
            used = used + ended[:, -1:]
        state = maze.restart(pool, after, done, level)
        memory = restart(memory, done)
    codes = maze.observe(pool, state)
    last_value = stack.act(codes, state.direction, memory)[1]
    return Rollout._make([*(torch.stack(part) for part in zip(*kept, strict=True)), last_value])
