"""The local engine: batches of trials in worker processes, on as many slots as there are jobs.

All state lies in files and in this loop. A worker that dies costs the trial in its hands: the rest
of its batch is queued again, and the trial itself is retried when it crashed (up to twice) or ran
out of memory (once, alone); other failures are final until the next `run`.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rlbench.core.hardware import gpus, thread_environment
from rlbench.core.store import FAILURE_SCHEMA, Failure, Store
from rlbench.runner.batches import Batch
from rlbench.runner.plan import Item
from rlbench.runner.worker import tail

MAX_CRASH_RETRIES = 2
GRACE_S = 5.0
POLL_S = 0.2
DAY_S = 86_400.0


class Watcher(Protocol):
    """Who is told what happens; see `progress`."""

    def started(self, item: Item) -> None:
        """A trial begins."""

    def logged(self, item: Item, row: dict[str, float]) -> None:
        """A running trial reports a point of its curve."""

    def finished(self, item: Item, seconds: float, value: float | None) -> None:
        """A trial left its record."""

    def existed(self, item: Item) -> None:
        """Another program had finished it first."""

    def failed(self, item: Item, kind: str, error: str, again: bool) -> None:
        """A trial failed; `again` when it will be retried."""

    def stopping(self) -> None:
        """Ctrl-C: nothing new starts."""

    def tick(self) -> None:
        """Time passes."""


@dataclass(frozen=True)
class Settings:
    """How to run, as far as it cannot change a result."""

    results: Path
    jobs: int
    device: str = "cpu"
    threads: int = 1
    time_limit: float | None = None


@dataclass
class Worker:
    """A running worker process."""

    process: subprocess.Popen[bytes]
    batch: Batch
    slot: int
    log: Path
    left: set[int]
    """Indices of the trials of which no outcome is known."""
    current: int | None = None
    started: float = 0.0
    partial: bytes = b""
    """The beginning of an event that is still on its way."""
    terminated: float | None = None
    """When it was asked to end for running over time."""

    def signal_group(self, number: int) -> None:
        """Send a signal to the worker and everything that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


@dataclass
class Tally:
    """How the sweep ended."""

    finished: int = 0
    existed: int = 0
    failures: list[tuple[Item, str, str]] = field(default_factory=list)
    """Item, kind, error."""
    interrupted: bool = False


