"""The page for users of the suite: what it shows works as it is printed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import rlbench
from rlbench.core.algorithm import own_baseline
from rlbench.core.assets import AssetStore
from rlbench.core.data import DataStore
from rlbench.core.registry import Registry
from rlbench.core.store import Store
from rlbench.core.trial import Trial
from rlbench.runner.execute import Bench, execute
from rlbench.suites.ued.levelfile import read_levels
from rlbench.suites.ued.suite import SUITE

PAGE = Path(rlbench.__file__).parent.parent / "docs" / "ued.md"
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
REGISTRY = Registry.load()


def commands() -> list[list[str]]:
    lines = [line for _, text in BLOCKS for line in text.splitlines()]
    return [line.partition("#")[0].split() for line in lines if line.startswith("rlbench ")]


def test_every_recipe_and_task_that_the_page_names_is_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    recipes = re.findall(r"`(?:rlbench show )?([a-z-]+\+[a-z]+)`", text)
    tasks = [words[2] for words in commands() if words[1] == "run"]
    assert recipes
    assert tasks
    assert all(REGISTRY.find_baselines(name) for name in recipes)
    assert all(REGISTRY.find_tasks(name) for name in tasks)


def test_its_level_file_is_one(tmp_path: Path) -> None:
    (text,) = [text for _, text in BLOCKS if text.startswith("; mine.txt")]
    path = tmp_path / "mine.txt"
    path.write_text(text)

    assert [(maze.name, maze.horizon) for maze in read_levels(path)] == [
        ("corner", 2 * 5 * 7),
        ("long-way", 100),
    ]


def test_its_mazes_step() -> None:
    (code,) = [text for _, text in BLOCKS if text.startswith("import gymnasium")]
    names: dict[str, Any] = {}
    exec(code, names)

    assert names["observation"]["image"].shape == (1024, 5, 5, 3)
    assert names["reward"].shape == (1024,)


def test_its_curriculum_trains_a_student(tmp_path: Path) -> None:
    (code,) = [text for _, text in BLOCKS if text.startswith("# mine.py")]
    path = tmp_path / "mine.py"
    path.write_text(code)
    task = REGISTRY.tasks["ued/maze-25"]
    small = {"height": 5, "width": 5, "horizon": 20, "n_walls": 4, "mazes": ["crossing"]}
    tier = {"updates": 3, "environments": 8, "steps": 32}
    tier |= {"episodes": 1, "levels": 10, "level_episodes": 1}
    task = replace(task, params={**task.params, **small}, tiers={"smoke": tier})
    recipe = own_baseline(f"{path}:Struggle", "ued", ["share"])
    trial = Trial(task, recipe, {"share": 0.25}, {"share": 0.25}, "smoke", 0)
    source = "0" * 64
    bench = Bench(
        store=Store(tmp_path / "results"),
        assets=AssetStore(tmp_path / "cache", source),
        data=DataStore({}),
        source=source,
    )

    execute(bench, SUITE, trial)
    record = bench.store.read(trial)

    assert record is not None
    assert record.metrics["student_updates"] == 3
