"""The corridor: step left or right; the far end pays 1, every step costs a little."""

from __future__ import annotations

from dataclasses import dataclass

STEP_COST = 0.01


@dataclass
class Corridor:
    """A walk over `length` cells that starts at cell 0 and ends at the last one or in time-out."""

    length: int
    limit: int
    cell: int = 0
    steps: int = 0

    def reset(self) -> int:
        """Back to the first cell."""
        self.cell = self.steps = 0
        return self.cell

    def step(self, action: int) -> tuple[int, float, bool]:
        """Action 1 goes right, 0 left; returns cell, reward, whether the episode is over."""
        self.steps += 1
        self.cell = min(max(self.cell + (1 if action == 1 else -1), 0), self.length - 1)
        arrived = self.cell == self.length - 1
        return self.cell, (1.0 if arrived else 0.0) - STEP_COST, arrived or self.steps >= self.limit
