"""What training leaves: its curve, which levels were chosen when, what it cost, the hardest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from rlbench.suites.ued.levels import Levels, join
from rlbench.suites.ued.metrics import COUNTS
from rlbench.suites.ued.solver import UNREACHABLE, shortest_moves

if TYPE_CHECKING:
    from rlbench.suites.ued.train import Cycle, Trainer

Arrays = dict[str, np.ndarray[Any, Any]]
Log = Callable[..., None]
"""`Context.log`, or something that takes the same."""

POINTS = 100
"""Points of the curve."""
SNAPSHOTS = 12
SHOWN = 8
"""Levels in a snapshot."""
GALLERY = 16
"""Levels in the gallery of the hardest."""


class Diary:
    """Averages since the last point, and snapshots of the levels that were learnt from."""

    def __init__(self, updates: int = 0) -> None:
        """`updates` is how many there will be; 0 when nobody trains."""
        self._every = max(updates // POINTS, 1)
        self._snapshot_every = max(updates // SNAPSHOTS, 1)
        self._sums = np.zeros(3)
        """Finished episodes, solved ones, sum of returns; of levels that were learnt from."""
        self._last = -1
        self._steps: list[int] = []
        self._levels: list[Levels] = []

    def note(self, cycle: Cycle, trainer: Trainer, log: Log) -> None:
        """After each rollout."""
        if cycle.loss is None:
            return
        chosen = cycle.proposal.trained
        rollout = cycle.play.rollout
        done, reward = rollout.done, rollout.reward
        if chosen is not None:
            done, reward = done[:, chosen], reward[:, chosen]
        numbers = torch.stack([done.sum(), (reward > 0).sum(), reward.sum()])
        self._sums += numbers.cpu().numpy()
        now = trainer.counts.student_updates
        levels = cycle.proposal.levels[: done.shape[1]]
        if chosen is not None:
            levels = cycle.proposal.levels[chosen]
        if now % self._every == 0 or trainer.over:
            self._point(now, cycle, levels, trainer, log)
        if now % self._snapshot_every == 0 or now == 1:
            self._steps.append(now)
            self._levels.append(levels[:SHOWN].to("cpu"))

    def _point(self, now: int, cycle: Cycle, levels: Levels, trainer: Trainer, log: Log) -> None:
        episodes, solved, returned = self._sums
        moves = shortest_moves(levels)
        reachable = moves != UNREACHABLE
        share = float(reachable.float().mean())
        values = {
            "env_steps": float(trainer.counts.student_steps),
            "walls": float(levels.walls.flatten(1).sum(1).float().mean()),
            "solvable": share,
        }
        if share:
            values["path"] = float(moves[reachable].float().mean())
        if episodes:
            values |= {"solved": solved / episodes, "return": returned / episodes}
        if cycle.loss is not None:
            names = ("policy", "value", "entropy", "kl")
            values |= {name: float(getattr(cycle.loss, name)) for name in names}
        log(now, **values)
        self._sums = np.zeros(3)

    def evidence(self) -> Arrays:
        """The snapshots: `seen_update` int64 [s] and the levels, 8 of each, one after another."""
        if not self._levels:
            return {}
        return {"seen_update": np.array(self._steps), **level_arrays(join(self._levels), "seen")}

    def state(self) -> Arrays:
        """For a checkpoint."""
        return {f"diary:{name}": value for name, value in self.evidence().items()} | {
            "diary:sums": self._sums
        }

    def restore(self, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Put back what `state` gave."""
        self._sums = np.array(arrays["diary:sums"])
        if "diary:seen_update" not in arrays:
            return
        self._steps = arrays["diary:seen_update"].tolist()
        parts = (arrays[f"diary:seen_{name}"] for name in _PARTS)
        levels = Levels(*(torch.from_numpy(np.array(part)) for part in parts))
        size = len(levels) // len(self._steps)
        self._levels = [levels[i : i + size] for i in range(0, len(levels), size)]


_PARTS = ("walls", "agent", "direction", "goal")


def level_arrays(levels: Levels, mark: str) -> Arrays:
    """Levels as arrays under `mark`, for evidence."""
    return {f"{mark}_{name}": getattr(levels, name).numpy() for name in _PARTS}


def training_evidence(trainer: Trainer, diary: Diary) -> Arrays:
    """All that a finished training adds to a trial's evidence."""
    counts: Mapping[str, int] = {
        **vars(trainer.counts),
        "gradient_steps": sum(learner.gradient_steps for learner in trainer.learners),
        "teacher_steps": int(getattr(trainer.curriculum, "teacher_steps", 0)),
    }
    cost = np.array([counts[name] for name in COUNTS], np.int64)
    return {"counts": cost, **diary.evidence(), **_hardest(trainer.curriculum)}


def _hardest(curriculum: Any) -> Arrays:
    """The levels that the curriculum values most, for the gallery."""
    if not hasattr(curriculum, "hardest"):
        return {}
    levels: Levels = curriculum.hardest(GALLERY).to("cpu")
    return level_arrays(levels, "found") if len(levels) else {}
