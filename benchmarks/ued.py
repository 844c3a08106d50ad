"""Speed of the whole training loop of suite `ued` beside minimax (JAX), as ratios in one run.

32 environments of 256 steps, five epochs, the student of 432,924 parameters, both sides on the
CPU and on all of its cores unless `--threads` says otherwise. minimax runs in an environment of
its own; its compile time (its first two cycles) is not counted, its tracking of environment
metrics is off. From the root of the checkout:

    python -m venv minimax-env
    minimax-env/bin/pip install minimax-lib==0.2.0 jax==0.4.31 jaxlib==0.4.31 flax==0.8.5 \
        optax==0.2.3 chex==0.1.86 "orbax-checkpoint<0.7" scipy==1.12.0
    python benchmarks/ued.py                                      # ours alone, two minutes
    python benchmarks/ued.py --minimax minimax-env/bin/python     # both, less than ten minutes
    python benchmarks/ued.py dr --seeds 8 --device cuda           # one and eight at once, on a GPU

Figures are environment steps that a method counts (those of the first student, without edits that
are only scored) per second: per wall second, and per CPU second, which a busy machine disturbs
less. Replay methods learn from some rollouts only, by chance; each kind of cycle is timed by
itself and weighed with its probability, the same on both sides. `paired-dense` computes the
product of the teacher's 21,692 inputs anew for every map, as minimax does; `paired` computes what
an edit changes. The arithmetic floor is the time of a learning rollout's matrix products alone,
at the rate of a large product measured here. With `--seeds` as many seeds train at once, in
lockstep; their steps are added up.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import psutil
import torch
from torch import Tensor
from torch.utils.mkldnn import to_mkldnn

from rlbench.core.hardware import settle
from rlbench.core.heap import keep_freed_memory
from rlbench.learn.recurrent import pack
from rlbench.suites.ued.curricula.designed import Designed
from rlbench.suites.ued.curricula.randomised import DomainRandomisation
from rlbench.suites.ued.curricula.replay import Replay
from rlbench.suites.ued.generate import scattered
from rlbench.suites.ued.incremental import Views
from rlbench.suites.ued.interface import Curriculum, World
from rlbench.suites.ued.lockstep import Lockstep
from rlbench.suites.ued.maze import Maze
from rlbench.suites.ued.rollout import play
from rlbench.suites.ued.teacher import Teacher, TeacherLearner
from rlbench.suites.ued.train import STREAMS, Trainer, Training

N, T = 32, 256
WARM_UP = 2
"""Cycles that are not counted, on both sides."""
Kind = Literal["learn", "explore", "edit"]
"""A cycle that the student learns from, one on new levels that it does not learn from, one in
which edited levels are scored."""


class DenseTeacher(Teacher):
    """Every product in full."""

    def prepare(self, image: Tensor) -> Views:
        """See `Teacher.prepare`; every patch of every map."""
        return super().prepare(image)._replace(patch=self._patches(image.flatten(0, 1)))

    def products(self, views: Views) -> Tensor:
        """See `Teacher.products`."""
        return self._multiplied(views.patch).view(-1, views.levels, self.map_weight.shape[2])

    def follow(self, product: Tensor, before: Tensor, image: Tensor) -> Tensor:
        """See `Teacher.follow`."""
        return self._multiplied(self._patches(image))

    def _patches(self, image: Tensor) -> Tensor:
        """[m, 3, height + 2, width + 2] to [m, tiles, 27]."""
        return image.flatten(2)[:, :, self.canvases.cells].permute(0, 2, 3, 1).flatten(2)

    def _multiplied(self, patch: Tensor) -> Tensor:
        seen = torch.relu(self.convolution(patch))
        return seen.flatten(1) @ self.map_weight.flatten(0, 1)


class DenselyDesigned(Designed):
    """PAIRED with that teacher."""

    def begin(self, world: World) -> None:
        """See `Curriculum.begin`."""
        super().begin(world)
        teacher = DenseTeacher(self.editor)
        teacher.load_state_dict(self.learner.teacher.state_dict())
        self.learner = TeacherLearner(teacher, self.settings)


class Method(NamedTuple):
    """One curriculum on both sides."""

    make: Callable[[], Curriculum]
    config: str
    """Of minimax."""
    replay: float = 1.0
    """The probability of a cycle to learn from."""
    least: int = 1
    """Learning cycles that are timed at least; a dear method's figure needs few."""
    warm_up: int = WARM_UP
    """Cycles of ours that are not counted; the first one pays for fresh memory, so at least 1."""


METHODS = {
    "dr": Method(DomainRandomisation, "dr", least=6),
    "plr": Method(partial(Replay, min_fill=0.01), "plr", replay=0.5, least=6),
    "accel": Method(
        partial(Replay, min_fill=0.01, replay=0.8, staleness=0.5, edits=20, base="empty"),
        "accel",
        replay=0.8,
        least=6,
    ),
    "paired": Method(Designed, "paired", least=2),
    "paired-dense": Method(DenselyDesigned, "paired", warm_up=1),
}


