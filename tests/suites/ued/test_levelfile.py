"""Level files: what can be drawn, and what is said about what cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlbench.core.bundled import bundled
from rlbench.core.errors import SpecError
from rlbench.suites.ued.generate import scattered
from rlbench.suites.ued.levelfile import (
    MAX_BYTES,
    draw_rows,
    name_levels,
    parse_levels,
    read_levels,
    write_levels,
)
from rlbench.suites.ued.solver import shortest_actions, shortest_moves

TRANSFER = bundled("tasks") / "ued" / "levels" / "transfer.txt"

# facts of the published mazes: walls, fewest moves, fewest actions, time limit
PUBLISHED = {
    "sixteen-rooms": (46, [20], [26], 450),
    "sixteen-rooms-2": (53, [22], [28], 450),
    "labyrinth": (72, [96], [113], 450),
    "labyrinth-flipped": (72, [96], [113], 450),
    "labyrinth-2": (72, [96], [113], 450),
    "standard-maze": (73, [40], [54], 450),
    "standard-maze-2": (72, [56], [73], 450),
    "standard-maze-3": (71, [39], [54], 450),
    "small-corridor": (71, [*range(13, 23, 2)] * 2, [*range(16, 26, 2)] * 2, 450),
    "large-corridor": (161, [*range(19, 35, 2)] * 2, [*range(22, 38, 2)] * 2, 882),
}


@given(
    seed=st.integers(0, 2**32),
    height=st.integers(1, 9),
    width=st.integers(2, 9),
    horizon=st.integers(1, 10**6),
)
def test_a_written_file_reads_back_the_same(
    seed: int, height: int, width: int, horizon: int
) -> None:
    rng = torch.Generator().manual_seed(seed)
    walls = (height * width - 2) // 2
    levels = scattered(3, rng, height=height, width=width, n_walls=walls)
    text = write_levels(name_levels(levels, ["a", "b", "c"], horizon))
    mazes = parse_levels(text, "file")
    assert [maze.name for maze in mazes] == ["a", "b", "c"]
    assert {maze.horizon for maze in mazes} == {horizon}
    for i, maze in enumerate(mazes):
        again = maze.levels()
        assert torch.equal(again.keys(direction=True), levels[i : i + 1].keys(direction=True))
        assert draw_rows(again) == [maze.rows]


def test_each_goal_of_a_drawing_makes_a_level_in_which_the_others_are_floor() -> None:
    (maze,) = parse_levels("maze fork\nG.G\n#v#\n", "file")
    levels = maze.levels()
    assert draw_rows(levels) == [("G..", "#v#"), ("..G", "#v#")]
    assert maze.horizon == 2 * 4 * 5


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "f.txt: no maze"),
        ("...\n", "f.txt:1: expected a line like 'maze NAME' first"),
        ("maze a\n", "f.txt:1: maze 'a' has no rows"),
        ("maze a\n>.\n", "f.txt:1: maze 'a' has no goals"),
        ("maze a\n.G\n", "f.txt:1: maze 'a' has 0 agents"),
        ("maze a\n>G<\n", "f.txt:1: maze 'a' has 2 agents"),
        ("maze a\n>" + "G" * 65 + "\n", "f.txt:1: maze 'a' has 65 goals"),
        ("; hi\nmaze a\n>.G\n..\n", "f.txt:4: row of 2 cells, expected 3"),
        ("maze a\n>xG\n", "f.txt:2: unknown character 'x'"),
        ("maze a 2x3\n>.G\n", "f.txt:1: maze 'a' is 1x3, its header says 2x3"),
        ("maze a limit 0\n>.G\n", "f.txt:1: maze 'a': expected a limit from 1"),
        ("maze a b c\n>.G\n", "f.txt:1: expected 'maze NAME [HxW] [limit T]'"),
        ("maze a\n>G\n\nmaze a\n>G\n", "f.txt:4: maze 'a' is already at f.txt:1"),
        ("maze a\n" + "." * 256 + "\n", "f.txt:2: the maze is larger than 255x255"),
        ("maze a\n" + ".\n" * 256, "f.txt:257: the maze is larger than 255x255"),
    ],
)
def test_a_malformed_file_gets_one_line_that_names_file_and_row(text: str, problem: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_levels(text, "f.txt")
    assert str(caught.value).startswith(problem)
    assert "\n" not in str(caught.value)


def test_a_goal_that_cannot_be_reached_is_refused_unless_allowed(tmp_path: Path) -> None:
    path = tmp_path / "levels.txt"
    path.write_text("maze open\n>.G\n\nmaze half\n>G#G\n")
    with pytest.raises(SpecError, match=r"levels.txt:4: maze 'half' has a goal that cannot be"):
        read_levels(path)
    assert len(read_levels(path, solvable=False)) == 2


def test_huge_binary_and_absent_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "levels.txt"
    with path.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    with pytest.raises(SpecError, match="larger than"):
        read_levels(path)
    path.write_bytes(b"maze \xff\n")
    with pytest.raises(SpecError, match=r"levels.txt: cannot read"):
        read_levels(path)
    with pytest.raises(SpecError, match="No such file"):
        read_levels(tmp_path / "absent.txt")


def test_the_bundled_mazes_are_solvable_and_as_published() -> None:
    mazes = {maze.name: maze for maze in read_levels(TRANSFER)}
    assert set(mazes) == set(PUBLISHED)
    for name, maze in mazes.items():
        levels = maze.levels()
        found = (
            int(levels.walls[0].sum()),
            shortest_moves(levels).tolist(),
            shortest_actions(levels).tolist(),
            maze.horizon,
        )
        assert found == PUBLISHED[name], name


def test_reading_a_file_needs_no_torch() -> None:
    program = (
        "import sys, pathlib, rlbench.suites.ued.levelfile as f;"
        f"f.read_levels(pathlib.Path({str(TRANSFER)!r}), solvable=False);"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
