"""Workers are dealt out over GPUs; shown with a stand-in for the driver's tool, without a GPU."""

from __future__ import annotations

import os

import pytest
from bench import Bench

from rlbench.core.hardware import gpus
from rlbench.core.store import Store

AGENT = """
import os
from pathlib import Path
from rlbench_walk.agents import Chance
class Tell(Chance):
    def __init__(self, folder: str) -> None:
        super().__init__(steps=0)
        name = f"{os.environ['CUDA_VISIBLE_DEVICES']}-{os.getpid()}"
        Path(folder, name).touch()
"""


@pytest.mark.parametrize(("visible", "expected"), [("", {"0", "1"}), ("5,7", {"5", "7"})])
def test_each_worker_sees_one_gpu_and_all_gpus_are_used(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, visible: str, expected: set[str]
) -> None:
    tools, told = bench.folder / "tools", bench.folder / "told"
    tools.mkdir()
    told.mkdir()
    tool = tools / "nvidia-smi"
    # Asked for one id it names one GPU, else both, as the driver's tool does.
    tool.write_text('#!/bin/sh\necho "GPU A"\ncase "$*" in *--id=?) ;; *) echo "GPU B" ;; esac\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    (bench.folder / "agent.py").write_text(AGENT)
    gpus.cache_clear()
    try:
        summary = bench.run(
            "walk/corridor-short", "agent.py:Tell", seeds=range(8), jobs=4, device="cuda",
            overrides={"folder": str(told)},
        )  # fmt: skip
    finally:
        gpus.cache_clear()
    seen = {path.name.partition("-")[0] for path in told.iterdir()}
    records = [stored.record for stored in Store(bench.results).records()]

    assert summary.ran == 8
    assert seen == expected
    assert {(r.environment.device, r.environment.gpu) for r in records} == {("cuda", "GPU A")}