class Engine:
    """One sweep on this machine."""

    def __init__(self, settings: Settings, watcher: Watcher) -> None:
        """Nothing starts before `run`."""
        self.settings = settings
        self.watcher = watcher
        self.store = Store(settings.results)
        self.tally = Tally()
        self._queue: list[Batch] = []
        self._workers: list[Worker] = []
        self._attempts: dict[str, int] = {}
        self._selector = selectors.DefaultSelector()
        self._signals = 0
        self._halted = False

    def run(self, batches: Sequence[Batch]) -> Tally:
        """Run all batches; returns when nothing is left, or when interrupted and quiet."""
        self._queue = list(batches)
        with self._interruptible():
            while self._workers or (self._queue and not self._halted):
                self._launch()
                self._hear()
                self._end_overdue()
                self.watcher.tick()
        return self.tally

    # -- starting and stopping ----------------------------------------------------------------

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Ctrl-C once: let running trials finish; twice: end them now. Workers never outlive us."""
        previous: Any = None
        with contextlib.suppress(ValueError):  # not in the main thread: the caller handles signals
            previous = signal.signal(signal.SIGINT, lambda *_: self._interrupt())
        try:
            yield
        finally:
            for worker in self._workers:
                worker.signal_group(signal.SIGKILL)
                worker.process.wait()
            if previous is not None:
                signal.signal(signal.SIGINT, previous)

    def _interrupt(self) -> None:
        self._signals += 1
        self.tally.interrupted = True
        self._halt()
        if self._signals == 1:
            self.watcher.stopping()
        else:
            for worker in self._workers:
                worker.signal_group(signal.SIGKILL)

    def _halt(self) -> None:
        """Start nothing more."""
        self._halted = True
        for worker in self._workers:
            with contextlib.suppress(OSError, ValueError):
                if worker.process.stdin is not None:
                    worker.process.stdin.write(b"stop\n")
                    worker.process.stdin.flush()

    def _launch(self) -> None:
        while self._queue and not self._halted and len(self._workers) < self.settings.jobs:
            alone = self._queue[0].alone or any(worker.batch.alone for worker in self._workers)
            if alone and self._workers:
                return
            taken = {worker.slot for worker in self._workers}
            slot = next(number for number in range(self.settings.jobs) if number not in taken)
            self._start(self._queue.pop(0), slot)

    def _work_folder(self) -> Path:
        """Where logs of running workers lie; those that killed programs left a day ago go."""
        folder = self.settings.results / ".work"
        folder.mkdir(parents=True, exist_ok=True)
        for log in folder.glob("worker-*.log"):
            if time.time() - log.stat().st_mtime > DAY_S:
                log.unlink(missing_ok=True)
        return folder

    def _start(self, batch: Batch, slot: int) -> None:
        folder = self._work_folder()
        handle, name = tempfile.mkstemp(prefix=f"worker-{os.getpid()}-", suffix=".log", dir=folder)
        process = subprocess.Popen(
            [sys.executable, "-m", "rlbench.runner.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=handle,
            env=self._environment(slot),
            start_new_session=True,
        )
        os.close(handle)
        worker = Worker(process, batch, slot, Path(name), set(range(len(batch.items))))
        self._workers.append(worker)
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a worker without pipes")
        self._selector.register(process.stdout, selectors.EVENT_READ, worker)
        with contextlib.suppress(BrokenPipeError):  # it died at once: heard of as its end
            process.stdin.write(json.dumps(self._job(worker)).encode() + b"\n")
            process.stdin.flush()

    def _job(self, worker: Worker) -> dict[str, Any]:
        return {
            "suite": worker.batch.items[0].trial.task.suite,
            "results": str(self.settings.results.absolute()),
            "log": str(worker.log),
            "device": self.settings.device,
            "threads": self.settings.threads,
            "time_limit": self.settings.time_limit,
            "trials": [_wanted(item) for item in worker.batch.items],
        }

    def _environment(self, slot: int) -> dict[str, str]:
        own = {
            "PYTHONHASHSEED": "0",
            "PYTHONUNBUFFERED": "1",
            "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
            **thread_environment(self.settings.threads),
        }
        if self.settings.device == "cuda":
            visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
            names = visible.split(",") if visible else [str(i) for i in range(len(gpus()))]
            own["CUDA_VISIBLE_DEVICES"] = names[slot % len(names)]
        return {**os.environ, **own}

    # -- listening ----------------------------------------------------------------------------

    def _hear(self) -> None:
        for key, _ in self._selector.select(POLL_S):
            worker: Worker = key.data
            data = os.read(key.fd, 1 << 16)
            *lines, worker.partial = (worker.partial + data).split(b"\n")
            for line in lines:
                self._event(worker, json.loads(line))
            if not data:
                self._ended(worker)

    def _event(self, worker: Worker, event: dict[str, Any]) -> None:
        if event["index"] is None:
            return
        index, item = event["index"], worker.batch.items[event["index"]]
        match event["event"]:
            case "start":
                worker.current, worker.started = index, time.monotonic()
                self.watcher.started(item)
            case "log":
                self.watcher.logged(item, event["row"])
            case "done":
                self.tally.finished += 1
                self._settle(worker, index)
                self.watcher.finished(item, event["seconds"], event["value"])
            case "exists":
                self.tally.existed += 1
                self._settle(worker, index)
                self.watcher.existed(item)
            case "failed":
                self._settle(worker, index)
                self._failed(item, event["kind"], event["error"], event["log"])

    @staticmethod
    def _settle(worker: Worker, index: int) -> None:
        worker.left.discard(index)
        worker.current = None

    def _ended(self, worker: Worker) -> None:
        """A worker closed its pipe: collect it, and queue again what it did not get to."""
        if worker.process.stdout is not None:
            self._selector.unregister(worker.process.stdout)
        worker.signal_group(signal.SIGKILL)  # whatever it may have started
        code = worker.process.wait()
        self._workers.remove(worker)
        killed = self._signals > 1
        current = worker.current
        if current is None and worker.left and not self._halted:
            current = min(worker.left) if code != 0 else None  # died between two trials
        if current is not None and not killed:
            worker.left.discard(current)
            kind, error = self._cause(worker, code)
            self._failed(worker.batch.items[current], kind, error, tail(worker.log))
        if worker.left and not self._halted:
            rest = [worker.batch.items[index] for index in sorted(worker.left)]
            self._queue.insert(0, Batch(rest))
        worker.log.unlink(missing_ok=True)
        for stream in (worker.process.stdin, worker.process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def _cause(self, worker: Worker, code: int) -> tuple[str, str]:
        if worker.terminated is not None:
            return "timeout", f"ran over the time limit of {self.settings.time_limit:g} s"
        if code < 0:
            return "crash", f"the worker was ended by {signal.Signals(-code).name}"
        return "crash", f"the worker ended with exit status {code}"

    def _failed(self, item: Item, kind: str, error: str, log: list[str]) -> None:
        identity = item.trial.identity
        attempts = self._attempts[identity] = self._attempts.get(identity, 0) + 1
        crashed_again = kind == "crash" and attempts <= MAX_CRASH_RETRIES
        again = not self._halted and (crashed_again or (kind == "out-of-memory" and attempts == 1))
        if again:
            # A killed worker may have been out of memory: only the last retry can tell, alone.
            alone = kind == "out-of-memory" or attempts == MAX_CRASH_RETRIES
            self._queue.append(Batch([item], alone=alone))
        else:
            self.tally.failures.append((item, kind, error))
            failure = Failure(
                FAILURE_SCHEMA, identity, item.trial.label, kind, error, attempts, log
            )
            with (
                contextlib.suppress(Exception) if kind == "disk-full" else contextlib.nullcontext()
            ):
                self.store.write_failure(item.trial, failure)
        self.watcher.failed(item, kind, error, again)
        if kind == "disk-full":
            self._halt()

    def _end_overdue(self) -> None:
        limit, now = self.settings.time_limit, time.monotonic()
        for worker in self._workers:
            if limit is None or worker.current is None:
                continue
            if worker.terminated is None and now - worker.started > limit:
                worker.terminated = now
                worker.signal_group(signal.SIGTERM)
            elif worker.terminated is not None and now - worker.terminated > GRACE_S:
                worker.signal_group(signal.SIGKILL)


def _wanted(item: Item) -> dict[str, Any]:
    trial = item.trial
    return {
        "task": trial.task.id,
        "baseline": trial.baseline.algorithm if trial.baseline.own else trial.baseline.id,
        "overrides": dict(trial.overrides),
        "tier": trial.base_tier,
        "seed": trial.seed,
        "identity": trial.identity,
        "replace": item.state in ("stale", "broken"),
    }
