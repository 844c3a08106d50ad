"""The page for users of the suite: what it shows works as it is printed."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import replace
from pathlib import Path

import click
from click.testing import CliRunner

import rlbench
from rlbench.cli.main import rlbench as program_group
from rlbench.core.algorithm import own_baseline
from rlbench.core.assets import AssetStore
from rlbench.core.data import DataStore
from rlbench.core.registry import Registry
from rlbench.core.store import Store
from rlbench.core.trial import Trial
from rlbench.runner.execute import Bench, execute
from rlbench.suites.skillhack.suite import SUITE

PAGE = Path(rlbench.__file__).parent.parent / "docs" / "skillhack.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", TEXT, re.DOTALL)
REGISTRY = Registry.load()


def code(part: str) -> str:
    """The one Python block with this in it."""
    [found] = [text for kind, text in BLOCKS if kind == "python" and part in text]
    return str(found)


def printed(program: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(program, str(PAGE), "exec"), {})
    return out.getvalue()


def own_trial(folder: Path) -> Path:
    """The record of the page's own agent on a short version of its task."""
    (folder / "mine.py").write_text(code("# mine.py"))
    task = REGISTRY.tasks["skillhack/eat"]
    task = replace(task, tiers={"smoke": {"env_steps": 1, "environments": 2, "episodes": 3}})
    chosen = {"appetite": 0.5}
    recipe = own_baseline(f"{folder / 'mine.py'}:Hungry", "skillhack", ["appetite"])
    source = "0" * 64
    store = Store(folder / "results")
    assets = AssetStore(folder / "cache", source)
    bench = Bench(store=store, assets=assets, data=DataStore({}), source=source)
    execute(bench, SUITE, Trial(task, recipe, chosen, chosen, "smoke", 0))
    [record] = (folder / "results").rglob("seed-0.json")
    return record


def test_every_command_recipe_and_task_that_the_page_names_is_there() -> None:
    group: click.Command = program_group
    assert isinstance(group, click.Group)
    lines = [line for _, text in BLOCKS for line in text.splitlines()]
    commands = [line.partition("#")[0].split() for line in lines if line.startswith("rlbench ")]
    for words in commands:
        assert group.get_command(click.Context(group), words[1]) is not None
        if words[1] == "run":
            REGISTRY.find_tasks(words[2])
            if "mine.py" not in words[3]:
                REGISTRY.find_baselines(words[3].strip("'"))
    for name in re.findall(r"`([a-z]+\+[a-z]+)`", TEXT):
        REGISTRY.find_baselines(name)
    assert len(commands) > 6


def test_its_environment_plays_to_an_end() -> None:
    last = printed(code("gymnasium.make(")).splitlines()[-1]

    assert re.fullmatch(r"(event|stairs|death|timeout) (True|False)", last)


def test_its_vector_steps() -> None:
    assert printed(code("make_vector("))


def test_its_agent_is_evaluated_and_watched(tmp_path: Path) -> None:
    record, gif = own_trial(tmp_path), tmp_path / "episode.gif"
    done = CliRunner().invoke(program_group, ["replay", str(record), "--gif", str(gif)])

    assert done.exit_code == 0, done.output
    assert gif.stat().st_size > 1000
