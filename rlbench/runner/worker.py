"""The worker process: runs a batch of trials one after another and tells its parent about each.

Standard input carries one line of JSON, the job; then `stop` when no further trial should start;
its end means that the parent is gone, and the worker goes too. Standard output carries one JSON
event a line; whatever trials print goes to the job's log file.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from filelock import BaseFileLock, Timeout

from rlbench.core.algorithm import is_own, own_baseline
from rlbench.core.assets import AssetStore, cache_folder
from rlbench.core.data import DataStore
from rlbench.core.errors import MissingError, RlbenchError, UsageError
from rlbench.core.registry import Registry
from rlbench.core.source import suite_source
from rlbench.core.store import Store
from rlbench.core.trial import Trial
from rlbench.runner.execute import Bench, execute
from rlbench.runner.plan import build_trial, look_up

LOG_LINES = 40
LOG_EVERY_S = 1.0
LOCK_POLL_S = 0.5
GROWTH = 2**30
"""Bytes by which a worker may grow after its first trial; then another takes the rest of its batch.
What trials run in this process may leak (NetHack does, with every level)."""


class Parent:
    """The line to the parent process."""

    def __init__(self) -> None:
        """Keep standard output for events; from here on prints go where errors go, to the log."""
        self.stopping = False
        self._events = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()
        os.dup2(2, 1)

    def listen(self, stream: TextIO) -> None:
        """Hear of `stop`; when the parent is gone, end the whole process group at once."""
        for line in stream:
            self.stopping = self.stopping or line.strip() == "stop"
        os.killpg(os.getpgid(0), signal.SIGKILL)

    def tell(self, event: str, index: int | None = None, **more: Any) -> None:
        """Send one event."""
        with self._lock:
            self._events.write(json.dumps({"event": event, "index": index, **more}) + "\n")


def empty(path: Path) -> None:
    """Forget what earlier trials printed."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.truncate(path, 0)


def tail(path: Path) -> list[str]:
    """The last lines of a log file; none when it is absent."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - 64 * 1024))
            return stream.read().decode("utf-8", "replace").splitlines()[-LOG_LINES:]
    except FileNotFoundError:
        return []


def failure_kind(error: BaseException) -> str:
    """The word for a failure: error, out-of-memory, disk-full or missing."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, MemoryError) or "OutOfMemoryError" in names:
        return "out-of-memory"
    causes = (error, error.__cause__, error.__context__)
    if any(isinstance(item, OSError) and item.errno == errno.ENOSPC for item in causes):
        return "disk-full"
    return "missing" if isinstance(error, MissingError) else "error"


def resident() -> int:
    """Bytes of memory that this process holds now; 0 where /proc does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except FileNotFoundError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _acquire(lock: BaseFileLock, seconds: float) -> bool:
    try:
        lock.acquire(timeout=seconds)
    except Timeout:
        return False
    return True


class Batch:
    """The trials of one job."""

    def __init__(self, job: dict[str, Any], parent: Parent) -> None:
        self.job, self.parent = job, parent
        self.log = Path(job["log"])
        self._first: int | None = None
        """Bytes held after the first trial."""
        self.registry = Registry.load()
        self.suite = self.registry.suite(job["suite"])
        source = suite_source(self.registry.suite_module(job["suite"]))
        self.bench = Bench(
            store=Store(Path(job["results"])),
            assets=AssetStore(cache_folder(), source),
            data=DataStore(self.registry.data),
            source=source,
            device=job["device"],
            threads=job["threads"],
        )

    def run(self) -> None:
        """Run all trials; those that another program holds come last and are waited for."""
        waiting: list[int] = []
        for index in self._indices(list(range(len(self.job["trials"])))):
            if not self._take(index, wait=False):
                waiting.append(index)
        for index in self._indices(waiting):
            self._take(index, wait=True)
        self.parent.tell("end")

    def _indices(self, indices: list[int]) -> Iterator[int]:
        """Those that may still begin here; the parent queues again what is left."""
        for index in indices:
            if self.parent.stopping or self._grown():
                return
            yield index

    def _grown(self) -> bool:
        return self._first is not None and resident() - self._first > GROWTH

    def _take(self, index: int, *, wait: bool) -> bool:
        """Run a trial under its lock; False when another program holds it."""
        try:
            trial = self._trial(index)
            lock = self.bench.store.lock(trial)
            while not _acquire(lock, LOCK_POLL_S if wait else 0):
                if not wait or self.parent.stopping:
                    return False
            try:
                self._run_locked(index, trial)
            finally:
                lock.release()
        except Exception as error:
            self._failed(index, error)
        return True

    def _trial(self, index: int) -> Trial:
        wanted = self.job["trials"][index]
        task, word = self.registry.tasks[wanted["task"]], wanted["baseline"]
        if is_own(word):
            baseline = own_baseline(word, task.suite, wanted["overrides"])
        else:
            baseline = self.registry.baselines[word]
        trial = build_trial(
            self.registry,
            task,
            baseline,
            tier=wanted["tier"],
            seed=wanted["seed"],
            overrides=wanted["overrides"],
        )
        if trial.identity != wanted["identity"]:
            raise UsageError(f"{trial.label}: a spec changed while the sweep was running")
        return trial

    def _run_locked(self, index: int, trial: Trial) -> None:
        wanted = self.job["trials"][index]
        state, _ = look_up(self.bench.store, trial, self.bench.source)
        if state == "done":
            self.parent.tell("exists", index)
            return
        self.bench.store.clear_leftovers(trial)
        empty(self.log)
        self.parent.tell("start", index)
        limit = self.job["time_limit"]
        last = 0.0

        def on_log(row: dict[str, float]) -> None:
            nonlocal last
            if time.monotonic() - last >= LOG_EVERY_S:
                last = time.monotonic()
                self.parent.tell("log", index, row=row)

        record = execute(
            self.bench,
            self.suite,
            trial,
            replace=wanted["replace"],
            deadline=None if limit is None else time.monotonic() + limit,
            on_log=on_log,
        )
        if self._first is None:
            self._first = resident()
        value = record.metrics[record.primary.name]
        self.parent.tell("done", index, seconds=record.volatile["wall_s"], value=value)

    def _failed(self, index: int, error: Exception) -> None:
        if not isinstance(error, RlbenchError):
            traceback.print_exception(error)
        sys.stdout.flush()
        sys.stderr.flush()
        first = (str(error).splitlines() or [""])[0]
        line = first if isinstance(error, RlbenchError) else f"{type(error).__name__}: {first}"
        self.parent.tell("failed", index, kind=failure_kind(error), error=line, log=tail(self.log))


def main() -> None:
    """Entry point of `python -m rlbench.runner.worker`."""
    parent = Parent()
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=parent.listen, args=(sys.stdin,), daemon=True).start()
    Batch(job, parent).run()
    os._exit(0)  # do not wait for threads or atexit hooks of whatever the trials imported


if __name__ == "__main__":
    main()
