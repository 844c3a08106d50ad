"""Level files: mazes drawn with characters, several to a file, readable without torch.

    ; a comment
    maze sixteen-rooms 13x13 limit 450
    ...#..#..#...
    .>.......#...
    (11 more rows)

`#` is a wall, `.` floor, `>` `v` `<` `^` the agent and where it looks, `G` the goal. Where there
are several `G`, each episode draws one of them, and the others are floor. The size (height x width,
the wall around the maze not counted) and the time limit may be left out; the limit is then twice
the area, border included, as in the published mazes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rlbench.core.errors import SpecError

if TYPE_CHECKING:
    from rlbench.suites.ued.levels import Levels

MAX_SIDE = 255
MAX_MAZES = 100_000
MAX_GOALS = 64
MAX_BYTES = 16 * 1024 * 1024

_HEADER = re.compile(r"maze (?P<name>\S+)(?: (?P<size>\d+x\d+))?(?: limit (?P<limit>\d+))?")
_AGENT = ">v<^"
_KNOWN = frozenset("#.G" + _AGENT)


@dataclass(frozen=True)
class NamedMaze:
    """One maze of a file."""

    name: str
    rows: tuple[str, ...]
    """The drawing, all rows of one length, with one agent and at least one goal."""
    horizon: int
    """The time limit."""
    where: str
    """File and line of its header."""

    @property
    def height(self) -> int:
        """Rows of the interior."""
        return len(self.rows)

    @property
    def width(self) -> int:
        """Columns of the interior."""
        return len(self.rows[0])

    def levels(self) -> Levels:
        """One level per goal, in reading order; an episode plays one of them at random."""
        import torch

        from rlbench.suites.ued.levels import Levels

        cells = np.array([list(row) for row in self.rows]).reshape(-1)
        goals = torch.from_numpy(np.flatnonzero(cells == "G"))
        agent = int(np.flatnonzero(np.isin(cells, list(_AGENT)))[0])
        n = len(goals)
        walls = torch.from_numpy(cells == "#").reshape(1, self.height, self.width)
        return Levels(
            walls.repeat(n, 1, 1),
            torch.full((n,), agent),
            torch.full((n,), _AGENT.index(cells[agent])),
            goals,
        )


def read_levels(path: Path, *, solvable: bool = True) -> list[NamedMaze]:
    """The mazes of a level file.

    Args:
        path: the file.
        solvable: also refuse mazes with a goal that cannot be reached.

    Raises:
        SpecError: unreadable, too big, or not as the module says; names file, line and maze.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SpecError(f"{path}: larger than {MAX_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SpecError(f"{path}: cannot read: {reason}") from error
    mazes = parse_levels(text, str(path))
    if solvable:
        _check_reachable(mazes)
    return mazes


def parse_levels(text: str, shown: str) -> list[NamedMaze]:
    """The mazes that a text draws; `shown` is the file that error messages name.

    Raises:
        SpecError: not as the module says; names file, line and maze.
    """
    mazes: list[NamedMaze] = []
    header, start, rows = "", 0, list[str]()
    for number, line in enumerate([*text.splitlines(), "maze end"], start=1):
        row = line.rstrip()
        if row.startswith("maze"):
            if header:
                mazes.append(_maze(header, rows, shown, start))
            header, start, rows = row, number, []
            if len(mazes) > MAX_MAZES:
                raise SpecError(f"{shown}: more than {MAX_MAZES} mazes")
        elif row and not row.startswith(";"):
            _check_row(row, rows, f"{shown}:{number}", header)
            rows.append(row)
    _check_names(mazes)
    if not mazes:
        raise SpecError(f"{shown}: no maze; expected a line like 'maze NAME' and rows under it")
    return mazes


def write_levels(mazes: Iterable[NamedMaze]) -> str:
    """The text of a level file that `parse_levels` reads back."""
    return (
        "\n\n".join(
            "\n".join(
                [f"maze {maze.name} {maze.height}x{maze.width} limit {maze.horizon}", *maze.rows]
            )
            for maze in mazes
        )
        + "\n"
    )


def draw_rows(levels: Levels) -> list[tuple[str, ...]]:
    """Each level as the rows of a drawing."""
    cells = np.where(levels.walls.flatten(1).cpu().numpy(), "#", ".")
    every = np.arange(len(levels))
    cells[every, levels.goal.cpu().numpy()] = "G"
    cells[every, levels.agent.cpu().numpy()] = np.array(list(_AGENT))[
        levels.direction.cpu().numpy()
    ]
    grids = cells.reshape(len(levels), levels.height, levels.width)
    return [tuple("".join(row) for row in grid) for grid in grids]


def name_levels(levels: Levels, names: Sequence[str], horizon: int) -> list[NamedMaze]:
    """Levels under names, to be written to a file."""
    drawings = zip(names, draw_rows(levels), strict=True)
    return [NamedMaze(name, rows, horizon, "") for name, rows in drawings]


def _check_row(row: str, rows: Sequence[str], where: str, header: str) -> None:
    if not header:
        raise SpecError(f"{where}: expected a line like 'maze NAME' first, found {row!r:.40}")
    if unknown := sorted(set(row) - _KNOWN):
        raise SpecError(
            f"{where}: unknown character {unknown[0]!r}; expected # . G and one of {_AGENT}"
        )
    if len(row) > MAX_SIDE or len(rows) == MAX_SIDE:
        raise SpecError(f"{where}: the maze is larger than {MAX_SIDE}x{MAX_SIDE}")
    if rows and len(row) != len(rows[0]):
        raise SpecError(f"{where}: row of {len(row)} cells, expected {len(rows[0])} as above")


def _maze(header: str, rows: Sequence[str], shown: str, line: int) -> NamedMaze:
    where = f"{shown}:{line}"
    found = _HEADER.fullmatch(header)
    if not found:
        raise SpecError(f"{where}: expected 'maze NAME [HxW] [limit T]', found {header!r:.60}")
    name, text = found["name"], "".join(rows)
    agents = sum(text.count(mark) for mark in _AGENT)
    if not rows:
        raise SpecError(f"{where}: maze '{name}' has no rows")
    if agents != 1:
        raise SpecError(f"{where}: maze '{name}' has {agents} agents, expected one of {_AGENT}")
    if not 1 <= text.count("G") <= MAX_GOALS:
        count = text.count("G") or "no"
        raise SpecError(f"{where}: maze '{name}' has {count} goals (G), expected 1 to {MAX_GOALS}")
    size = f"{len(rows)}x{len(rows[0])}"
    if found["size"] not in (None, size):
        raise SpecError(f"{where}: maze '{name}' is {size}, its header says {found['size']}")
    horizon = int(found["limit"] or 2 * (len(rows) + 2) * (len(rows[0]) + 2))
    if horizon < 1:
        raise SpecError(f"{where}: maze '{name}': expected a limit from 1, found {horizon}")
    return NamedMaze(name, tuple(rows), horizon, where)


def _check_names(mazes: Sequence[NamedMaze]) -> None:
    seen: dict[str, str] = {}
    for maze in mazes:
        if maze.name in seen:
            raise SpecError(f"{maze.where}: maze '{maze.name}' is already at {seen[maze.name]}")
        seen[maze.name] = maze.where


def _check_reachable(mazes: Sequence[NamedMaze]) -> None:
    from rlbench.suites.ued.levels import join
    from rlbench.suites.ued.solver import solvable

    for size in dict.fromkeys((maze.height, maze.width) for maze in mazes):
        same = [maze for maze in mazes if (maze.height, maze.width) == size]
        batches = [maze.levels() for maze in same]
        owners = np.repeat(np.arange(len(same)), [len(batch) for batch in batches])
        bad = np.flatnonzero(~solvable(join(batches)).numpy())
        if bad.size:
            maze = same[int(owners[bad[0]])]
            raise SpecError(f"{maze.where}: maze '{maze.name}' has a goal that cannot be reached")
