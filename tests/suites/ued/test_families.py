"""Perfect mazes, rooms, crossings, and families by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from rlbench.suites.ued.families import of_maze, procedural
from rlbench.suites.ued.levelfile import parse_levels
from rlbench.suites.ued.levels import Levels, check_levels
from rlbench.suites.ued.perfect import depth_first, kruskal
from rlbench.suites.ued.rooms import four_rooms, minigrid_crossing, minimax_crossing
from rlbench.suites.ued.solver import shortest_moves, solvable


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def passages(levels: Levels) -> torch.Tensor:
    """Pairs of free tiles side by side."""
    free = ~levels.walls
    across = (free[:, :, 1:] & free[:, :, :-1]).sum((1, 2))
    return across + (free[:, 1:] & free[:, :-1]).sum((1, 2))


@pytest.mark.parametrize("make", [depth_first, kruskal])
@pytest.mark.parametrize("size", [3, 13, 19])
def test_perfect_mazes_are_spanning_trees(make: Callable[..., Levels], size: int) -> None:
    levels = make(100, rng(), size=size)
    check_levels(levels)
    free = (~levels.walls).sum((1, 2))
    assert (free == 2 * (size // 2 + 1) ** 2 - 1).all()
    assert (passages(levels) == free - 1).all()  # as many edges as a tree has, and
    corner = torch.zeros(100, dtype=torch.int64)
    for goal in (size - 1, size * size - 1):  # connected: far corners reach each other
        ends = Levels(levels.walls, corner, corner, corner + goal)
        assert solvable(ends).all()
    assert solvable(levels).all()


def test_depth_first_mazes_are_as_long_as_minimax_measured() -> None:
    for size, mean, walls in ((13, 26.3, 72), (19, 48.0, 162)):
        levels = depth_first(2000, rng(), size=size)
        assert (levels.walls.sum((1, 2)) == walls).all()
        assert shortest_moves(levels).float().mean().item() == pytest.approx(mean, rel=0.06)


def test_kruskal_mazes_lead_from_one_corner_to_another() -> None:
    levels = kruskal(2000, rng(), size=9)
    corners = {0, 8, 72, 80}
    pairs = set(zip(levels.agent.tolist(), levels.goal.tolist(), strict=True))
    assert pairs == {(a, b) for a in corners for b in corners if a != b}
    assert (levels.direction == 0).all()


@pytest.mark.parametrize("make", [depth_first, kruskal])
def test_perfect_mazes_have_odd_sides(make: Callable[..., Levels]) -> None:
    with pytest.raises(ValueError, match="size: expected an odd number from 3, found 8"):
        make(1, rng(), size=8)


def test_minimax_crossings_have_two_to_eight_rivers_and_a_monotone_path() -> None:
    levels = minimax_crossing(5000, rng())
    assert (shortest_moves(levels) == 16).all()
    rivers = (levels.walls.sum(1) >= 6).sum(1) + (levels.walls.sum(2) >= 6).sum(1)
    shares = rivers.bincount(minlength=9) / 5000
    # measured on minimax: 2 to 8 rivers in 1, 55, 233, 435, 234, 39 and 3 of 1000 levels
    expected = [0, 0, 0.001, 0.055, 0.233, 0.435, 0.234, 0.039, 0.003]
    assert shares.tolist() == pytest.approx(expected, abs=0.03)


def test_minigrid_crossings_have_five_rivers_each_opened_once() -> None:
    levels = minigrid_crossing(2000, rng())
    assert solvable(levels).all()
    rows, columns = levels.walls.sum(2)[:, 1::2], levels.walls.sum(1)[:, 1::2]
    n_rows = (rows >= 7).sum(1)
    n_columns = (columns >= 7).sum(1)
    assert (n_rows + n_columns == 5).all()
    tiles = 9 * 5 - n_rows * n_columns
    assert (levels.walls.sum((1, 2)) == tiles - 5).all()
    assert set(levels.walls.sum((1, 2)).tolist()) == {34, 36}


def test_minigrid_crossings_are_drawn_as_the_package_draws_them() -> None:
    crossing = pytest.importorskip("minigrid.envs.crossing")
    wall = pytest.importorskip("minigrid.core.world_object").Wall
    env = crossing.CrossingEnv(size=11, num_crossings=5, obstacle_type=wall)
    theirs = torch.zeros(9, 9)
    for seed in range(1500):
        env.reset(seed=seed)
        theirs += torch.from_numpy((env.grid.encode()[1:-1, 1:-1, 0] == 2).T.copy())
    ours = minigrid_crossing(20_000, rng()).walls.float().mean(0)
    assert (ours - theirs / 1500).abs().max() < 0.06


@pytest.mark.parametrize("in_doors", [False, True])
def test_four_rooms_have_a_door_in_each_wall_between_two(in_doors: bool) -> None:
    levels = four_rooms(3000, rng(), in_doors=in_doors)
    assert (levels.walls.sum((1, 2)) == 29).all()
    for wall in (levels.walls[:, 8], levels.walls[:, :, 8]):
        assert ((~wall[:, :8]).sum(1) == 1).all()
        assert ((~wall[:, 9:]).sum(1) == 1).all()
    assert solvable(levels).all()
    on_cross = (levels.agent // 17 == 8) | (levels.agent % 17 == 8)
    assert bool(on_cross.any()) == in_doors
    # 4,000 levels of minimax 0.2.0: 13.45 ± .11
    assert shortest_moves(levels).float().mean().item() == pytest.approx(13.5, abs=0.5)


def test_every_procedural_family_draws_solvable_levels_of_its_size() -> None:
    families = procedural()
    assert families["perfect-101"].horizon == 21_218
    assert families["crossing"].horizon == 484
    for name, family in families.items():
        levels = family.generate(2, rng())
        assert (levels.height, levels.width) == (family.height, family.width), name
        assert solvable(levels).all(), name


def test_a_named_maze_draws_its_goals_evenly() -> None:
    family = of_maze(parse_levels("maze fork limit 9\nG.G\n#v#\n", "test")[0])
    goals = family.generate(4000, rng()).goal.bincount(minlength=3) / 4000
    assert goals.tolist() == pytest.approx([0.5, 0, 0.5], abs=0.04)
    assert family.horizon == 9
