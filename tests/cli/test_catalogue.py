from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rlbench import __version__
from rlbench.cli.main import COMMANDS


def test_the_list_of_a_suite_is_what_programs_rely_on(call: Any, golden: Any) -> None:
    found = {
        kind: json.loads(call("list", kind, "walk/*" if kind != "suites" else "walk", "--json").out)
        for kind in ("tasks", "baselines", "suites")
    }
    golden("walk.list.json", json.dumps(found, indent=1, ensure_ascii=False) + "\n")


@pytest.mark.parametrize("name", ["walk/corridor-long", "walk/q-learning", "walk"])
def test_what_is_shown_is_what_programs_rely_on(
    call: Any, golden: Any, walk: Path, name: str
) -> None:
    answer = call("show", name, "--json")
    json.loads(answer.out)
    golden(f"{name.replace('/', '.')}.show.json", answer.out.replace(str(walk), "PLUGIN"))


@pytest.mark.parametrize("name", ["walk/corridor-long", "walk/q-learning", "walk"])
def test_the_card_is_as_in_the_golden_file(call: Any, golden: Any, walk: Path, name: str) -> None:
    answer = call("show", name)
    assert (answer.code, answer.err) == (0, "")
    golden(f"{name.replace('/', '.')}.show.txt", answer.out.replace(str(walk), "PLUGIN"))


def test_the_whole_list_is_one_json_object_with_every_task(call: Any) -> None:
    from rlbench.core.registry import Registry

    found = json.loads(call("list", "--json").out)
    registry = Registry.load()
    assert [task["id"] for task in found["tasks"]] == list(registry.tasks)
    assert [item["id"] for item in found["baselines"]] == list(registry.baselines)
    assert [suite["id"] for suite in found["suites"]] == registry.suite_names


def test_a_thing_may_be_named_without_its_suite(call: Any) -> None:
    assert call("show", "corridor-long").out == call("show", "walk/corridor-long").out


def test_people_get_one_line_a_task(call: Any) -> None:
    lines = call("list", "tasks", "corridor-*").out.splitlines()
    assert lines[0] == "tasks"
    assert [line.split()[0] for line in lines[1:]] == ["walk/corridor-short", "walk/corridor-long"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_in_the_table_explains_itself(call: Any, name: str) -> None:
    answer = call(name, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("Usage: ")


def test_help_names_every_command(call: Any) -> None:
    answer = call("--help")
    assert answer.code == 0
    for name, (_, line) in COMMANDS.items():
        assert name in answer.out
        assert line.split(";")[0].rstrip(".") in answer.out


def test_the_version_is_the_packages(call: Any) -> None:
    assert call("--version").out == f"rlbench {__version__}\n"


def test_without_a_command_help_is_shown(call: Any) -> None:
    answer = call()
    assert answer.code == 2
    assert "rlbench run" in answer.err
