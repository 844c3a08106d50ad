"""Random levels: walls thrown on the floor, in the variants of the published codes.

A generator is a function of a count and a torch generator that gives that many levels on the torch
generator's device; the others are in `perfect` and `rooms`.

Variants: minimax draws tiles with replacement (so some walls coincide) or without, or a random
number of them (Jiang et al. 2023, arXiv:2311.12716); JaxUED (arXiv:2403.13091) draws with
replacement, the same distribution. DCD (arXiv:2110.02439) lets a uniformly random teacher use the
level editor, with a fixed number of walls or one that its first action sets, or, without a teacher,
places half the walls on free tiles.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rlbench.suites.ued.levels import Levels, join
from rlbench.suites.ued.solver import solvable

Generate = Callable[[int, torch.Generator], Levels]
"""From a count and a torch generator to that many levels, on the generator's device."""


def scattered(
    n: int,
    rng: torch.Generator,
    *,
    height: int = 13,
    width: int = 13,
    n_walls: int = 60,
    replacement: bool = True,
) -> Levels:
    """Minimax's levels: walls on uniform tiles, then agent and goal on uniform free tiles.

    Args:
        n: how many levels.
        rng: chance, and the device.
        height: rows.
        width: columns.
        n_walls: tiles drawn for walls.
        replacement: whether a tile may be drawn twice, so that there are fewer walls.

    Raises:
        ValueError: the walls would leave no room for agent and goal.
    """
    area = height * width
    check_walls(n_walls, area)
    if replacement:
        tiles = torch.randint(area, (n, n_walls), generator=rng, device=rng.device)
    else:
        tiles = _different_tiles(n, area, n_walls, rng)
    walls = torch.zeros(n, area, dtype=torch.bool, device=rng.device).scatter_(1, tiles, True)
    return place_ends(walls.reshape(n, height, width), rng)


def scattered_up_to(
    n: int, rng: torch.Generator, *, height: int = 13, width: int = 13, n_walls: int = 60
) -> Levels:
    """Minimax's `sample_n_walls`: 1 to `n_walls - 1` different walls, 1 twice as likely.

    (It draws k from 0 to `n_walls - 1` and fills the list of tiles up with its first one.)

    Raises:
        ValueError: the walls would leave no room for agent and goal.
    """
    area = height * width
    check_walls(n_walls, area)
    tiles = _different_tiles(n, area, max(n_walls, 1), rng)
    count = torch.randint(max(n_walls, 1), (n, 1), generator=rng, device=rng.device)
    kept = torch.arange(tiles.shape[1], device=rng.device) < count
    tiles = torch.where(kept, tiles, tiles[:, :1])
    walls = torch.zeros(n, area, dtype=torch.bool, device=rng.device).scatter_(1, tiles, True)
    return place_ends(walls.reshape(n, height, width), rng)


def designed(
    n: int,
    rng: torch.Generator,
    *,
    height: int = 13,
    width: int = 13,
    n_walls: int = 60,
    budget: bool = False,
) -> Levels:
    """DCD's default levels: a uniformly random teacher places walls, then goal, then agent.

    Goal and agent take the place of a wall; an agent on the goal goes to a random free tile.

    Args:
        n: how many levels.
        rng: chance, and the device.
        height: rows.
        width: columns.
        n_walls: walls to place, or, with `budget`, one more than the most of them.
        budget: whether the first tile also sets the number of walls, in proportion to its index
            (the "60 blocks uniform" setting).

    Raises:
        ValueError: the walls would leave no room for agent and goal.
    """
    area = height * width
    check_walls(n_walls, area)
    tiles = torch.randint(area, (n, n_walls + 2), generator=rng, device=rng.device)
    count = tiles[:, :1] * n_walls // area if budget else torch.full_like(tiles[:, :1], n_walls)
    is_wall = torch.arange(n_walls + 2, device=rng.device) < count
    walls = torch.zeros(n, area + 1, dtype=torch.bool, device=rng.device)
    walls = walls.scatter_(1, torch.where(is_wall, tiles, area), True)[:, :area]
    goal, agent = tiles.gather(1, count), tiles.gather(1, count + 1)
    walls = walls.scatter(1, goal, False)
    free = (~walls).scatter(1, goal, False)
    agent = torch.where(agent == goal, pick(free, rng)[:, None], agent)
    walls = walls.scatter(1, agent, False)
    direction = torch.randint(4, (n,), generator=rng, device=rng.device)
    return Levels(walls.reshape(n, height, width), agent[:, 0], direction, goal[:, 0])


def half_scattered(
    n: int, rng: torch.Generator, *, height: int = 13, width: int = 13, n_walls: int = 60
) -> Levels:
    """DCD's `reset_random`: goal, agent and `n_walls // 2` walls on different tiles.

    Raises:
        ValueError: the walls would leave no room for agent and goal.
    """
    area = height * width
    check_walls(n_walls // 2, area)
    tiles = _different_tiles(n, area, n_walls // 2 + 2, rng)
    walls = torch.zeros(n, area, dtype=torch.bool, device=rng.device)
    walls = walls.scatter_(1, tiles[:, 2:], True).reshape(n, height, width)
    direction = torch.randint(4, (n,), generator=rng, device=rng.device)
    return Levels(walls, tiles[:, 1].contiguous(), direction, tiles[:, 0].contiguous())


def only_solvable(n: int, rng: torch.Generator, generate: Generate) -> Levels:
    """Levels of a generator, unsolvable ones thrown away (waits for the device).

    Raises:
        ValueError: 100 rounds did not find enough of them.
    """
    found: list[Levels] = []
    missing = n
    for _ in range(100):
        batch = generate(missing + missing // 4 + 8, rng)
        batch = batch[solvable(batch)][:missing]
        found.append(batch)
        missing -= len(batch)
        if missing == 0:
            return join(found)
    raise ValueError(f"the generator gives too few solvable levels: {n - missing} of {n}")


def place_ends(walls: Tensor, rng: torch.Generator, floor: Tensor | None = None) -> Levels:
    """Agent, direction and goal, uniform over the free tiles of given walls.

    Args:
        walls: bool [n, height, width].
        rng: chance, on the walls' device.
        floor: bool [n, height, width], where they may be; all free tiles by default.
    """
    free = (~walls if floor is None else floor).flatten(1)
    agent = pick(free, rng)
    direction = torch.randint(4, agent.shape, generator=rng, device=rng.device)
    goal = pick(free.scatter(1, agent[:, None], False), rng)
    return Levels(walls, agent, direction, goal)


def pick(allowed: Tensor, rng: torch.Generator) -> Tensor:
    """A uniformly drawn allowed column of each row.

    Args:
        allowed: bool [n, k]; a row without any gives 0.
        rng: chance, on the same device.

    Returns:
        int64 [n].
    """
    lots = torch.rand(allowed.shape, generator=rng, device=rng.device)
    return lots.masked_fill_(~allowed, -1).argmax(1)


def check_walls(n_walls: int, area: int) -> None:
    """Refuse a number of walls that leaves no room for agent and goal.

    Raises:
        ValueError: fewer than none, or more than fit.
    """
    if not 0 <= n_walls <= area - 2:
        raise ValueError(f"n_walls: expected 0 to {area - 2} on {area} tiles, found {n_walls}")


def _different_tiles(n: int, area: int, count: int, rng: torch.Generator) -> Tensor:
    """`count` different tiles in random order: int64 [n, count]."""
    lots = torch.rand(n, area, generator=rng, device=rng.device)
    return lots.topk(count, 1).indices
