"""Kill it anywhere: nothing finished is lost, nothing half-written is read, nothing left over."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from bench import PLUGIN, Bench, contents

from rlbench.core.store import Store

SWEEP = ("run", "walk/*", "q-learning,chance", "--tier", "small", "--jobs", "2")


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the sweep leaves when nobody interferes."""
    folder = tmp_path_factory.mktemp("quiet")
    own = {"RLBENCH_CACHE": str(folder / "cache"), "PYTHONPATH": str(PLUGIN)}
    quiet = Bench(folder, {**os.environ, **own})
    program = quiet.program(*SWEEP)
    program.communicate(timeout=120)
    assert program.returncode == 0
    return contents(quiet.results)


def test_a_killed_trial_goes_on_from_its_checkpoint_with_the_same_evidence(
    bench: Bench, undisturbed: dict[str, bytes]
) -> None:
    words = ("run", "walk/corridor-long", "q-learning", "--tier", "small", "--seeds", "3")
    program = bench.program(*words, RLBENCH_WALK_PAUSE="0.05")
    wait_for(lambda: list((bench.results / ".work").glob("*.npz")))
    time.sleep(0.3)
    program.kill()
    program.communicate()
    wait_for(lambda: not bench.workers())
    summary = bench.run("walk/corridor-long", "q-learning", tier="small", seeds=[3])
    [record] = [stored.record for stored in Store(bench.results).records()]

    assert summary.ran == 1
    assert record.volatile["resumed"] is True
    for name, data in bench.contents().items():
        assert data == undisturbed[name]
    assert not list((bench.results / ".work").glob("*.npz"))


@pytest.mark.slow
def test_thirty_kills_at_random_moments_lose_nothing(
    bench: Bench, undisturbed: dict[str, bytes]
) -> None:
    chance = random.Random(30)
    seen: dict[str, bytes] = {}
    for kill in range(30):
        program = bench.program(*SWEEP, RLBENCH_WALK_PAUSE="0.01")
        time.sleep(chance.uniform(0.2, 1.2))
        if kill % 2:
            program.kill()
        elif workers := bench.workers():
            chance.choice(workers).send_signal(signal.SIGKILL)
            time.sleep(0.2)
            program.kill()
        program.communicate()
        wait_for(lambda: not bench.workers())
        now = bench.contents()
        for stored in Store(bench.results).records():
            assert stored.record.evidence.sha256  # every record that can be seen is whole
        assert all(now[name] == data for name, data in seen.items() if name.endswith(".json"))
        seen = {name: data for name, data in now.items() if name.endswith(".json")}
        seen = {name: data for name, data in seen.items() if "failed" not in name}
    program = bench.program(*SWEEP)
    _, errors = program.communicate(timeout=120)

    assert program.returncode == 0, errors
    assert bench.contents() == undisturbed
    assert bench.workers() == []
    assert not list(bench.results.rglob("*.tmp"))


def test_when_the_program_is_killed_its_workers_go_too(bench: Bench) -> None:
    program = bench.program(*SWEEP, RLBENCH_WALK_PAUSE="1")
    wait_for(lambda: len(bench.workers()) == 2)
    program.kill()
    program.communicate()

    wait_for(lambda: not bench.workers(), 5)


def test_ctrl_c_once_lets_running_trials_finish(bench: Bench) -> None:
    program = bench.program(*SWEEP, RLBENCH_WALK_PAUSE="0.05")
    wait_for(lambda: len(list((bench.results / ".work").glob("*.npz"))) == 2)
    program.send_signal(signal.SIGINT)
    _, errors = program.communicate(timeout=60)

    assert program.returncode == 130
    assert "interrupted" in errors
    assert "2 ran" in errors
    assert len(list(Store(bench.results).records())) == 2


