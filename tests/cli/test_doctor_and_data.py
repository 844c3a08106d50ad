from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlbench.core.assets import AssetStore


@pytest.fixture
def no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh_cache: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.setenv("RLBENCH_DATA", str(folder))
    return folder


SPEC = """
[sets.letters]
title = "Letters"
licence = "MIT"
upstream = "https://example.org/letters"
files.all = { path = "letters/all.bin", sha256 = "SHA" }
"""
SHA = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"  # of b"foo"


@pytest.fixture
def letters(no_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Declare the data set `letters`, and put a file there."""
    folder = tmp_path / "specs" / "tasks" / "toy"
    folder.mkdir(parents=True)
    (folder / "data.toml").write_text(SPEC.replace("SHA", SHA))
    monkeypatch.setenv("RLBENCH_PATH", str(tmp_path / "specs"))

    def put(content: bytes) -> Path:
        path = no_data / "letters" / "all.bin"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    return put


def test_data_list_says_of_each_set_whether_it_is_here(
    call: Any, letters: Callable[..., Path], no_data: Path
) -> None:
    def state() -> str:
        lines = call("data", "list").out.splitlines()
        (line,) = (line for line in lines if line.split()[:1] == ["letters"])
        return str(line.split()[1])

    assert state() == "absent"
    letters(b"foo")
    assert state() == "here"


def test_data_list_says_to_programs_what_to_put_where(call: Any, no_data: Path) -> None:
    found = json.loads(call("data", "list", "--json").out)
    missing = {item["name"]: item["missing"] for item in found["data"]}
    assert f"put mnist_test/t10k-images-idx3-ubyte.gz under {no_data}" in missing["mnist-test"]
    assert "RLBENCH_DATA" in missing["mnist-test"]
    assert found["assets"] == []


def test_data_list_counts_the_assets_in_the_cache(
    call: Any, no_data: Path, fresh_cache: Path
) -> None:
    AssetStore(fresh_cache, "s" * 64).get("numbers", {"n": 3}, lambda: {"x": np.zeros(3)}, seed=1)
    (asset,) = json.loads(call("data", "list", "--json").out)["assets"]
    assert (asset["kind"], asset["params"], asset["seed"]) == ("numbers", {"n": 3}, 1)
    assert "assets: 1 in" in call("data", "list").out


def test_data_verify_tells_right_wrong_and_absent_apart(
    call: Any, letters: Callable[..., Path]
) -> None:
    absent = call("data", "verify", "letters")
    assert absent.code == 3
    assert "put letters/all.bin under" in absent.err
    path = letters(b"foo")
    right = call("data", "verify", "letters")
    assert (right.code, right.err) == (0, "letters: as declared\n")
    letters(b"other")
    wrong = call("data", "verify")
    assert wrong.code == 1
    assert f"{path}: sha256 is" in wrong.err


def test_doctor_says_what_can_run_and_what_fixes_the_rest(
    call: Any, no_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rlbench_walk.suite import WalkSuite

    answer = call("doctor")
    assert answer.code == 0
    assert "walk: ready\n    2 of 2 tasks have their data here" in answer.out
    assert f"put mnist_test/t10k-images-idx3-ubyte.gz under {no_data}" in answer.out
    monkeypatch.setattr(WalkSuite, "modules", ("no_such_library",))
    assert "walk: suite 'walk' needs no_such_library: pip install \"rlbench-walk\"" in (
        call("doctor").out
    )


def test_doctor_tells_programs_versions_suites_and_data(call: Any, no_data: Path) -> None:
    found = json.loads(call("doctor", "--json").out)
    assert found["machine"]["numpy"] == np.__version__
    assert found["machine"]["data_folders"][0] == str(no_data)
    assert found["suites"]["walk"] == {"ready": True, "fix": "", "tasks": 2, "runnable": 2}
    assert "RLBENCH_DATA" in found["data"]["mnist-test"]


def test_a_task_that_names_an_undeclared_data_set_is_a_usage_error(
    call: Any, letters: Callable[..., Path], walk: Path, tmp_path: Path
) -> None:
    text = (walk / "rlbench_walk/tasks/walk/corridor.toml").read_text()
    text = 'data = ["leters"]\n' + text.replace('family = "corridor"', 'family = "hall"')
    path = tmp_path / "specs" / "tasks" / "walk" / "hall.toml"
    path.parent.mkdir()
    path.write_text(text)
    answer = call("run", "walk/hall-long", "chance", "--tier", "smoke")
    assert answer.code == 2
    assert "no data set 'leters'; did you mean 'letters'?" in answer.err
    assert call("doctor").code == 0
