"""Programs that are killed in the middle of a trial: nothing is lost, nothing is left behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from bench import Bench

from rlbench.core.store import Store

OFTEN = """
from rlbench.core import checkpoint
from rlbench.suites.skillhack.learners.ppo import Ppo

checkpoint.SAVE_EVERY = checkpoint.SAVE_COST = 0.0


class Often(Ppo):
    def __init__(self):
        super().__init__(unroll=16)
"""
"""PPO with short rollouts and a checkpoint after each, so that there is much to interrupt."""


def new_bench(folder: Path) -> Bench:
    """A bench whose processes have a temporary folder of their own."""
    (folder / "temporary").mkdir()
    (folder / "often.py").write_text(OFTEN)
    own = {"RLBENCH_CACHE": str(folder / "cache"), "TMPDIR": str(folder / "temporary")}
    return Bench(folder, {**os.environ, **own})


def start(bench: Bench, baseline: str) -> subprocess.Popen[str]:
    return bench.program("run", "skillhack/eat", baseline, "--tier", "smoke", "--seeds", "0")


def finish(bench: Bench, baseline: str) -> dict[str, bytes]:
    """What a run leaves that nobody kills."""
    program = start(bench, baseline)
    _, errors = program.communicate(timeout=120)
    assert program.returncode == 0, errors
    return bench.contents()


def processes(bench: Bench) -> list[psutil.Process]:
    """All that were started for this bench and are alive."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == bench.environment["TMPDIR"]:
                found.append(process)
        except psutil.Error:
            continue
    return found


def folders(bench: Bench) -> list[Path]:
    """Temporary folders of games."""
    return [
        path
        for path in Path(bench.environment["TMPDIR"]).glob("rlbench-nethack-*/*")
        if path.is_dir()
    ]


def checkpoints(bench: Bench) -> list[Path]:
    return list((bench.results / ".work").glob("*.npz"))


def wait_for(condition: Callable[[], object], program: subprocess.Popen[str] | None = None) -> None:
    """Until it holds, or the program is done."""
    until = time.monotonic() + 60
    while not condition() and (program is None or program.poll() is None):
        assert time.monotonic() < until
        time.sleep(0.01)


def kill_some_time(bench: Bench, baseline: str, chance: random.Random, *, worker: bool) -> None:
    """Start the program; kill it, or its worker first, while the trial runs."""
    program = start(bench, baseline)
    wait_for(chance.choice([checkpoints, folders, Bench.workers]).__get__(bench), program)
    time.sleep(chance.uniform(0, 0.5))
    if worker:
        for process in bench.workers():
            process.send_signal(signal.SIGKILL)
        time.sleep(chance.uniform(0, 0.2))
    program.kill()
    program.communicate()
    wait_for(lambda: not processes(bench))


def check_kills(quiet: Path, killed: Path, baseline: str, kills: int) -> None:
    whole = finish(new_bench(quiet), baseline)
    bench, chance = new_bench(killed), random.Random(kills)
    for kill in range(kills):
        kill_some_time(bench, baseline, chance, worker=kill % 2 == 1)
    again = finish(bench, baseline)

    assert again == whole
    assert [s.record.baseline for s in Store(bench.results).records()]
    assert not processes(bench)
    assert not folders(bench)
    assert not checkpoints(bench)


def test_a_program_killed_three_times_ends_with_the_same_result(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    quiet, killed = tmp_path_factory.mktemp("quiet"), tmp_path_factory.mktemp("killed")

    check_kills(quiet, killed, "often.py:Often", 3)


@pytest.mark.long
@pytest.mark.parametrize("baseline", ["ppo", "often.py:Often"])
def test_twenty_kills_lose_nothing_and_leave_nothing(
    baseline: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    quiet, killed = tmp_path_factory.mktemp("quiet"), tmp_path_factory.mktemp("killed")

    check_kills(quiet, killed, baseline, 20)


def test_a_killed_trial_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    bench = new_bench(tmp_path)
    program = start(bench, "often.py:Often")
    wait_for(lambda: checkpoints(bench))
    program.kill()
    program.communicate()
    wait_for(lambda: not processes(bench))
    finish(bench, "often.py:Often")
    [stored] = Store(bench.results).records()

    assert stored.record.volatile["resumed"] is True
    assert not folders(bench)