@dataclass
class Pace:
    """Seconds of each kind of cycle: wall and CPU."""

    first_update: float = 0.0
    """Wall seconds until the first update was done, compile time included."""
    times: dict[Kind, list[tuple[float, float]]] = field(default_factory=dict)

    def note(self, kind: Kind, wall: float, cpu: float) -> None:
        """A cycle was timed."""
        self.times.setdefault(kind, []).append((wall, cpu))

    def rate(self, replay: float, clock: int) -> float:
        """Counted steps per second of a clock (0 wall, 1 CPU)."""
        mean = {
            kind: sum(row[clock] for row in rows) / len(rows) for kind, rows in self.times.items()
        }
        learning = mean["learn"] + mean.get("edit", 0.0)
        return N * T / (replay * learning + (1 - replay) * mean.get("explore", 0.0))


@contextmanager
def stopwatch() -> Iterator[list[float]]:
    """Holds wall and CPU seconds when it is left; what a GPU still has to do is waited for."""
    wall, cpu = time.perf_counter(), time.process_time()
    held: list[float] = []
    yield held
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
    held += [time.perf_counter() - wall, time.process_time() - cpu]


def trainer_of(method: Method, device: torch.device, seed: int = 0) -> Trainer:
    """Our training loop, at its beginning."""
    return Trainer(
        method.make(),
        Training(),
        Maze(13, 13, device=device),
        partial(scattered, n_walls=60),
        {stream: seed * len(STREAMS) + i for i, stream in enumerate(STREAMS)},
        updates=10**6,
        environments=N,
        steps=T,
    )


def ours(method: Method, device: torch.device) -> Pace:
    """Cycles of our training loop."""
    began, pace = time.perf_counter(), Pace()
    trainer, after_learning, cycles = trainer_of(method, device), False, 0
    kinds: set[Kind] = {"learn"} if method.replay == 1 else {"learn", "explore"}
    while len(pace.times.get("learn", [])) < method.least or not kinds <= set(pace.times):
        with stopwatch() as held:
            learnt = trainer.cycle().loss is not None
        edits = after_learning and not learnt and bool(getattr(trainer.curriculum, "edits", 0))
        kind: Kind = "learn" if learnt else "edit" if edits else "explore"
        cycles, after_learning = cycles + 1, learnt
        if learnt and not pace.first_update:
            pace.first_update = time.perf_counter() - began
        if cycles > method.warm_up:
            pace.note(kind, *held)
    return pace


def at_once(method: Method, device: torch.device, seeds: int) -> float:
    """Steps per wall second of all seeds together, every one of which learns in every cycle."""
    runs = Lockstep([trainer_of(method, device, seed) for seed in range(seeds)])
    spans = []
    for _ in range(method.warm_up + method.least):
        with stopwatch() as held:
            runs.cycle()
        spans.append(held[0])
    return seeds * N * T * method.least / sum(spans[method.warm_up :])


def minimax(python: str, method: Method, device: torch.device) -> Pace:
    """Minimax's own script on its own configuration, its log watched from outside."""
    environment = {**os.environ, "JAX_PLATFORMS": device.type}
    with tempfile.TemporaryDirectory() as folder:
        words = _minimax_words(python, method, folder)
        began, clock = time.perf_counter(), time.time()
        with Path(folder, "output").open("w+") as output:
            process = subprocess.Popen(
                [python, "-m", "minimax.train", *words],
                stdout=output, stderr=subprocess.STDOUT, env=environment,
            )  # fmt: skip
            log, cpu = Path(folder, "t", "logs.csv"), [0.0]
            watched = psutil.Process(process.pid)
            while process.poll() is None:
                used, done = watched.cpu_times(), len(_rows(log))
                cpu += [used.user + used.system] * (done + 1 - len(cpu))
                time.sleep(0.02)
            if process.returncode:
                output.seek(0)
                raise SystemExit(f"minimax: {output.read()[-2000:]}")
        rows = _rows(log)
    cpu += [cpu[-1]] * (len(rows) + 1 - len(cpu))
    times = [began, *(began + float(row["_time"]) - clock for row in rows)]
    updates = [0.0, *(float(row.get("n_updates") or i + 1) for i, row in enumerate(rows))]
    pace = Pace()
    for i in range(1, len(rows) + 1):
        learnt = method.replay == 1 or updates[i] > updates[i - 1]
        if learnt and not pace.first_update:
            pace.first_update = times[i] - began
        if i > WARM_UP:
            kind: Kind = "learn" if learnt else "explore"
            pace.note(kind, times[i] - times[i - 1], cpu[i] - cpu[i - 1])
    return pace


