from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest


def test_a_dry_run_shows_the_cells_and_runs_nothing(
    call: Any, golden: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subprocess.Popen", None)
    words = ["run", "walk/*", "chance,q-learning", "steps=400", "--dry-run", "--jobs", "2"]
    answer = call(*words, "--seeds", "3", "--json")
    assert answer.code == 0
    golden("walk.dry-run.json", answer.out)
    table = call(*words, "--seeds", "0-2")
    assert "chance+steps=400,from-small" in table.out
    assert "12 of 12 trials to run on 2 jobs" in table.err
    assert not (tmp_path / "results").exists()


def test_run_status_and_run_again_tell_one_story(
    rlbench_command: Any, call: Any, tmp_path: Path
) -> None:
    words = ["run", "walk/corridor-*", "chance", "steps=200", "--tier", "smoke", "--jobs", "1"]
    first = rlbench_command(*words, "--json", "--results", "here")
    assert first.returncode == 0
    summary = json.loads(first.stdout)
    assert (summary["ran"], summary["done"], summary["failed"]) == (4, 0, [])

    again = call(*words, "--json", "--results", "here")
    assert (json.loads(again.out)["ran"], json.loads(again.out)["done"]) == (0, 4)
    assert "0 ran, 4 done before" in again.err

    status = json.loads(call("status", "--json", "--results", "here").out)
    rows = [(cell["task"], cell["tier"], cell["variant"], cell["done"]) for cell in status["cells"]]
    variant = "steps=200,from-smoke"
    assert rows == [
        ("corridor-long", "custom", variant, [0, 1]),
        ("corridor-short", "custom", variant, [0, 1]),
    ]
    assert "walk/corridor-long@1" in call("status", "--results", "here").out
    assert not (tmp_path / "results").exists()


def test_the_command_in_a_record_repeats_its_trial(
    rlbench_command: Any, call: Any, tmp_path: Path
) -> None:
    words = ["run", "walk/corridor-short", "q-learning", "steps=200", "lr=0.25", "--tier", "smoke"]
    assert rlbench_command(*words, "--seeds", "3").returncode == 0
    (path,) = tmp_path.rglob("seed-3.json")
    command = shlex.split(json.loads(path.read_text())["command"])
    assert command[0] == "rlbench"
    plan = json.loads(call(*command[1:], "--dry-run", "--json").out)
    assert [cell["states"] for cell in plan["cells"]] == [{"done": [3]}]


def test_status_of_an_empty_folder_says_where_to_start(call: Any) -> None:
    answer = call("status")
    assert (answer.code, answer.out) == (0, "")
    assert "start with rlbench run" in answer.err
