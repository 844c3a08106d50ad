"""A student plays a batch of levels for a fixed number of steps; every step is kept."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from rlbench.learn.recurrent import restart
from rlbench.suites.ued.levels import Levels
from rlbench.suites.ued.maze import N_ACTIONS, Maze
from rlbench.suites.ued.student import ActorCritic


class Rollout(NamedTuple):
    """T steps in n environments; every environment begins an episode at step 0."""

    codes: Tensor
    """uint8 [T, n, view²], the views."""
    direction: Tensor
    """int64 [T, n]."""
    action: Tensor
    """int64 [T, n]."""
    log_prob: Tensor
    """float32 [T, n], of the action."""
    value: Tensor
    """float32 [T, n], V of the view."""
    reward: Tensor
    """float32 [T, n], for the action."""
    done: Tensor
    """bool [T, n], whether the action ended the episode."""
    last_value: Tensor
    """float32 [n], V after the last step."""

    def select(self, environments: Tensor) -> Rollout:
        """Some of the environments (int64 or bool [n])."""
        parts = [part[:, environments] for part in self[:-1]]
        return Rollout._make([*parts, self.last_value[environments]])


@torch.no_grad()
def play(
    student: ActorCritic,
    maze: Maze,
    levels: Levels,
    *,
    environments: int,
    steps: int,
    rng: torch.Generator,
    renew: bool = False,
) -> Rollout:
    """Roll the student out with sampled actions.

    Args:
        student: the network.
        maze: the rules.
        levels: environment i begins with level i.
        environments: n.
        steps: T.
        rng: chance of the actions, on the maze's device.
        renew: after an episode, go on to the next level that nobody has played, from the front
            again when all have been; otherwise play the same level again.
    """
    kept: list[tuple[Tensor, ...]] = []
    # what is made in this mode may not be learnt from, what is stacked from it afterwards may
    with torch.inference_mode():
        pool = maze.pool(levels)
        state = maze.start(pool, torch.arange(environments, device=maze.device))
        memory = student.start(environments, maze.device)
        noise = gumbel((steps, environments, N_ACTIONS), rng).unbind(0)
        used = torch.full((), environments, device=maze.device)
        for t in range(steps):
            codes = maze.observe(pool, state)
            logits, value, memory = student.act(codes, state.direction, memory)
            action = (logits + noise[t]).argmax(1)
            after, reward, done = maze.step(pool, state, action)
            kept.append((codes, state.direction, action, logits, value, reward, done))
            level = state.level
            if renew:
                ended = done.cumsum(0)
                level = (used + ended - 1) % len(pool)
                used = used + ended[-1]
            state = maze.restart(pool, after, done, level)
            memory = restart(memory, done)
        last_value = student.act(maze.observe(pool, state), state.direction, memory)[1]
    codes, direction, action, logits, value, reward, done = (
        torch.stack(part) for part in zip(*kept, strict=True)
    )
    log_prob = torch.log_softmax(logits, 2).gather(2, action[..., None])[..., 0]
    return Rollout(codes, direction, action, log_prob, value, reward, done, last_value.clone())


@torch.no_grad()
def try_out(
    student: ActorCritic, maze: Maze, levels: Levels, *, steps: int, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Play each level over and over with sampled actions; only the counts are kept.

    Returns:
        int64 [n], episodes finished, and int64 [n], episodes solved.
    """
    n = len(levels)
    pool = maze.pool(levels)
    state = maze.start(pool, torch.arange(n, device=maze.device))
    memory = student.start(n, maze.device)
    finished = torch.zeros(n, dtype=torch.int64, device=maze.device)
    solved = finished.clone()
    for _ in range(steps):
        codes = maze.observe(pool, state)
        logits, _, memory = student.act(codes, state.direction, memory)
        action = (logits + gumbel(tuple(logits.shape), rng)).argmax(1)
        after, reward, done = maze.step(pool, state, action)
        finished, solved = finished + done, solved + (reward > 0)
        state = maze.restart(pool, after, done, state.level)
        memory = restart(memory, done)
    return finished, solved


def gumbel(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Standard Gumbel noise: the argmax of logits plus it is a sample of their softmax."""
    return torch.empty(shape, device=rng.device).exponential_(generator=rng).log_().neg_()
