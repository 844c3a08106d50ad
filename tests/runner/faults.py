"""Agents for the walk suite that go wrong in one way each; tests name them by path."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np


class Steady:
    """Walks right; the base of the others."""

    steps = 0

    def begin(self, cells: int) -> None:
        self.q = np.zeros((cells, 2))

    def act(self, cell: int, rng: np.random.Generator, *, explore: bool) -> int:
        return 1

    def learn(self, cell: int, action: int, reward: float, after: int, over: bool) -> None:
        """Nothing to learn."""


class Crash(Steady):
    """Dies by SIGKILL each time."""

    def begin(self, cells: int) -> None:
        print("about to crash", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


class CrashOnce(Steady):
    """Dies the first time that it runs, as a marker file tells."""

    def __init__(self, marker: str) -> None:
        self.marker = Path(marker)

    def begin(self, cells: int) -> None:
        if not self.marker.exists():
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        super().begin(cells)


class Error(Steady):
    """Raises an ordinary exception."""

    def begin(self, cells: int) -> None:
        print("a line in the log")
        raise KeyError("no such thing")


class OutOfMemory(Steady):
    """Asks for more memory than there is."""

    def begin(self, cells: int) -> None:
        raise MemoryError("cannot allocate")


class Leak(Steady):
    """Never gives back 600 MiB, and leaves the number of its process behind."""

    held: ClassVar[list[np.ndarray[Any, Any]]] = []

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def begin(self, cells: int) -> None:
        self.held.append(np.ones(600 * 2**20, np.uint8))
        with (self.folder / "processes").open("a", encoding="ascii") as stream:
            stream.write(f"{os.getpid()}\n")
        super().begin(cells)


class Hang(Steady):
    """Never ends, and ignores a polite request to."""

    def begin(self, cells: int) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)


class Slow(Steady):
    """Takes two seconds."""

    def begin(self, cells: int) -> None:
        time.sleep(2.0)
        super().begin(cells)


class NotANumber(Steady):
    """Logs NaN through the suite by way of its reward."""

    def act(self, cell: int, rng: np.random.Generator, *, explore: bool) -> int:
        raise FloatingPointError("the policy's logits are NaN")


class Polluter(Steady):
    """Leaves global state behind."""

    def begin(self, cells: int) -> None:
        import random

        random.seed(7)
        np.random.seed(7)  # noqa: NPY002
        np.seterr(all="ignore")
        super().begin(cells)


class GlobalChance(Steady):
    """Draws from numpy's global generator, as careless user code does."""

    def act(self, cell: int, rng: np.random.Generator, *, explore: bool) -> int:
        return int(np.random.rand() < 0.7)  # noqa: NPY002
