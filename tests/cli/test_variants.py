"""A recipe's variants, from the command line to the report."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from rlbench.core.record import read_record
from rlbench.core.store import Store

RECIPE = """
suite = "walk"
name = "learner"
version = 1
title = "Learner"
algorithm = "rlbench_walk.agents:QLearner"
source = "nobody"
[params]
lr = { value = 0.5, doc = "step size", low = 0.0, high = 1.0 }
epsilon = { value = 0.2, doc = "share of random actions while learning" }
steps = { value = 200, doc = "steps", budget = true, low = 0 }
[variants.slow]
title = "Learner, slow"
source = "a thesis"
params.lr.value = 0.125
"""


@pytest.fixture(autouse=True)
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own" / "baselines" / "walk" / "learner.toml"
    path.parent.mkdir(parents=True)
    path.write_text(RECIPE)
    monkeypatch.setenv("RLBENCH_PATH", str(tmp_path / "own"))


def cells(call: Any, *words: str) -> list[str]:
    answer = call("run", "walk/corridor-short", *words, "--dry-run", "--json")
    return [cell["baseline"] for cell in json.loads(answer.out)["cells"]]


def test_a_variant_is_named_found_and_shown_like_a_recipe(call: Any) -> None:
    listed = json.loads(call("list", "baselines", "learner*", "--json").out)["baselines"]
    assert [item["id"] for item in listed] == ["walk/learner", "walk/learner+slow"]
    assert "param     lr = 0.125" in call("show", "walk/learner+slow").out
    assert call("show", "learner+slow").out == call("show", "walk/learner+slow").out
    assert "a thesis" not in call("show", "learner").out
    assert "did you mean 'learner+slow'" in call("show", "learner+slo").err
    assert "did you mean 'learner+slow'" in call("run", "walk/*", "learner+slo").err


def test_a_name_alone_is_the_default_recipe_and_a_glob_all_of_them(call: Any) -> None:
    assert cells(call, "learner") == ["learner"]
    assert cells(call, "learner+*") == ["learner+slow"]
    assert cells(call, "learner*") == ["learner", "learner+slow"]
    assert cells(call, "learner*", "epsilon=0.5") == [
        "learner+epsilon=0.5",
        "learner+slow,epsilon=0.5",
    ]


def test_a_record_of_a_variant_tells_its_parameters_and_the_command_that_repeats_it(
    rlbench_command: Any, call: Any, tmp_path: Path
) -> None:
    words = ["run", "walk/corridor-short", "learner+slow", "--tier", "smoke", "--seeds", "3"]
    assert rlbench_command(*words, "--results", "here").returncode == 0
    (path,) = tmp_path.rglob("seed-3.json")
    record = read_record(path)

    assert path.parent == Store(tmp_path / "here").folder(record.cell)
    assert (record.cell.row, record.baseline.id) == ("learner+slow", "walk/learner")
    assert (record.baseline.params["lr"], record.baseline.overrides) == (0.125, {})
    again = shlex.split(record.command)[1:]
    plan = json.loads(call(*again, "--results", "here", "--dry-run", "--json").out)
    assert [cell["states"] for cell in plan["cells"]] == [{"done": [3]}]
    report = call("report", "walk/*", "learner+slow", "--results", "here", "--format", "csv")
    assert "learner+slow" in report.out
