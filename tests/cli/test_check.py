"""`rlbench check` on a person's own gate: a small folder with an agent, a recipe and two cells."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from bench import PLUGIN
from click.testing import CliRunner

import rlbench
from rlbench.cli.checking import check, check_command
from rlbench.core.assets import cache_folder
from rlbench.core.errors import CorruptError, SpecError, UsageError
from rlbench.gate.verdict import Verdict

AGENT = '''
import numpy as np

class Walker:
    """Goes right, but for a share of its steps."""

    def __init__(self, slip, steps):
        self.slip, self.steps, self.q = slip, steps, np.zeros(1)

    def begin(self, cells):
        pass

    def act(self, cell, rng, *, explore):
        return int(rng.random() > self.slip)

    def learn(self, *step):
        pass
'''
RECIPE = """
suite = "walk"
name = "walker"
version = 1
title = "Goes right"
algorithm = "{agent}:Walker"
source = "none"

[params]
slip = {{ value = 0.2, doc = "share of steps to the left" }}
steps = {{ value = 0, doc = "environment steps of training", budget = true }}
"""
GATE = """
[[cells]]
task = "walk/corridor-long"
baseline = "walker"
tier = "smoke"
kind = "golden"
tolerance = 1e-6

[[cells]]
task = "walk/corridor-long"
baseline = "walker"
tier = "smoke"
kind = "statistical"
min_effect = 0.02
"""
CHECKOUT = str(Path(rlbench.__file__).parent.parent)


@dataclass
class Own:
    """A person's folder: what `$RLBENCH_PATH` names, and the reference beside it."""

    folder: Path

    @property
    def agent(self) -> Path:
        return self.folder / "mine" / "agent.py"

    @property
    def recipe(self) -> Path:
        return self.folder / "mine" / "baselines" / "walk" / "walker.toml"

    @property
    def gate(self) -> Path:
        return self.folder / "mine" / "tasks" / "gate.toml"

    @property
    def reference(self) -> Path:
        return self.folder / "reference"

    def change(self, path: Path, old: str, new: str) -> None:
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def command(self, *words: str) -> tuple[Any, str, str]:
        """Exit status, stdout and stderr of `rlbench check WORDS`."""
        asked = ["--against", str(self.reference), "--jobs", "1", *words]
        done = CliRunner().invoke(check_command, asked, standalone_mode=False)
        if done.exception is not None:
            raise done.exception
        return int(done.return_value), done.stdout, done.stderr

    def check(self, **options: Any) -> Verdict:
        return check(self.reference, **{"jobs": 1, **options})

    def contents(self) -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in self.reference.rglob("*") if p.is_file()}


