"""n slots dealt out to worker processes, which write what they show into shared memory.

A worker is a fresh Python (`python -m rlbench.suites.skillhack.worker`), whatever the process that
asks for it has imported or locked. A byte down its standard input is an order, a byte back says
that it is carried out. When this process is gone, however it went, the worker reads the end of its
input and leaves too; when a worker is gone, this process reads the end of its answers and says what
the worker's log says.

NetHack loses about two kilobytes with every game that it begins: its windows are never freed. A
worker that has begun many is therefore replaced by a new one, which plays the open episodes again;
nobody notices.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from itertools import pairwise
from typing import IO, Any, Self

import numpy as np
import numpy.typing as npt

from rlbench.core.errors import RlbenchError
from rlbench.suites.skillhack.compile import level_data
from rlbench.suites.skillhack.interface import Observation, Step
from rlbench.suites.skillhack.seeding import Purpose
from rlbench.suites.skillhack.settings import TaskSettings
from rlbench.suites.skillhack.slots import layout
from rlbench.suites.skillhack.vector import Shared

BEGIN, STEP, REPLAY, DONE = b"b", b"s", b"r", b"."
RENEW_AFTER = 10_000
"""Games after which a worker is replaced, when it has grown by some 20 MB of its 100."""
_BEGUN_BY_RESET = 2
"""Games that a slot begins when it is reset: the one to be played and the next."""
_ALIGN = 64
_LOG_LINES = 20


def shared_size(n: int, max_steps: int) -> int:
    """Bytes that the arrays of `slots.layout` take."""
    return sum(_room(shape, kind) for shape, kind in layout(n, max_steps).values())


def shared_arrays(memory: mmap.mmap, n: int, max_steps: int) -> Mapping[str, npt.NDArray[Any]]:
    """The arrays of `slots.layout`, one after another in `memory`."""
    arrays, at = {}, 0
    for name, (shape, kind) in layout(n, max_steps).items():
        count = math.prod(shape)
        arrays[name] = np.frombuffer(memory, kind, count, at).reshape(shape)
        at += _room(shape, kind)
    return arrays


def _room(shape: tuple[int, ...], kind: Any) -> int:
    taken = math.prod(shape) * int(np.dtype(kind).itemsize)
    return -(-taken // _ALIGN) * _ALIGN


class Worker:
    """One process with some of the slots, as its owner sees it."""

    def __init__(self, config: Mapping[str, Any], memory: int) -> None:
        """`config` is what `worker.main` reads; `memory` the file descriptor of the arrays."""
        self.config = config
        self.slots = slice(config["first"], config["first"] + config["count"])
        self._slots = f"slots {config['first']} to {config['first'] + config['count'] - 1}"
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed in close)
        command = [sys.executable, "-m", "rlbench.suites.skillhack.worker", json.dumps(config)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            bufsize=0,
            pass_fds=(memory,),
        )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def order(self, what: bytes) -> None:
        """Send an order.

        Raises:
            RlbenchError: the worker is gone.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(what)
        except BrokenPipeError:
            raise self._gone() from None

    def wait(self) -> None:
        """Until the order is carried out.

        Raises:
            RlbenchError: the worker is gone; the text ends with its log.
        """
        assert self._process.stdout is not None
        if self._process.stdout.read(1) != DONE:
            raise self._gone()

    def close(self) -> None:
        """Let the process end, and see that it does."""
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _gone(self) -> RlbenchError:
        status = self._process.wait()
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        self._log.seek(0)
        log = self._log.read().decode(errors="replace").strip().splitlines()[-_LOG_LINES:]
        return RlbenchError(
            f"the NetHack worker of {self._slots} (process {self.pid}) {how}; its log ends:"
            f" {' | '.join(log) or 'nothing'}"
        )


class WorkerEnvironments(Shared):
    """The slots of a task, played by worker processes."""

    def __init__(
        self, settings: TaskSettings, *, purpose: Purpose, seed: int, n: int, workers: int
    ) -> None:
        """See `vector.make_vector`."""
        data = level_data(settings)
        self._memory = os.memfd_create("rlbench-slots")
        os.ftruncate(self._memory, shared_size(n, settings.max_steps))
        shared = mmap.mmap(self._memory, 0)
        super().__init__(shared_arrays(shared, n, settings.max_steps))
        config = {
            "settings": asdict(settings),
            "data": None if data is None else os.fspath(data),
            "purpose": purpose,
            "seed": seed,
            "n": n,
            "memory": self._memory,
        }
        bounds = [n * i // workers for i in range(workers + 1)]
        self.workers = [
            Worker({**config, "first": low, "count": high - low}, self._memory)
            for low, high in pairwise(bounds)
        ]
        self._begun = np.zeros(workers, np.int64)

    def reset(self) -> Observation:
        """See `Environments.reset`."""
        self._ledger.begin()
        self._buffers["episodes"][:] = 0
        self._all(BEGIN)
        self._renew(np.full(self.n, _BEGUN_BY_RESET))
        return self._observation

    def step(self, actions: npt.NDArray[Any]) -> Step:
        """See `Environments.step`."""
        self._ledger.take(actions)
        self._all(STEP)
        self._ledger.settle()
        self._renew(self._buffers["cause"] != 0)
        return self._outcome

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> Observation:
        """See `Environments.restore`."""
        self._ledger.restore(state)
        self._all(REPLAY)
        return self._observation

    def close(self) -> None:
        """See `Environments.close`."""
        for worker in self.workers:
            worker.close()
        if self.workers:
            os.close(self._memory)
        self.workers = []

    def _renew(self, begun: npt.NDArray[Any]) -> None:
        """Replace the workers that have begun too many games; `begun` counts the latest, [n]."""
        self._begun += [int(begun[worker.slots].sum()) for worker in self.workers]
        for i in (self._begun >= RENEW_AFTER).nonzero()[0].tolist():
            self.workers[i].close()
            self.workers[i] = Worker(self.workers[i].config, self._memory)
            self.workers[i].order(REPLAY)
            self.workers[i].wait()
            self._begun[i] = 0

    def _all(self, what: bytes) -> None:
        for worker in self.workers:
            worker.order(what)
        for worker in self.workers:
            worker.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
