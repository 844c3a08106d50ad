"""What a person sees while a sweep runs: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import time
from typing import TextIO

from rlbench.runner.plan import Item

PLAIN_EVERY_S = 10.0
LIVE_EVERY_S = 0.2


class Progress:
    """Counts, estimates and prints; implements `local.Watcher`."""

    def __init__(self, items: list[Item], jobs: int, stream: TextIO) -> None:
        """`items` are those to be run; `stream` is where a person reads."""
        self._stream = stream
        self._live = stream.isatty()
        self._jobs = jobs
        self._total = len(items)
        self._ended = 0
        self._expected = sum(item.expected_seconds for item in items)
        self._spent = 0.0
        self._running: dict[str, tuple[Item, float, str]] = {}
        self._started = time.monotonic()
        self._shown = 0.0

    def started(self, item: Item) -> None:
        """A trial begins."""
        self._running[item.trial.identity] = (item, time.monotonic(), "")

    def logged(self, item: Item, row: dict[str, float]) -> None:
        """A running trial reports a point of its curve."""
        _, since, _ = self._running[item.trial.identity]
        values = " ".join(f"{name} {value:.4g}" for name, value in row.items())
        self._running[item.trial.identity] = (item, since, values)

    def finished(self, item: Item, seconds: float, value: float | None) -> None:
        """A trial left its record."""
        self._end(item)

    def existed(self, item: Item) -> None:
        """Another program had finished it first."""
        self._end(item)

    def failed(self, item: Item, kind: str, error: str, again: bool) -> None:
        """A trial failed; said at once, above the live line."""
        tail = "; it will be tried again" if again else ""
        self._line(f"{kind}: {item.trial.label}: {error}{tail}")
        if again:
            self._running.pop(item.trial.identity, None)
        else:
            self._end(item)

    def stopping(self) -> None:
        """Ctrl-C: nothing new starts."""
        self._line("stopping: running trials finish first; Ctrl-C again ends them now")

    def tick(self) -> None:
        """Redraw when it is time."""
        now = time.monotonic()
        if now - self._shown < (LIVE_EVERY_S if self._live else PLAIN_EVERY_S):
            return
        self._shown = now
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write("\r\x1b[K" + self.status()[:width])
        else:
            self._stream.write(self.status() + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Leave the terminal clean."""
        if self._live:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def status(self) -> str:
        """The line: a bar, counts, time left, and what runs."""
        filled = round(20 * self._ended / self._total) if self._total else 20
        bar = "█" * filled + "·" * (20 - filled)
        now = time.monotonic()
        running = "; ".join(
            f"{item.trial.task.name} {item.trial.cell.row} s{item.trial.seed}"
            f" {now - since:.0f}s {values}".rstrip()
            for item, since, values in self._running.values()
        )
        return f"{bar} {self._ended}/{self._total} · {self._left()} · {running or 'starting'}"

    def _left(self) -> str:
        passed = time.monotonic() - self._started
        if self._ended == 0 or self._spent == 0:
            return f"about {duration(self._expected / self._jobs)} in all"
        share = min(1.0, self._spent / self._expected)
        return f"{duration(passed / share - passed)} left"

    def _end(self, item: Item) -> None:
        self._running.pop(item.trial.identity, None)
        self._ended += 1
        self._spent += item.expected_seconds

    def _line(self, text: str) -> None:
        self._stream.write(("\r\x1b[K" if self._live else "") + text + "\n")
        self._stream.flush()


class Silence:
    """A watcher that says nothing."""

    def started(self, item: Item) -> None:
        """Ignored."""

    def logged(self, item: Item, row: dict[str, float]) -> None:
        """Ignored."""

    def finished(self, item: Item, seconds: float, value: float | None) -> None:
        """Ignored."""

    def existed(self, item: Item) -> None:
        """Ignored."""

    def failed(self, item: Item, kind: str, error: str, again: bool) -> None:
        """Ignored."""

    def stopping(self) -> None:
        """Ignored."""

    def tick(self) -> None:
        """Ignored."""

    def close(self) -> None:
        """Ignored."""


def duration(seconds: float) -> str:
    """Seconds in a reader's words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