def _minimax_words(python: str, method: Method, folder: str) -> list[str]:
    """The arguments of its script."""
    made = subprocess.run(
        [python, "-m", "minimax.config.make_cmd", "--config", f"maze/{method.config}"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    own: dict[str, Any] = {
        "n_total_updates": WARM_UP + method.least, "log_interval": 1, "test_interval": 0,
        "checkpoint_interval": 0, "track_env_metrics": False, "log_dir": folder, "xpid": "t",
    }  # fmt: skip
    if method.replay < 1:
        own["plr_min_fill_ratio"] = 0.01
    if method.config == "paired":  # its default of 10 does not finish compiling
        own |= dict.fromkeys(
            ("n_unroll_rollout", "student_n_unroll_update", "teacher_n_unroll_update"), 1
        )
    words = [word for word in made.replace("\\", " ").split() if word.startswith("--")]
    words = [word for word in words if word[2:].partition("=")[0] not in own]
    return words + [f"--{key}={value}" for key, value in own.items()]


def _rows(path: Path) -> list[dict[str, Any]]:
    """What is complete of a log that may be being written."""
    if not path.exists():
        return []
    whole = path.read_text().rpartition("\n")[0]
    return list(csv.DictReader(whole.splitlines()))


def product_rate() -> float:
    """Multiplications and additions per second of a large product, by the faster library."""
    a, dense = torch.randn(2048, 1024), torch.nn.Linear(1024, 1024)
    other, weight = to_mkldnn(dense), dense.weight.detach()  # type: ignore[no-untyped-call]
    packed, best = a.to_mkldnn(), float("inf")
    with torch.no_grad():
        for product in (lambda: a @ weight, lambda: other(packed)):
            for _ in range(20):
                with stopwatch() as held:
                    product()
                best = min(best, held[0])
    return 2 * 2048 * 1024 * 1024 / best


def parts() -> None:
    """Print where a cycle of domain randomisation goes on the CPU, and its arithmetic floor."""
    rate = product_rate()
    per_step = 2 * (9 * 27 * 16 + (149 + 256) * 1024 + 2 * 256 * 32)
    lstm = 2 * (149 + 256) * 1024 * 3 * 5 * N * T
    least = N * T * (1 + 5 * 3) * per_step / rate
    trainer = trainer_of(METHODS["dr"], torch.device("cpu"))
    trainer.cycle()
    learner = trainer.learners[0]
    spans: dict[str, list[float]] = {}
    levels = trainer.propose().levels
    with stopwatch() as spans["rollout"]:
        rollout = play(
            learner.student,
            trainer.maze,
            levels,
            environments=N,
            steps=T,
            rng=trainer.rngs["actions"],
            renew=True,
        )
    with stopwatch() as spans["update"]:
        learner.update(rollout, learner.advantage(rollout))
    packing = pack(rollout.done)
    x = torch.randn(len(packing.index), 149, requires_grad=True)
    memory: Any = learner.module.memory
    with stopwatch() as spans["of which the LSTM"]:
        for _ in range(5):
            memory(x, packing).sum().backward()
    seconds = spans["rollout"][0] + spans["update"][0]
    print(f"large product {rate / 1e9:.0f} GFLOP/s; floor of a learning rollout {least:.2f} s,")
    print(f"{N * T / least:,.0f} steps/s; measured {seconds:.2f} s, {least / seconds:.0%} of it:")
    for name, held in spans.items():
        print(f"  {name:20} {held[0]:6.2f} s")
    print(f"  the LSTM's rate      {lstm / spans['of which the LSTM'][0] / 1e9:6.0f} GFLOP/s")


def main() -> None:
    """Print the parts of a cycle, then one line per method."""
    parser = argparse.ArgumentParser(description="Training speed of suite ued beside minimax.")
    parser.add_argument("methods", nargs="*", choices=[*METHODS, "all"], default="all")
    parser.add_argument("--minimax", help="the Python of minimax's environment")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--seeds", type=int, help="also train so many at once; for dr and paired")
    args = parser.parse_args()
    device = torch.device(args.device)
    settle(("torch",), ("benchmark",), args.threads)
    keep_freed_memory()
    if args.device == "cpu":
        parts()
    print(
        "\nsteps/s per wall second and per CPU second, and seconds until the first update is done"
    )
    print(f"{'':14}{'ours':>21}{'':9}{'minimax':>19}{'':9}{'ratio':>14}")
    known: dict[str, Pace] = {}
    for name in METHODS if "all" in args.methods else args.methods:
        method = METHODS[name]
        mine = ours(method, device)
        rates = [mine.rate(method.replay, clock) for clock in (0, 1)]
        line = f"{name:14}{rates[0]:10,.0f} {rates[1]:10,.0f} {mine.first_update:7.1f}"
        if args.minimax:
            if method.config not in known:
                known[method.config] = minimax(args.minimax, METHODS[method.config], device)
            peer = known[method.config]
            theirs = [peer.rate(method.replay, clock) for clock in (0, 1)]
            line += f" {theirs[0]:9,.0f} {theirs[1]:9,.0f} {peer.first_update:7.1f}"
            line += f" {rates[0] / theirs[0]:6.1f}x {rates[1] / theirs[1]:6.1f}x"
        print(line, flush=True)
        if args.seeds:
            rate = at_once(method, device, args.seeds)
            print(f"{f'{args.seeds} seeds at once':14}{rate:10,.0f}", flush=True)


if __name__ == "__main__":
    main()
