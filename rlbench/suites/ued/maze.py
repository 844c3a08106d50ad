"""The maze world: thousands of mazes step at once, by table look-ups, on any device.

Rules (MiniGrid's; Chevalier-Boisvert et al. 2023, arXiv:2306.13831):

- Actions 0 turn left, 1 turn right, 2 forward; 3 to 6 do nothing, but time passes.
- Forward into a wall: stay. Forward onto the goal: the episode is solved. Else: move.
- At step t (from 1) of horizon T the reward for the goal is `1 - 0.9 t / T`, otherwise 0.
- Done when solved or when t = T; nothing tells the two apart but the reward.

One thing differs from MiniGrid: there the agent enters the goal before the last observation is
made, here it stays before it. Nobody acts on that observation.

    maze = Maze(13, 13)
    pool = maze.pool(levels)                           # or maze.empty_pool(4000), pool.write(...)
    state = maze.start(pool, torch.arange(32))         # environment i plays level i
    codes = maze.observe(pool, state)                  # uint8 [32, 25]; state.direction int64 [32]
    state, reward, done = maze.step(pool, state, action)
    state = maze.restart(pool, state, done, state.level)     # replay the same level, or ...
    state = maze.restart(pool, state, done, next_level)      # ... go on to another

Levels lie in a pool, a state only says where in the pool an agent stands, so that starting a level
copies nothing and the buffer of a replay method can be the pool itself. All tensors of a call are
on the pool's device; nothing waits for the device; an environment's row depends on no other row.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from rlbench.suites.ued.levels import Levels
from rlbench.suites.ued.pool import Pool
from rlbench.suites.ued.view import (
    EMPTY,
    FORWARD,
    GOAL,
    WALL,
    Sight,
    check_view,
    view_offsets,
)

N_ACTIONS = 7
TURN_LEFT, TURN_RIGHT, AHEAD = range(3)


def default_horizon(height: int, width: int) -> int:
    """The time limit of the published evaluation mazes: twice the area, border included."""
    return 2 * (height + 2) * (width + 2)


class State(NamedTuple):
    """Where `n` agents are; all int64 [n]."""

    level: Tensor
    """The pool slot that is played."""
    cell: Tensor
    """The agent's index into `Pool.codes`."""
    direction: Tensor
    """0 right, 1 down, 2 left, 3 up."""
    time: Tensor
    """Steps since the start of the episode."""


class Step(NamedTuple):
    """What an action brought; `state` is the one before any restart."""

    state: State
    reward: Tensor
    """float32 [n]; positive exactly when the goal was reached."""
    done: Tensor
    """bool [n]."""


class Maze:
    """The rules for mazes of one size: look-up tables, no state of its own."""

    def __init__(
        self,
        height: int,
        width: int,
        *,
        horizon: int = 250,
        view: int = 5,
        occluded: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        """Build the tables.

        Args:
            height: rows of the interior.
            width: columns of the interior.
            horizon: T, the steps after which an episode ends.
            view: side of the agent's view, odd.
            occluded: whether walls block sight (MiniGrid's `see_through_walls=False`).
            device: where everything happens.

        Raises:
            ValueError: a size that makes no maze, or a view size that is not odd.
        """
        check_view(view)
        if min(height, width) < 1 or height * width < 2 or horizon < 1:
            raise ValueError(f"expected a maze and a time limit, found {height}x{width}, {horizon}")
        self.height, self.width, self.horizon = height, width, horizon
        self.view, self.occluded = view, occluded
        self.device = torch.device(device)
        self._margin = view - 1
        stride = width + 2 * self._margin
        self._offsets = view_offsets(view, stride).to(device)
        self._agent_in_view = (view - 1) * view + view // 2
        self._turned, self._moved = (table.to(device) for table in _action_tables(stride))
        # in double precision first, as MiniGrid computes it
        time = torch.arange(horizon + 1, dtype=torch.float64)
        self._reward = (1 - 0.9 * (time / horizon)).to(torch.float32).to(device)
        self._sight = Sight(view, device) if occluded else None

    def empty_pool(self, slots: int) -> Pool:
        """A pool whose slots are all walls, to be written later."""
        return Pool.empty(slots, self.height, self.width, self._margin, self.device)

    def pool(self, levels: Levels) -> Pool:
        """A pool that holds `levels`, level i in slot i."""
        return Pool.of(levels.to(self.device), self._margin)

    def start(self, pool: Pool, level: Tensor) -> State:
        """Agents at the start of the levels in slots `level` (int64 [n])."""
        return State(
            level,
            pool.start.index_select(0, level),
            pool.direction.index_select(0, level),
            torch.zeros_like(level),
        )

    def observe(self, pool: Pool, state: State) -> Tensor:
        """The views as object codes: uint8 [n, view²], row by row from far left to near right."""
        cells = self._offsets.index_select(0, state.direction) + state.cell[:, None]
        codes = pool.codes.gather(0, cells.view(-1)).view(cells.shape)
        if self._sight is not None:
            walls = (codes == WALL).reshape(-1, self.view, self.view)
            codes = codes * self._sight(walls).view(cells.shape)
        return codes

    def step(self, pool: Pool, state: State, action: Tensor) -> Step:
        """Act once in every environment; those that are done must be restarted first.

        Args:
            pool: the levels.
            state: where the agents are.
            action: int64 [n] in 0..6.
        """
        key = state.direction * N_ACTIONS + action
        target = state.cell + self._moved.index_select(0, key)
        code = pool.codes.index_select(0, target)
        solved = code == GOAL
        time = state.time + 1
        reward = self._reward.index_select(0, time) * solved
        cell = torch.where(code == EMPTY, target, state.cell)
        after = State(state.level, cell, self._turned.index_select(0, key), time)
        return Step(after, reward, solved | (time >= self.horizon))

    def restart(self, pool: Pool, state: State, done: Tensor, level: Tensor) -> State:
        """Begin a new episode where `done`.

        Args:
            pool: the levels.
            state: after a step.
            done: bool [n].
            level: int64 [n], the slot to play next; read only where `done`.
        """
        return State(
            torch.where(done, level, state.level),
            torch.where(done, pool.start.index_select(0, level), state.cell),
            torch.where(done, pool.direction.index_select(0, level), state.direction),
            state.time * ~done,
        )

    def position(self, pool: Pool, state: State) -> Tensor:
        """The agents' cells in their levels, `y * width + x`: int64 [n]."""
        return pool.interior(state.cell - state.level * pool.area)


def _action_tables(stride: int) -> tuple[Tensor, Tensor]:
    """At `direction * 7 + action`: the new direction, and the offset of the cell moved to."""
    turned, moved = [], []
    for direction, (dy, dx) in enumerate(FORWARD):
        for action in range(N_ACTIONS):
            turn = {TURN_LEFT: -1, TURN_RIGHT: 1}.get(action, 0)
            turned.append((direction + turn) % 4)
            moved.append(dy * stride + dx if action == AHEAD else 0)
    return torch.tensor(turned), torch.tensor(moved)
