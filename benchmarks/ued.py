"""Speed of the whole training loop of suite `ued` beside minimax (JAX), as ratios in one run.

32 environments of 256 steps, five epochs, the student of 432,924 parameters, both sides on the
CPU. minimax runs in an environment of its own; its compile time, its first two updates and its
tracking of environment metrics are not counted. From the root of the checkout:

    python -m venv minimax-env
    minimax-env/bin/pip install minimax-lib==0.2.0 jax==0.4.31 jaxlib==0.4.31 flax==0.8.5 \
        optax==0.2.3 chex==0.1.86 "orbax-checkpoint<0.7" scipy==1.12.0
    python benchmarks/ued.py                                      # ours alone, two minutes
    python benchmarks/ued.py --minimax minimax-env/bin/python dr plr accel paired

Figures are environment steps that the method counts (those of the first student, without edits
that are only scored) per second: per wall second with `--threads` torch threads, and per CPU
second, which a busy machine disturbs less. The arithmetic floor is the time of a learning
rollout's matrix products alone, at the rate of a large product measured here.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from rlbench.suites.ued.curricula.designed import Designed
from rlbench.suites.ued.curricula.randomised import DomainRandomisation
from rlbench.suites.ued.curricula.replay import Replay
from rlbench.suites.ued.generate import scattered
from rlbench.suites.ued.interface import Curriculum
from rlbench.suites.ued.maze import Maze
from rlbench.suites.ued.train import STREAMS, Trainer, Training

N, T = 32, 256
METHODS: dict[str, Callable[[], Curriculum]] = {
    "dr": DomainRandomisation,
    "plr": partial(Replay, min_fill=0.01),
    "accel": partial(Replay, min_fill=0.01, replay=0.8, staleness=0.5, edits=20, base="empty"),
    "paired": Designed,
}


@dataclass
class Pace:
    """Environment steps and what they took."""

    steps: int
    wall: float
    cpu: float

    def __str__(self) -> str:
        """Steps per wall second and per CPU second."""
        return f"{self.steps / self.wall:9,.0f} /s {self.steps / self.cpu:9,.0f} /CPU s"


def ours(name: str, rollouts: int, threads: int) -> Pace:
    """Rollouts of our training loop; one is made before the clock starts."""
    torch.set_num_threads(threads)
    trainer = Trainer(
        METHODS[name](),
        Training(),
        Maze(13, 13),
        partial(scattered, n_walls=60),
        {stream: i for i, stream in enumerate(STREAMS)},
        updates=10**6,
        environments=N,
        steps=T,
    )
    trainer.cycle()
    counted, wall, cpu = 0, time.perf_counter(), time.process_time()
    for _ in range(rollouts):
        replayed = trainer.cycle()
        edited = name == "accel" and replayed.proposal.trained is not None and replayed.loss is None
        counted += 0 if edited and bool(replayed.proposal.levels.walls.any()) else N * T
    return Pace(counted, time.perf_counter() - wall, time.process_time() - cpu)


def minimax(python: str, name: str, updates: int) -> Pace:
    """Minimax's own script on its own configuration.

    Wall time is its own log's. CPU time is the difference of a long run and a short one, which
    compile the same.
    """
    short, _ = _minimax_run(python, name, 2)
    long, rows = _minimax_run(python, name, 2 + updates)
    rows = rows[2:]
    return Pace(N * T * len(rows), sum(N * T / float(row["sps"]) for row in rows), long - short)


def _minimax_run(python: str, name: str, updates: int) -> tuple[float, list[dict[str, Any]]]:
    """Its CPU seconds and the rows of its log."""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run(
            [python, "-m", "minimax.config.make_cmd", "--config", f"maze/{name}"],
            capture_output=True, text=True, check=True, env=environment,
        ).stdout  # fmt: skip
        own: dict[str, Any] = {
            "n_total_updates": updates, "log_interval": 1, "test_interval": 0,
            "checkpoint_interval": 0, "track_env_metrics": False, "log_dir": folder, "xpid": "t",
        }  # fmt: skip
        if name in ("plr", "accel"):
            own["plr_min_fill_ratio"] = 0.01
        if name == "paired":  # its default of 10 does not finish compiling
            own |= dict.fromkeys(
                ("n_unroll_rollout", "student_n_unroll_update", "teacher_n_unroll_update"), 1
            )
        words = [word for word in made.replace("\\", " ").split() if word.startswith("--")]
        words = [word for word in words if word[2:].partition("=")[0] not in own]
        words += [f"--{key}={value}" for key, value in own.items()]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [python, "-m", "minimax.train", *words],
            check=True, capture_output=True, env=environment,
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        rows = _rows(next(Path(folder).rglob("logs.csv")))
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, rows


def _rows(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def floor(threads: int) -> float:
    """CPU seconds of the matrix products of one learning rollout: forward, then five epochs."""
    torch.set_num_threads(threads)
    a, b = torch.randn(2048, 1024), torch.randn(1024, 1024)
    best = float("inf")
    for _ in range(20):
        began = time.process_time()
        a @ b
        best = min(best, time.process_time() - began)
    rate = 2 * 2048 * 1024 * 1024 / best
    per_step = 2 * (9 * 27 * 16 + (149 + 256) * 1024 + 2 * 256 * 32)
    return N * T * (1 + 5 * 3) * per_step / rate


def main() -> None:
    """Print one line per method."""
    parser = argparse.ArgumentParser(description="Training speed of suite ued beside minimax.")
    parser.add_argument("methods", nargs="*", choices=[*METHODS], default=list(METHODS))
    parser.add_argument("--minimax", help="the Python of minimax's environment")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rollouts", type=int, default=8)
    args = parser.parse_args()
    seconds = floor(args.threads)
    print(f"floor of one learning rollout: {seconds:.2f} CPU s, {N * T / seconds:,.0f} steps/s")
    for name in args.methods:
        mine = ours(name, args.rollouts, args.threads)
        line = f"{name:8} ours {mine}"
        if args.minimax:
            peer = minimax(args.minimax, name, args.rollouts)
            wall = mine.steps / mine.wall / (peer.steps / peer.wall)
            cpu = mine.steps / mine.cpu / (peer.steps / peer.cpu)
            line += f"   minimax {peer}   ratio {wall:.1f} by wall time, {cpu:.1f} by CPU time"
        print(line, flush=True)


if __name__ == "__main__":
    main()
