"""Exact shortest paths in batches of mazes, counted in moves and in actions, on any device.

Breadth-first search backwards from the goals, all mazes at once: the frontier of every maze is one
list of indices, so that the work is proportional to the cells reached and not to the longest path
times the area. Each round asks the device for the frontier's length; solve outside of loops that
must not wait.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rlbench.suites.ued.levels import Levels
from rlbench.suites.ued.maze import AHEAD, TURN_LEFT, TURN_RIGHT, State
from rlbench.suites.ued.pool import Pool
from rlbench.suites.ued.view import FORWARD, WALL

UNREACHABLE = -1
_FAR = torch.iinfo(torch.int32).max


def shortest_moves(levels: Levels) -> Tensor:
    """The fewest moves from cell to cell that lead to the goal: int64 [n], -1 where none do."""
    pool = Pool.of(levels)
    free = pool.codes != WALL
    steps = torch.tensor([-dy * pool.stride - dx for dy, dx in FORWARD], device=pool.codes.device)

    def before(cell: Tensor) -> Tensor:
        cells = (cell[:, None] + steps).flatten()
        return cells[free[cells]]

    distance = _search(pool.goal, before, pool.codes.shape[0])
    return distance[pool.start].to(torch.int64)


def shortest_actions(levels: Levels) -> Tensor:
    """The fewest actions, turns included, that reach the goal: int64 [n], -1 where none do."""
    pool = Pool.of(levels)
    return action_distances(pool)[pool.start * 4 + pool.direction].to(torch.int64)


def solvable(levels: Levels) -> Tensor:
    """Whether a path leads to the goal: bool [n]."""
    return shortest_moves(levels) != UNREACHABLE


def best_return(actions: Tensor, horizon: int) -> Tensor:
    """The return of a shortest path: float32 [n], 0 where no path fits into the horizon.

    Args:
        actions: from `shortest_actions`.
        horizon: the time limit T.
    """
    value = 1 - 0.9 * actions.to(torch.float64) / horizon
    fits = (actions != UNREACHABLE) & (actions <= horizon)
    return (value * fits).to(torch.float32)


def action_distances(pool: Pool) -> Tensor:
    """For every agent's cell and direction in every slot, the fewest actions to the goal.

    Returns:
        int32 [4 * cells]: at `cell * 4 + direction`, with `cell` an index into `pool.codes`; -1
        where the goal cannot be reached, 0 on the goal.
    """
    device = pool.codes.device
    free = pool.codes != WALL
    ahead = torch.tensor([dy * pool.stride + dx for dy, dx in FORWARD], device=device)

    def before(state: Tensor) -> Tensor:
        cell, direction = state // 4, state % 4
        behind = cell - ahead[direction]
        moved = (behind * 4 + direction)[free[behind]]
        turned = [cell * 4 + (direction + side) % 4 for side in (1, 3)]
        return torch.cat([moved, *turned])

    goals = (pool.goal[:, None] * 4 + torch.arange(4, device=device)).flatten()
    return _search(goals, before, pool.codes.shape[0] * 4)


class ShortestPath:
    """The policy that takes a shortest path from wherever the agent is: the suite's ceiling."""

    def __init__(self, pool: Pool) -> None:
        """Solve every slot of `pool` as it is now."""
        found = action_distances(pool)
        self._distance = torch.where(found == UNREACHABLE, _FAR, found)
        device = pool.codes.device
        self._actions = torch.tensor([AHEAD, TURN_LEFT, TURN_RIGHT], device=device)
        self._ahead = torch.tensor([dy * pool.stride + dx for dy, dx in FORWARD], device=device)

    def __call__(self, state: State) -> Tensor:
        """The action in each state: int64 [n]; forward rather than a turn, left rather than right.

        Where the goal cannot be reached, forward.
        """
        cell, direction = state.cell, state.direction
        places = [
            (cell + self._ahead[direction]) * 4 + direction,
            cell * 4 + (direction + 3) % 4,
            cell * 4 + (direction + 1) % 4,
        ]
        return self._actions[self._distance[torch.stack(places)].argmin(0)]

    def remaining(self, state: State) -> Tensor:
        """The fewest actions from each state to the goal: int64 [n], -1 where there are none."""
        found = self._distance[state.cell * 4 + state.direction].to(torch.int64)
        return torch.where(found == _FAR, UNREACHABLE, found)


def _search(start: Tensor, before: Callable[[Tensor], Tensor], size: int) -> Tensor:
    """Distances to `start` in a graph of `size` nodes: int32 [size], -1 where not connected.

    `before` lists the predecessors of some nodes, repeats allowed; of equal candidates one is kept
    for the next round, else the frontier of an open room would grow without bound.
    """
    distance = torch.full((size,), UNREACHABLE, dtype=torch.int32, device=start.device)
    owner = torch.zeros(size, dtype=torch.int64, device=start.device)
    frontier, rounds = start, 0
    distance[frontier] = 0
    while frontier.numel():
        rounds += 1
        found = before(frontier)
        found = found[distance[found] == UNREACHABLE]
        rank = torch.arange(found.numel(), device=start.device)
        owner[found] = rank
        frontier = found[owner[found] == rank]
        distance[frontier] = rounds
    return distance
