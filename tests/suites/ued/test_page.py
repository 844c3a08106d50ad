"""The page for users of the suite: what it shows works as it is printed."""

from __future__ import annotations

import re
from pathlib import Path

import rlbench
from rlbench.core.registry import Registry
from rlbench.suites.ued.levelfile import read_levels

PAGE = Path(rlbench.__file__).parent.parent / "docs" / "ued.md"
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
REGISTRY = Registry.load()


def commands() -> list[list[str]]:
    lines = [line for _, text in BLOCKS for line in text.splitlines()]
    return [line.partition("#")[0].split() for line in lines if line.startswith("rlbench ")]


def test_every_recipe_and_task_that_the_page_names_is_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in re.findall(r"`(?:rlbench show )?([a-z-]+\+[a-z]+)`", text):
        REGISTRY.find_baselines(name)
    for words in commands():
        if words[1] == "run":
            REGISTRY.find_tasks(words[2])


def test_its_level_file_is_one(tmp_path: Path) -> None:
    (text,) = [text for _, text in BLOCKS if text.startswith("; mine.txt")]
    path = tmp_path / "mine.txt"
    path.write_text(text)

    assert [(maze.name, maze.horizon) for maze in read_levels(path)] == [
        ("corner", 2 * 5 * 7),
        ("long-way", 100),
    ]


def test_its_curriculum_trains_a_student(tmp_path: Path, tiny_run: TinyRun) -> None:
    (code,) = [text for kind, text in BLOCKS if kind == "python"]
    path = tmp_path / "mine.py"
    path.write_text(code)

    metrics = tiny_run(f"{path}:Struggle", {"share": 0.25})

    assert metrics["student_updates"] == 3