def make_own(folder: Path) -> Own:
    made = Own(folder)
    for path, text in (
        (made.agent, AGENT),
        (made.recipe, RECIPE.format(agent=made.agent)),
        (made.gate, GATE),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return made


@pytest.fixture
def own(walk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Own:
    monkeypatch.setenv("RLBENCH_PATH", str(tmp_path / "mine"))
    monkeypatch.chdir(tmp_path)
    return make_own(tmp_path)


@pytest.fixture(scope="module")
def first_reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `--accept` makes of the folder as it is at first."""
    first = make_own(tmp_path_factory.mktemp("first"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RLBENCH_PATH", str(first.folder / "mine"))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(PLUGIN), CHECKOUT]))
        patch.syspath_prepend(str(PLUGIN))
        patch.chdir(first.folder)
        status, out, said = first.command("--accept")
    assert status == 0
    assert out.startswith("new  walk/corridor-long walker smoke")
    assert "1 new" in said
    return first.reference


@pytest.fixture
def accepted(own: Own, first_reference: Path) -> Own:
    shutil.copytree(first_reference, own.reference)
    return own


def test_unchanged_code_passes_and_leaves_reference_and_cache_alone(
    accepted: Own, fresh_cache: Path
) -> None:
    before = accepted.contents()
    status, out, said = accepted.command()

    assert status == 0
    assert "equal" in out
    assert "no drop" in out
    assert "pass: 2 cells: 2 pass, 0 inconclusive, 0 regression" in said
    assert accepted.contents() == before
    assert not fresh_cache.exists()
    assert cache_folder() == fresh_cache


def test_a_wrong_sign_is_a_regression_in_table_json_and_junit(
    accepted: Own, tmp_path: Path
) -> None:
    before = accepted.contents()
    accepted.change(accepted.agent, "rng.random() > self.slip", "rng.random() < self.slip")
    status, out, said = accepted.command("--json", "--junit", "gate.xml", "--keep", "kept")
    found = json.loads(out)
    [suite] = Xml.parse(tmp_path / "gate.xml").getroot()

    assert status == 1
    assert found["status"] == "regression"
    assert [cell["finding"] for cell in found["cells"]] == ["differs", "drop"]
    assert found["cells"][1]["numbers"]["confirm_p"] < 0.05
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("2", "2")
    assert "--accept" in said
    seeds = {path.stem for path in (tmp_path / "kept").rglob("seed-*.json")}
    assert seeds == {f"seed-{n}" for n in (0, *range(100, 105), *range(200, 205))}
    assert accepted.contents() == before


def test_an_agent_that_crashes_now_is_a_regression(accepted: Own) -> None:
    accepted.change(accepted.agent, "return int(", "return undefined + int(")
    verdict = accepted.check()

    assert [cell.judgement.finding for cell in verdict.cells] == ["failed", "failed"]
    assert "NameError" in verdict.cells[0].judgement.detail
    assert verdict.exit_code == 1


def test_a_worse_default_in_the_recipe_is_found_and_named(accepted: Own) -> None:
    accepted.change(accepted.recipe, "value = 0.2", "value = 0.6")
    verdict = accepted.check()

    assert [cell.judgement.finding for cell in verdict.cells] == ["differs", "drop"]
    assert "slip 0.2 -> 0.6" in verdict.cells[0].notices[0]


def test_without_a_reference_the_check_is_inconclusive_and_runs_nothing(
    own: Own, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="--against: no folder"):
        own.check()
    own.reference.mkdir()
    status, out, said = own.command("--keep", "kept")

    assert status == 0
    assert out.count("no reference records") == 2
    assert "inconclusive: 2 cells" in said
    assert not list((tmp_path / "kept").rglob("*.json"))


def test_only_accept_changes_the_reference_and_says_what_it_changed(accepted: Own) -> None:
    before = accepted.contents()
    again = accepted.command("--accept")
    assert again[0] == 0
    assert again[1].startswith("unchanged")
    assert accepted.contents() == before

    accepted.change(accepted.agent, "> self.slip", "> self.slip + 0.2")
    status, out, _ = accepted.command("--accept")
    assert status == 0
    assert out.startswith("replaced")
    assert " -> return " in out
    assert accepted.contents().keys() == before.keys()
    assert accepted.check().status == "pass"


def test_a_cell_that_cannot_be_run_keeps_its_old_reference(accepted: Own) -> None:
    before = accepted.contents()
    accepted.change(accepted.agent, "return int(", "return undefined + int(")
    status, out, _ = accepted.command("--accept")

    assert status == 1
    assert out.startswith("failed")
    assert "NameError" in out
    assert accepted.contents() == before


def test_a_corrupt_reference_stops_the_check_before_anything_runs(
    accepted: Own, tmp_path: Path
) -> None:
    [evidence] = accepted.reference.rglob("seed-3.npz")
    evidence.write_bytes(b"other")

    with pytest.raises(CorruptError, match="seed-3"):
        accepted.check(keep=tmp_path / "kept")
    assert not (tmp_path / "kept" / "results").exists()


def test_an_old_folder_is_never_taken_for_a_fresh_one(accepted: Own) -> None:
    with pytest.raises(UsageError, match="--keep: expected a new or an empty folder"):
        accepted.check(keep=accepted.reference)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"walk/corridor-long"', '"walk/corridor-lang"', "did you mean 'walk/corridor-long'"),
        ('"walker"', '"w*"', "no baseline|several"),
        ('"smoke"', '"paper"', "the task has no tier 'paper'"),
    ],
)
def test_a_gate_cell_that_does_not_exist_is_told_before_anything_runs(
    own: Own, old: str, new: str, complaint: str
) -> None:
    own.reference.mkdir()
    own.change(own.gate, old, new)
    if new == '"w*"':
        second = own.recipe.with_name("w2.toml")
        text = own.recipe.read_text(encoding="utf-8")
        second.write_text(text.replace('name = "walker"', 'name = "w2"'), encoding="utf-8")

    with pytest.raises(SpecError, match=complaint):
        own.check()


def test_data_of_the_users_cache_is_still_found_by_a_check(
    accepted: Own, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RLBENCH_DATA", raising=False)
    data = cache_folder() / "data"
    accepted.change(
        accepted.agent,
        "self.slip, self.steps",
        f"import os; assert os.environ['RLBENCH_DATA'] == {str(data)!r}\n"
        "        self.slip, self.steps",
    )

    assert accepted.check().cells[0].judgement.finding == "equal"
    assert "RLBENCH_DATA" not in os.environ


def test_the_workflow_that_users_copy_calls_the_command_as_it_is() -> None:
    text = (Path(CHECKOUT) / "docs" / "ci" / "rlbench-check.yml").read_text(encoding="utf-8")
    [line] = re.findall(r"run: rlbench check (.*)", text)
    known = {option for parameter in check_command.params for option in parameter.opts}
    asked = {word for word in line.split() if word.startswith("--")}

    assert asked
    assert asked <= known
