"""Worker processes that die, owners that die, and what they leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from nethack_levels import play_hash, settings_of

from rlbench.core.errors import RlbenchError
from rlbench.suites.skillhack import vector
from rlbench.suites.skillhack.folders import clear_forsaken
from rlbench.suites.skillhack.vector import VectorEnvironments
from rlbench.suites.skillhack.workers import Worker

OWNER = """
import sys, time
import numpy as np
from nethack_levels import settings_of
from rlbench.suites.skillhack.vector import make_vector
workers = int(sys.argv[1])
with make_vector(settings_of("fight"), purpose="train", seed=0, n=2, workers=workers) as env:
    env.reset()
    env.step(np.zeros(2, np.int64))
    print(*(player.pid for player in env.players if workers), flush=True)
    time.sleep(60)
"""


def two_workers() -> VectorEnvironments:
    return VectorEnvironments(settings_of("fight"), purpose="train", seed=0, n=3, workers=2)


def pids_of(env: VectorEnvironments) -> list[int]:
    return [player.pid for player in env.players if isinstance(player, Worker)]


def owner(folder: Path, workers: int) -> tuple[subprocess.Popen[str], list[int]]:
    """A process with environments in a temporary folder of its own, and its workers."""
    support = Path(__file__).parents[2] / "support"
    env = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(support)}
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(workers)], stdout=subprocess.PIPE, text=True, env=env
    )
    assert process.stdout is not None
    return process, [int(word) for word in process.stdout.readline().split()]


def wait_until_gone(pids: list[int]) -> bool:
    for _ in range(200):
        if not any(psutil.pid_exists(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def folders_in(folder: Path) -> list[Path]:
    return [path for path in folder.glob("rlbench-nethack-*/*") if path.is_dir()]


def test_a_killed_worker_is_noticed_and_named() -> None:
    with two_workers() as env:
        env.reset()
        os.kill(pids_of(env)[1], signal.SIGKILL)

        with pytest.raises(RlbenchError, match=r"worker of slots 1 to 2 .*killed by signal 9"):
            env.step(np.zeros(3, np.int64))


def test_a_worker_that_fails_is_reported_with_the_end_of_its_log() -> None:
    settings = settings_of("fight")
    object.__setattr__(settings, "solvable", ("reach-stairs",))
    with (
        VectorEnvironments(settings, purpose="train", seed=0, n=1, workers=1) as env,
        pytest.raises(RlbenchError, match=r"ended with status 1.*none of 1000 levels passes"),
    ):
        env.reset()


@pytest.mark.parametrize("n_workers", [0, 2])
def test_players_are_replaced_before_they_grow_too_big_and_nobody_notices(
    monkeypatch: pytest.MonkeyPatch, n_workers: int
) -> None:
    with two_workers() as env:
        told = play_hash(env, 400)
    monkeypatch.setattr(vector, "RENEW_AFTER", 2)
    with VectorEnvironments(
        settings_of("fight"), purpose="train", seed=0, n=3, workers=n_workers
    ) as env:
        before = pids_of(env)
        again = play_hash(env, 400)
        after = pids_of(env)

    assert told == again
    assert len(after) == max(n_workers, 1)
    assert not set(before) & set(after)


def test_resetting_tires_a_worker_as_playing_does(monkeypatch: pytest.MonkeyPatch) -> None:
    with two_workers() as env:
        told = [array.copy() for array in env.reset()]
    monkeypatch.setattr(vector, "RENEW_AFTER", 6)
    with two_workers() as env:
        before = pids_of(env)
        for _ in range(3):
            again = env.reset()
        after = pids_of(env)

    for one, other in zip(told, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not set(before) & set(after)


@pytest.mark.long
@pytest.mark.parametrize("n_workers", [0, 2])
def test_memory_is_steady_over_100_000_resets(n_workers: int) -> None:
    def taken_now() -> float:
        mine = [os.getpid(), *pids_of(env)]
        return float(sum(psutil.Process(pid).memory_info().rss for pid in mine))

    n, taken = 16, []
    with VectorEnvironments(
        settings_of("eat"), purpose="train", seed=0, n=n, workers=n_workers
    ) as env:
        for _ in range(100_000 // n + 1):
            env.reset()
            taken.append(taken_now() / 2**20)

    quarter = len(taken) // 4
    most = [max(taken[i * quarter :][:quarter]) for i in range(4)]
    assert most[-1] < most[0] * 1.05, f"MiB, the most in each quarter: {most}"


def test_closing_ends_all_workers() -> None:
    with two_workers() as env:
        env.reset()
        pids = pids_of(env)

    assert wait_until_gone(pids)


def test_workers_leave_when_their_owner_is_killed(tmp_path: Path) -> None:
    process, pids = owner(tmp_path, 2)
    process.kill()
    process.communicate()

    assert len(pids) == 2
    assert wait_until_gone(pids)
    assert all(not path.name.startswith(str(pid)) for pid in pids for path in folders_in(tmp_path))


def test_folders_of_killed_processes_are_cleared_and_those_of_living_ones_kept(
    tmp_path: Path,
) -> None:
    killed, _ = owner(tmp_path, 0)
    killed.kill()
    killed.communicate()
    assert len(folders_in(tmp_path)) == 1

    living, _ = owner(tmp_path, 0)  # its start clears
    left = folders_in(tmp_path)
    clear_forsaken(left[0].parent)
    assert [path.name.split("-")[0] for path in folders_in(tmp_path)] == [str(living.pid)]

    living.terminate()
    living.communicate()
    clear_forsaken(left[0].parent)
    assert not folders_in(tmp_path)
