"""A batch of mazes of one size as tensors; every room of the suite speaks in these.

Coordinates: a level is its interior, `height` x `width` cells; the wall around it is implicit, so
a 13x13 level is the "15x15" maze of MiniGrid. A cell is one integer, `y * width + x`, with x to the
right and y down. Directions are MiniGrid's: 0 right, 1 down, 2 left, 3 up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

RIGHT, DOWN, LEFT, UP = range(4)
_BITS = 62  # per int64 word of a key: clear of the sign


@dataclass(frozen=True, eq=False)
class Levels:
    """`n` mazes of one size, all tensors on one device.

    Agent and goal stand on two different cells without walls (`check_levels` tests it; the
    constructor only looks at shapes, so that building levels never waits for the device).
    """

    walls: Tensor
    """bool [n, height, width]."""
    agent: Tensor
    """int64 [n], the start cell."""
    direction: Tensor
    """int64 [n], where the agent looks at the start."""
    goal: Tensor
    """int64 [n], the goal cell."""

    def __post_init__(self) -> None:
        n = self.walls.shape[0]
        if self.walls.ndim != 3 or self.walls.dtype != torch.bool:
            raise ValueError(f"walls: expected bool [n, height, width], found {_kind(self.walls)}")
        for name in ("agent", "direction", "goal"):
            tensor = getattr(self, name)
            if tensor.shape != (n,) or tensor.dtype != torch.int64:
                raise ValueError(f"{name}: expected int64 [{n}], found {_kind(tensor)}")

    def __len__(self) -> int:
        return self.walls.shape[0]

    def __getitem__(self, index: Tensor | slice) -> Levels:
        """The levels that an integer or boolean tensor, or a slice, selects."""
        return Levels(self.walls[index], self.agent[index], self.direction[index], self.goal[index])

    @property
    def height(self) -> int:
        """Rows of the interior."""
        return self.walls.shape[1]

    @property
    def width(self) -> int:
        """Columns of the interior."""
        return self.walls.shape[2]

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.walls.device

    def to(self, device: torch.device | str) -> Levels:
        """The same levels on another device."""
        return Levels(
            self.walls.to(device),
            self.agent.to(device),
            self.direction.to(device),
            self.goal.to(device),
        )

    def repeat(self, times: int) -> Levels:
        """Each level `times` times: a, a, …, b, b, …."""
        return Levels(
            self.walls.repeat_interleave(times, 0),
            self.agent.repeat_interleave(times),
            self.direction.repeat_interleave(times),
            self.goal.repeat_interleave(times),
        )

    def keys(self, *, direction: bool = False) -> Tensor:
        """One row of integers per level, equal exactly when the levels are equal.

        Args:
            direction: whether levels that differ only in the start direction differ; the published
                buffers ignore it.

        Returns:
            int64 [n, k]: packed walls, agent, goal (and direction).
        """
        flat = self.walls.flatten(1)
        padded = torch.nn.functional.pad(flat, (0, -flat.shape[1] % _BITS))
        bits = padded.reshape(len(self), -1, _BITS).to(torch.int64)
        powers = torch.ones(_BITS, dtype=torch.int64, device=self.device) << torch.arange(
            _BITS, device=self.device
        )
        ends = [self.agent, self.goal, *([self.direction] if direction else [])]
        return torch.cat([(bits * powers).sum(2), torch.stack(ends, 1)], 1)

    def digests(self, *, direction: bool = False) -> list[str]:
        """Per level, a name for records: 16 hex digits of sha256 over size and key."""
        size = f"{self.height}x{self.width}:".encode()
        rows = self.keys(direction=direction).cpu().numpy().astype("<i8")
        return [hashlib.sha256(size + row.tobytes()).hexdigest()[:16] for row in rows]


def join(batches: Sequence[Levels]) -> Levels:
    """Several batches of one size as one."""
    return Levels(
        torch.cat([batch.walls for batch in batches]),
        torch.cat([batch.agent for batch in batches]),
        torch.cat([batch.direction for batch in batches]),
        torch.cat([batch.goal for batch in batches]),
    )


def find(keys: Tensor, among: Tensor) -> Tensor:
    """Where each key first occurs in another list of keys.

    Args:
        keys: int64 [n, k], from `Levels.keys`.
        among: int64 [m, k].

    Returns:
        int64 [n]: the smallest index of an equal row of `among`, or -1.
    """
    if among.shape[0] == 0:
        return torch.full(keys.shape[:1], -1, dtype=torch.int64, device=keys.device)
    equal = (keys[:, None, :] == among[None, :, :]).all(2)
    first = equal.to(torch.int8).argmax(1)
    return torch.where(equal.any(1), first, -1)


def is_repeat(keys: Tensor) -> Tensor:
    """Which rows equal an earlier row of the same batch: bool [n]."""
    return find(keys, keys) != torch.arange(keys.shape[0], device=keys.device)


def check_levels(levels: Levels) -> None:
    """Look at the values of every level (waits for the device).

    Raises:
        ValueError: agent or goal outside or in a wall, both on one cell, or no such direction;
            names the first bad level.
    """
    area = levels.height * levels.width
    flat = levels.walls.flatten(1)
    rules = [
        ("agent outside the maze", (levels.agent < 0) | (levels.agent >= area)),
        ("goal outside the maze", (levels.goal < 0) | (levels.goal >= area)),
        ("direction not in 0..3", (levels.direction < 0) | (levels.direction > 3)),
        ("agent on the goal", levels.agent == levels.goal),
        ("agent in a wall", flat.gather(1, levels.agent.clamp(0, area - 1)[:, None])[:, 0]),
        ("goal in a wall", flat.gather(1, levels.goal.clamp(0, area - 1)[:, None])[:, 0]),
    ]
    for problem, bad in rules:
        if bool(bad.any()):
            raise ValueError(f"level {int(bad.to(torch.int8).argmax())}: {problem}")


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
