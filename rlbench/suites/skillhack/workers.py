"""Worker processes that play slots and write what they show into shared memory.

A worker is a fresh Python (`python -m rlbench.suites.skillhack.worker`), whatever the process that
asks for it has imported or locked. A byte down its standard input is an order, a byte back says
that it is carried out. When this process is gone, however it went, the worker reads the end of its
input and leaves too; when a worker is gone, this process reads the end of its answers and says what
the worker's log says.
"""

from __future__ import annotations

import json
import math
import mmap
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from rlbench.core.errors import RlbenchError
from rlbench.suites.skillhack.slots import layout

DONE = b"."
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
        """Send an order that `Slots.carry_out` knows.

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