def test_ctrl_c_twice_ends_at_once(bench: Bench) -> None:
    program = bench.program(*SWEEP, RLBENCH_WALK_PAUSE="5")
    wait_for(lambda: len(list((bench.results / ".work").glob("*.npz"))) == 2)
    program.send_signal(signal.SIGINT)
    time.sleep(0.3)
    program.send_signal(signal.SIGINT)
    program.communicate(timeout=4)

    assert program.returncode == 130
    wait_for(lambda: not bench.workers(), 5)


def test_two_programs_on_one_folder_share_the_work(
    bench: Bench, undisturbed: dict[str, bytes]
) -> None:
    import json

    programs = [bench.program(*SWEEP, "--json", RLBENCH_WALK_PAUSE="0.01") for _ in range(2)]
    answers = [json.loads(program.communicate(timeout=120)[0]) for program in programs]

    assert sum(answer["ran"] for answer in answers) == 20
    assert all(answer["ran"] + answer["done"] == 20 for answer in answers)
    assert [program.returncode for program in programs] == [0, 0]
    assert bench.contents() == undisturbed


FULL_DISK = """
import errno, os
link = os.link
def full(source, target, **options):
    if str(target).endswith(".json") and len(os.listdir(os.path.dirname(target))) > 6:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
    return link(source, target, **options)
os.link = full
"""


def test_a_full_disk_is_one_clear_line_and_loses_nothing(
    bench: Bench, undisturbed: dict[str, bytes]
) -> None:
    patch = bench.folder / "patch"
    patch.mkdir()
    (patch / "sitecustomize.py").write_text(FULL_DISK)
    path = f"{patch}{os.pathsep}{PLUGIN}"
    program = bench.program(*SWEEP, PYTHONPATH=path)
    _, errors = program.communicate(timeout=120)
    kept = [name for name in bench.contents() if name.endswith(".json") and "failed" not in name]
    again = bench.program(*SWEEP)
    again.communicate(timeout=120)

    assert program.returncode == 1
    assert "disk-full" in errors
    assert "No space left on device" in errors
    assert "Traceback" not in errors
    assert 0 < len(kept) < 20
    assert again.returncode == 0
    assert bench.contents() == undisturbed


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="mounts a small tmpfs")
def test_a_really_full_file_system_ends_with_code_1(bench: Bench) -> None:
    bench.results.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(bench.results)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not let us mount a tmpfs")
    try:
        program = bench.program(*SWEEP)
        _, errors = program.communicate(timeout=120)
        records = list(Store(bench.results).records())
    finally:
        subprocess.run(["umount", str(bench.results)], check=True)

    assert program.returncode == 1
    assert "No space left on device" in errors
    assert "internal error" not in errors
    assert len(records) < 20


def test_a_changed_line_in_the_suite_makes_records_stale_and_assets_new(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = bench.folder / "plugin"
    shutil.copytree(PLUGIN, copy)
    words = ("run", "walk/corridor-short", "q-learning", "--tier", "smoke")
    first = bench.program(*words, PYTHONPATH=str(copy))
    first.communicate(timeout=60)
    assets = set(Path(bench.environment["RLBENCH_CACHE"]).glob("assets/*/*/asset.json"))
    agents = copy / "rlbench_walk" / "agents.py"
    agents.write_text(agents.read_text().replace("0.99", "0.98"))
    second = bench.program(*words, PYTHONPATH=str(copy))
    told = second.communicate(timeout=60)[1]
    third = bench.program(*words, "--stale", PYTHONPATH=str(copy))
    replaced = third.communicate(timeout=60)[1]
    newer = set(Path(bench.environment["RLBENCH_CACHE"]).glob("assets/*/*/asset.json"))

    assert first.returncode == 0
    assert "2 trials have a stale record (the source of suite walk changed)" in told
    assert "0 ran" in told
    assert "2 ran" in replaced
    assert len(assets) == 2
    assert len(newer - assets) == 2


def test_no_worker_outlives_a_test_run(bench: Bench) -> None:
    bench.run("walk/*", "chance")

    assert bench.workers() == []
    assert not [p for p in psutil.Process().children(recursive=True) if "worker" in p.name()]
