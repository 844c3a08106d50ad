"""Zero-shot evaluation: whole episodes in mazes that were not trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from rlbench.suites.ued.families import Family
from rlbench.suites.ued.interface import Agent
from rlbench.suites.ued.levels import Levels, join
from rlbench.suites.ued.maze import Maze, State
from rlbench.suites.ued.pool import Pool
from rlbench.suites.ued.rollout import gumbel
from rlbench.suites.ued.solver import best_return, shortest_actions
from rlbench.suites.ued.student import ActorCritic

Mode = Literal["sampled", "greedy"]
Arrays = dict[str, np.ndarray[Any, Any]]

AT_ONCE = 4096
"""Episodes that are played side by side."""
THIN_OUT = 8
"""Finished episodes are taken out of the batch every so many steps."""


class Actor(Protocol):
    """Plays a batch of episodes."""

    def act(self, codes: Tensor, state: State) -> Tensor:
        """Actions int64 [n] for views uint8 [n, view²]."""

    def keep(self, going: Tensor) -> None:
        """Only these episodes go on: int64 [m], places among the present ones."""


Player = Callable[[Maze, Pool, int, torch.Generator, Mode], Actor]
"""Makes an actor for n episodes in a pool."""


def student_player(student: ActorCritic) -> Player:
    """A trained student as a player."""

    def begin(maze: Maze, pool: Pool, n: int, rng: torch.Generator, mode: Mode) -> Actor:
        return _StudentActor(student, maze.device, n, rng if mode == "sampled" else None)

    return begin


def agent_player(agent: Agent) -> Player:
    """A fixed policy as a player; it acts the same in both modes."""

    def begin(maze: Maze, pool: Pool, n: int, rng: torch.Generator, mode: Mode) -> Actor:
        return _AgentActor(agent.policy(maze, pool, rng))

    return begin


class _StudentActor:
    def __init__(
        self,
        student: ActorCritic,
        device: torch.device,
        n: int,
        rng: torch.Generator | None,
    ) -> None:
        self._student, self._rng = student, rng
        self._memory = student.start(n, device)

    def act(self, codes: Tensor, state: State) -> Tensor:
        logits, _, self._memory = self._student.act(codes, state.direction, self._memory)
        if self._rng is not None:
            logits = logits + gumbel(tuple(logits.shape), self._rng)
        return logits.argmax(1)

    def keep(self, going: Tensor) -> None:
        self._memory = tuple(part[going] for part in self._memory)


class _AgentActor:
    def __init__(self, policy: Callable[[State], Tensor]) -> None:
        self._policy = policy

    def act(self, codes: Tensor, state: State) -> Tensor:
        return self._policy(state)

    def keep(self, going: Tensor) -> None:
        """A policy of states remembers nothing."""


@torch.no_grad()
def episode_returns(
    player: Player, maze: Maze, levels: Levels, rng: torch.Generator, mode: Mode
) -> Tensor:
    """Play each level once, to its end: float32 [n], 0 where the goal was not reached in time."""
    parts = [
        _play(player, maze, levels[first : first + AT_ONCE], rng, mode)
        for first in range(0, len(levels), AT_ONCE)
    ]
    return torch.cat(parts)


def _play(player: Player, maze: Maze, levels: Levels, rng: torch.Generator, mode: Mode) -> Tensor:
    pool, n = maze.pool(levels), len(levels)
    actor = player(maze, pool, n, rng, mode)
    number = torch.arange(n, device=maze.device)
    state, over = maze.start(pool, number), torch.zeros_like(number, dtype=torch.bool)
    returns = torch.zeros(n, device=maze.device)
    for t in range(maze.horizon):
        state, reward, done = maze.step(pool, state, actor.act(maze.observe(pool, state), state))
        returns[number] += torch.where(over, 0.0, reward)
        over = over | done
        if t % THIN_OUT == THIN_OUT - 1:
            going = (~over).nonzero()[:, 0]
            if not len(going):
                break
            if len(going) < len(over):
                actor.keep(going)
                number, over = number[going], over[going]
                state = State(*(part[going] for part in state))
    return returns


def evaluate_mazes(
    player: Player,
    families: Sequence[Family],
    rng: torch.Generator,
    *,
    episodes: int,
    maze_of: Callable[[Family], Maze],
) -> Arrays:
    """Episodes in each family, with sampled and with greedy actions on the same levels.

    Args:
        player: who plays.
        families: named mazes and procedural families.
        rng: chance of levels and actions.
        episodes: per family.
        maze_of: the rules for a family.

    Returns:
        `maze_name` text [m]; `maze_return`, `maze_greedy_return` and `maze_best_return` (that of a
        shortest path), float32 [m, episodes].
    """
    levels = [family.generate(episodes, rng) for family in families]
    found = {name: np.zeros((len(families), episodes), np.float32) for name in _COLUMNS}
    for places in _alike(families):
        maze = maze_of(families[places[0]])
        batch = join([levels[i] for i in places])
        rows = {
            "maze_return": episode_returns(player, maze, batch, rng, "sampled"),
            "maze_greedy_return": episode_returns(player, maze, batch, rng, "greedy"),
            "maze_best_return": best_return(shortest_actions(batch), maze.horizon),
        }
        for name, row in rows.items():
            found[name][places] = row.cpu().numpy().reshape(len(places), episodes)
    return {"maze_name": np.array([family.name for family in families]), **found}


_COLUMNS = ("maze_return", "maze_greedy_return", "maze_best_return")


def _alike(families: Sequence[Family]) -> list[list[int]]:
    """Places of families that one set of rules fits."""
    groups: dict[tuple[int, int, int, bool], list[int]] = {}
    for i, family in enumerate(families):
        rules = (family.height, family.width, family.horizon, family.occluded)
        groups.setdefault(rules, []).append(i)
    return list(groups.values())


def evaluate_levels(
    player: Player, maze: Maze, levels: Levels, rng: torch.Generator, *, episodes: int
) -> Arrays:
    """Two independent halves of `episodes` episodes on each level, with sampled actions.

    Returns:
        `level_return` float32 [levels, 2, episodes]; `level_best_return` float32 [levels].
    """
    returns = episode_returns(player, maze, levels.repeat(2 * episodes), rng, "sampled")
    best = best_return(shortest_actions(levels), maze.horizon)
    return {
        "level_return": returns.cpu().numpy().reshape(len(levels), 2, episodes),
        "level_best_return": best.cpu().numpy(),
    }
