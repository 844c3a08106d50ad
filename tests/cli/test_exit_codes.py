from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rlbench.core.errors import CorruptError, StorageError
from rlbench.core.registry import Registry

FAILING = "class Failing:\n    def __init__(self):\n        raise ValueError('no luck')\n"


def test_0_when_all_went_well(rlbench_command: Any) -> None:
    answer = rlbench_command("list", "tasks", "walk/*")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "walk/corridor-short" in answer.stdout


def test_1_when_a_trial_failed(rlbench_command: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FAILING)
    answer = rlbench_command(
        "run", "walk/corridor-short", "mine.py:Failing", "--tier", "smoke", "--seeds", "0"
    )
    assert answer.returncode == 1
    assert "ValueError: no luck" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("error", [CorruptError, StorageError])
def test_1_when_a_file_is_corrupt_or_the_disk_is_full(
    call: Any, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    monkeypatch.setattr(Registry, "load", raiser(error("the file: why")))
    answer = call("list")
    assert (answer.code, answer.out, answer.err) == (1, "", "rlbench: the file: why\n")


def test_2_when_the_request_makes_no_sense(rlbench_command: Any) -> None:
    answer = rlbench_command("run", "walk/coridor-short", "chance")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("rlbench: no task matches 'walk/coridor-short'; did you mean")
    assert len(answer.stderr.splitlines()) == 1


def test_3_when_data_are_missing_with_the_path_and_variable_that_fix_it(
    rlbench_command: Any, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    answer = rlbench_command(
        "run", "ood/mnist-fashion", "msp", "--tier", "smoke", env={"RLBENCH_DATA": str(empty)}
    )
    assert answer.returncode == 3
    assert f"put mnist_test/t10k-images-idx3-ubyte.gz under {empty}" in answer.stderr
    assert "RLBENCH_DATA" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_3_when_a_suite_lacks_a_library_with_the_command_that_installs_it(
    call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rlbench_walk.suite import WalkSuite

    monkeypatch.setattr(WalkSuite, "modules", ("numpy", "no_such_library"))
    answer = call("run", "walk/corridor-short", "chance", "--tier", "smoke")
    assert answer.code == 3
    assert "suite 'walk' needs no_such_library: pip install \"rlbench-walk\"" in answer.err


def test_4_when_rlbench_itself_is_at_fault(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Registry, "load", raiser(RuntimeError("a bug")))
    answer = call("list")
    assert answer.code == 4
    assert "internal error: RuntimeError: a bug" in answer.err
    assert "RLBENCH_DEBUG=1" in answer.err
    assert "Traceback" not in answer.err


def test_the_traceback_is_there_for_who_asks(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLBENCH_DEBUG", "1")
    monkeypatch.setattr(Registry, "load", raiser(RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        call("list")


def test_130_when_interrupted_and_the_same_command_goes_on(
    rlbench_command: Any, tmp_path: Path
) -> None:
    words = ["run", "walk/corridor-short", "chance", "--tier", "smoke", "--jobs", "1"]
    program = subprocess.Popen(
        [sys.executable, "-m", "rlbench", *words],
        cwd=tmp_path,
        env={**os.environ, "RLBENCH_WALK_PAUSE": "0.1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    started = time.monotonic()
    while not list(tmp_path.glob("results/local/.work/*")) and time.monotonic() - started < 60:
        time.sleep(0.05)
    program.send_signal(signal.SIGINT)
    _, told = program.communicate(timeout=60)
    assert program.returncode == 130
    assert "the same command goes on" in told
    assert len(list(tmp_path.rglob("seed-[01].json"))) < 2
    assert rlbench_command(*words).returncode == 0
    assert len(list(tmp_path.rglob("seed-[01].json"))) == 2


def test_a_reader_that_leaves_early_is_no_failure(rlbench_command: Any, tmp_path: Path) -> None:
    """`rlbench list --json | head -1` under `set -o pipefail`."""
    read, write = os.pipe()
    os.close(read)
    answer = subprocess.run(
        [sys.executable, "-m", "rlbench", "list", "--json"],
        cwd=tmp_path,
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(write)
    assert (answer.returncode, answer.stderr) == (0, "")


def raiser(error: Exception) -> Any:
    def fail() -> None:
        raise error

    return fail
