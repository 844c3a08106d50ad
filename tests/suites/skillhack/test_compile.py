"""Level files: compiled once, checked, and refused with a place."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlbench.core.errors import SpecError
from rlbench.suites.skillhack import compile as room
from rlbench.suites.skillhack.compile import compiled, compiled_text, level_file

GOOD = level_file("fight").read_bytes()


def test_a_syntax_error_names_the_file_and_the_line() -> None:
    lines = GOOD.decode().splitlines()
    place = next(i for i, line in enumerate(lines, 1) if line.startswith("GEOMETRY"))
    lines[place - 1] = "GEOMETRY: nowhere, center"

    with pytest.raises(SpecError, match=rf"own\.des:{place}: .*error"):
        compiled_text("\n".join(lines).encode(), "own.des")


def test_an_unknown_monster_is_refused_and_not_left_out() -> None:
    with pytest.raises(SpecError, match=r"own\.des"):
        compiled_text(GOOD.replace(b'"wumpus"', b'"wumpos"'), "own.des")


def test_a_file_without_a_level_is_refused() -> None:
    with pytest.raises(SpecError, match=r"own\.des"):
        compiled_text(b"# nothing\n", "own.des")


def test_a_comment_may_end_a_file_without_a_new_line() -> None:
    assert compiled_text(GOOD + b"# the end", "own.des").is_file()


def test_a_level_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = compiled_text(GOOD, "own.des")
    monkeypatch.setattr(room, "_make", None)

    assert compiled_text(GOOD, "another-name.des") == first


def test_a_level_that_is_not_the_task_s_is_refused() -> None:
    with pytest.raises(SpecError, match=r"fight\.des: expected sha256 0000"):
        compiled("fight", "0" * 64)


def test_a_missing_level_is_one_line() -> None:
    with pytest.raises(SpecError, match=r"no-such\.des: cannot read"):
        compiled("no-such", "0" * 64)


def test_compiling_leaves_nothing_else_in_the_cache() -> None:
    folder = compiled_text(GOOD, "own.des").parent

    assert {path.name for path in Path(folder).iterdir()} == {"lock", "nhdat"}
