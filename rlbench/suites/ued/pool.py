"""Levels in the form that the world reads: padded maps one after another, and the starts.

An agent's whole view is read at fixed offsets from its cell, so each map has walls all around it,
as many as the view reaches. A cell of slot `s` is `s * area + (y + margin) * stride + x + margin`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rlbench.suites.ued.levels import Levels
from rlbench.suites.ued.view import EMPTY, GOAL, WALL


@dataclass(frozen=True, eq=False)
class Pool:
    """A fixed number of slots for levels of one size; all tensors on one device."""

    codes: Tensor
    """uint8 [slots * area]: per slot, the flat map with walls all around it."""
    start: Tensor
    """int64 [slots]: the agent's index into `codes`."""
    direction: Tensor
    """int64 [slots]."""
    goal: Tensor
    """int64 [slots]: the goal's index into `codes`."""
    height: int
    width: int
    margin: int
    """Cells of wall on each side of the interior."""

    @classmethod
    def empty(
        cls, slots: int, height: int, width: int, margin: int, device: torch.device | str
    ) -> Pool:
        """A pool whose slots are all walls, to be written before they are played."""
        area = (height + 2 * margin) * (width + 2 * margin)
        codes = torch.full((slots * area,), WALL, dtype=torch.uint8, device=device)
        start, direction, goal = torch.zeros(3, slots, dtype=torch.int64, device=device)
        return cls(codes, start, direction, goal, height, width, margin)

    @classmethod
    def of(cls, levels: Levels, margin: int = 1) -> Pool:
        """A pool that holds `levels`, level i in slot i, on their device."""
        pool = cls.empty(len(levels), levels.height, levels.width, margin, levels.device)
        pool.write(torch.arange(len(levels), device=levels.device), levels)
        return pool

    def __len__(self) -> int:
        return self.start.shape[0]

    @property
    def stride(self) -> int:
        """Cells in a padded row."""
        return self.width + 2 * self.margin

    @property
    def area(self) -> int:
        """Cells in a padded map."""
        return (self.height + 2 * self.margin) * self.stride

    def write(self, slots: Tensor, levels: Levels) -> None:
        """Put levels into slots (int64 [n], all different), in place."""
        self._check(levels)
        inner = torch.where(levels.walls, WALL, EMPTY).to(torch.uint8)
        inner.flatten(1).scatter_(1, levels.goal[:, None], GOAL)
        maps = torch.nn.functional.pad(inner, (self.margin,) * 4, value=WALL)
        self.codes.view(len(self), self.area).index_copy_(0, slots, maps.flatten(1))
        base = slots * self.area
        self.start.index_copy_(0, slots, base + self._padded(levels.agent))
        self.goal.index_copy_(0, slots, base + self._padded(levels.goal))
        self.direction.index_copy_(0, slots, levels.direction)

    def read(self, slots: Tensor) -> Levels:
        """The levels in slots (int64 [n])."""
        rows = self.codes.view(len(self), self.height + 2 * self.margin, self.stride)[slots]
        m = self.margin
        inner = rows[:, m : m + self.height, m : m + self.width]
        base = slots * self.area
        return Levels(
            inner == WALL,
            self.interior(self.start[slots] - base),
            self.direction[slots],
            self.interior(self.goal[slots] - base),
        )

    def interior(self, padded: Tensor) -> Tensor:
        """From an index into one padded map to a cell of the level, `y * width + x`."""
        y, x = padded // self.stride - self.margin, padded % self.stride - self.margin
        return y * self.width + x

    def _padded(self, cell: Tensor) -> Tensor:
        y, x = cell // self.width, cell % self.width
        return (y + self.margin) * self.stride + x + self.margin

    def _check(self, levels: Levels) -> None:
        if (levels.height, levels.width) != (self.height, self.width):
            raise ValueError(
                f"levels: expected {self.height}x{self.width}, found {levels.height}x{levels.width}"
            )
