"""The level editor: the environment in which a teacher designs levels, tile by tile.

Two orders are in use. `walls-first` (minimax, DCD; Dennis et al. 2020, arXiv:2012.02096): `n_walls`
steps each place a wall, on an occupied tile nothing happens; then the goal, then the agent, which
both clear their tile; an agent on the goal goes to a random free tile; the agent's direction is
drawn at the start. `goal-first` (JaxUED): goal, direction (the action modulo 4), agent, then
`n_walls` steps that flip walls, not those of goal and agent.

    editor = Editor(13, 13, n_walls=60)
    canvas = editor.start(32, rng)
    for _ in range(editor.steps):
        seen = editor.observe(canvas, rng)        # seen.image [32, 3, 15, 15], time, noise, mask
        canvas = editor.step(canvas, action, rng)     # action int64 [32], a tile
    levels = editor.levels(canvas)

All canvases of a batch are at the same step. A design's reward is the curriculum's to give.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from rlbench.suites.ued.generate import check_walls, pick
from rlbench.suites.ued.levels import Levels
from rlbench.suites.ued.view import AGENT, EMPTY, GOAL, WALL, features

Order = Literal["walls-first", "goal-first"]


@dataclass(frozen=True, eq=False)
class Canvas:
    """Unfinished levels; goal and agent are -1 until they are placed."""

    walls: Tensor
    """bool [n, height * width]."""
    goal: Tensor
    """int64 [n]."""
    agent: Tensor
    """int64 [n]."""
    direction: Tensor
    """int64 [n]."""
    n_walls: Tensor
    """int64 [n]: the steps that place walls (in walls-first order)."""
    time: int
    """Steps done."""


class Seen(NamedTuple):
    """What the teacher sees."""

    image: Tensor
    """float32 [n, 3, height + 2, width + 2]: object, colour and state, each divided by 10."""
    time: Tensor
    """int64 [n]: steps done."""
    noise: Tensor
    """float32 [n, noise], uniform, drawn anew at each step."""
    mask: Tensor
    """bool [n, height * width]: the actions that mean something now."""


class Editor:
    """The rules of designing levels of one size."""

    def __init__(
        self,
        height: int,
        width: int,
        *,
        n_walls: int = 60,
        order: Order = "walls-first",
        budget: bool = False,
        noise: int = 50,
    ) -> None:
        """Args are the design's rules.

        Args:
            height: rows.
            width: columns.
            n_walls: steps that place walls, or, with `budget`, one more than the most of them.
            order: see the module.
            budget: whether the first action also sets the number of walls, in proportion to its
                tile; the steps left at the end do nothing (DCD's "variable blocks").
            noise: numbers of noise that the teacher sees.

        Raises:
            ValueError: the walls would leave no room, or `budget` with goal first.
        """
        check_walls(n_walls, height * width)
        if budget and order == "goal-first":
            raise ValueError("budget: expected order 'walls-first', found 'goal-first'")
        self.height, self.width, self.n_walls = height, width, n_walls
        self.order, self.budget, self.noise = order, budget, noise
        self.n_actions = height * width
        self.steps = n_walls + (2 if order == "walls-first" else 3)

    def start(self, n: int, rng: torch.Generator) -> Canvas:
        """`n` empty levels on the generator's device."""
        nowhere = torch.full((n,), -1, dtype=torch.int64, device=rng.device)
        return Canvas(
            torch.zeros(n, self.n_actions, dtype=torch.bool, device=rng.device),
            nowhere,
            nowhere,
            torch.randint(4, (n,), generator=rng, device=rng.device),
            torch.full_like(nowhere, self.n_walls),
            0,
        )

    def step(self, canvas: Canvas, action: Tensor, rng: torch.Generator) -> Canvas:
        """Place the next thing on the tiles `action` (int64 [n], 0 to height * width - 1)."""
        if self.order == "walls-first":
            after = self._walls_first(canvas, action, rng)
        else:
            after = self._goal_first(canvas, action, rng)
        return replace(after, time=canvas.time + 1)

    def levels(self, canvas: Canvas) -> Levels:
        """The finished levels.

        Raises:
            ValueError: steps are left.
        """
        if canvas.time < self.steps:
            raise ValueError(f"the design is at step {canvas.time} of {self.steps}")
        walls = canvas.walls.reshape(-1, self.height, self.width)
        return Levels(walls, canvas.agent, canvas.direction, canvas.goal)

    def observe(self, canvas: Canvas, rng: torch.Generator) -> Seen:
        """What the teacher sees before the next step."""
        n, device = canvas.goal.shape[0], canvas.goal.device
        tile = torch.arange(self.n_actions, device=device)
        is_goal, is_agent = tile == canvas.goal[:, None], tile == canvas.agent[:, None]
        codes = torch.where(canvas.walls, WALL, EMPTY)
        codes = torch.where(is_agent, AGENT, torch.where(is_goal, GOAL, codes))
        shape = (n, self.height, self.width)
        framed = torch.nn.functional.pad(codes.reshape(shape), (1,) * 4, value=WALL)
        image = features(framed)
        look = (is_agent * canvas.direction[:, None] / 10).reshape(shape)
        image[:, 2, 1:-1, 1:-1] = look
        time = torch.full((n,), canvas.time, device=device)
        noise = torch.rand(n, self.noise, generator=rng, device=device)
        return Seen(image, time, noise, self._mask(canvas, tile))

    def _mask(self, canvas: Canvas, tile: Tensor) -> Tensor:
        allowed = torch.ones_like(canvas.walls)
        if self.order == "goal-first" and canvas.time == 1:
            allowed &= tile < 4
        elif self.order == "goal-first" and canvas.time == 2:
            allowed &= tile != canvas.goal[:, None]
        return allowed

    def _walls_first(self, canvas: Canvas, action: Tensor, rng: torch.Generator) -> Canvas:
        n_walls = canvas.n_walls
        if self.budget and canvas.time == 0:
            n_walls = action * self.n_walls // self.n_actions
        tile = action[:, None]
        on_wall_step = (n_walls > canvas.time)[:, None]
        walls = canvas.walls | (_one_hot(tile, canvas.walls) & on_wall_step)
        goal = torch.where(n_walls == canvas.time, action, canvas.goal)
        # minimax's "tiles not yet used" and DCD's "free tiles" are the same set at this point
        other = pick(~walls & ~_one_hot(goal.clamp(min=0)[:, None], walls), rng)
        agent = torch.where(action == goal, other, action)
        agent = torch.where(n_walls + 1 == canvas.time, agent, canvas.agent)
        walls = _cleared(walls, goal, agent)
        return replace(canvas, walls=walls, goal=goal, agent=agent, n_walls=n_walls)

    def _goal_first(self, canvas: Canvas, action: Tensor, rng: torch.Generator) -> Canvas:
        if canvas.time == 0:
            return replace(canvas, goal=action)
        if canvas.time == 1:
            return replace(canvas, direction=action % 4)
        if canvas.time == 2:
            other = pick(~_one_hot(canvas.goal[:, None], canvas.walls), rng)
            return replace(canvas, agent=torch.where(action == canvas.goal, other, action))
        walls = canvas.walls ^ _one_hot(action[:, None], canvas.walls)
        return replace(canvas, walls=_cleared(walls, canvas.goal, canvas.agent))


def _one_hot(tile: Tensor, like: Tensor) -> Tensor:
    """True at the tiles (int64 [n, 1]): bool [n, k]."""
    return torch.zeros_like(like).scatter_(1, tile, True)


def _cleared(walls: Tensor, goal: Tensor, agent: Tensor) -> Tensor:
    """No walls on goal and agent, where they are placed (not -1)."""
    tile = torch.arange(walls.shape[1], device=walls.device)
    return walls & (tile != goal[:, None]) & (tile != agent[:, None])
