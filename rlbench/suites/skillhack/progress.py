"""Training to the end, and the curve that is noted down on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rlbench.core.checkpoint import Checkpoint, Pace
from rlbench.suites.skillhack.learners.interface import Arrays
from rlbench.suites.skillhack.train import Counts, Cycle, Trainer

Log = Callable[..., None]
"""`Context.log`, or something that takes the same."""
Load = Callable[[], Checkpoint | None]
Save = Callable[[Arrays, Any], None]

POINTS = 100
"""Points of the curve."""


class Diary:
    """Averages of training since the last point of the curve."""

    def __init__(self, updates: int) -> None:
        """`updates` is how many there will be."""
        self._every = max(updates // POINTS, 1)
        self._sums = np.zeros(4)
        """Episodes, and sums of their successes, returns and lengths."""

    def note(self, cycle: Cycle, counts: Counts, log: Log, *, last: bool) -> None:
        """After each rollout; `last` when there will be no other."""
        episodes = cycle.returns
        self._sums += [
            len(episodes), cycle.success.sum(), episodes.sum(), cycle.lengths.sum(),
        ]  # fmt: skip
        if counts.learner_updates % self._every and not last:
            return
        values = dict(cycle.told)
        n, success, returned, length = self._sums
        if n:
            values |= {"success": success / n, "return": returned / n, "length": length / n}
        log(counts.env_steps, updates=counts.learner_updates, episodes=n, **values)
        self._sums = np.zeros(4)

    def state(self) -> Arrays:
        """For a checkpoint."""
        return {"diary:sums": self._sums.copy()}

    def restore(self, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Put back what `state` gave."""
        self._sums = np.array(arrays["diary:sums"])


def train(trainer: Trainer, load: Load, save: Save, log: Log) -> None:
    """Train to the end, from the checkpoint if there is one; `load` and `save` are its."""
    diary, pace = Diary(trainer.updates), Pace()
    saved = load()
    if saved is not None:
        trainer.restore(saved.arrays)
        diary.restore(saved.arrays)
    while not trainer.over:
        diary.note(trainer.cycle(), trainer.counts, log, last=trainer.over)
        if not trainer.over:
            pace.save(lambda: save(trainer.state() | diary.state(), {}))
