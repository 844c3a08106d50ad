"""From episodes to numbers: success, return, length, cause of the end; numpy only.

Evidence, one row for each evaluation episode: `episode_return`, `episode_length`,
`episode_success`, `episode_cause` (a `Cause`), `episode_seed` [E, 2]; the actions of all of them
one after another in `episode_keys`, and where each begins in `episode_offsets` [E + 1]; and
`counts` by the names in `COUNTS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from rlbench.core.suite import Metric
from rlbench.suites.skillhack.interface import ACTIONS, Cause

Array = np.ndarray[Any, Any]

COUNTS = ("env_steps", "episodes", "learner_updates", "teacher_steps")
"""What training took; `teacher_steps` are those of the experts that it learned from."""


def _metrics() -> Iterator[Metric]:
    def share(name: str, doc: str, direction: str = "lower") -> Metric:
        return Metric(name, doc, "share", "higher" if direction == "higher" else "lower", 0, 1)

    yield share(
        "success_rate",
        "share of evaluation episodes whose last reward is above 0.5, which is what the published"
        " learner counts",
        "higher",
    )
    yield Metric("mean_return", "mean return of an evaluation episode", "return", "higher")
    yield Metric("mean_length", "mean length of an evaluation episode", "steps", "lower", 0)
    yield share("death_rate", "share of evaluation episodes in which the hero dies")
    yield share("timeout_rate", "share of evaluation episodes cut off at the time limit")
    for name in COUNTS:
        yield Metric(name, f"{name.replace('_', ' ')} of training", "count", "lower", 0)


METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _metrics()}


def skillhack_metrics(evidence: Mapping[str, Array]) -> dict[str, float]:
    """Every metric of a trial.

    Raises:
        ValueError: the evidence is not what the module says.
    """
    check_evidence(evidence)
    cause = evidence["episode_cause"]
    found = {
        "success_rate": float(evidence["episode_success"].mean()),
        "mean_return": float(evidence["episode_return"].astype(np.float64).mean()),
        "mean_length": float(evidence["episode_length"].mean()),
        "death_rate": float((cause == Cause.DEATH).mean()),
        "timeout_rate": float((cause == Cause.TIMEOUT).mean()),
    }
    counts = evidence["counts"].tolist()
    return found | {name: float(n) for name, n in zip(COUNTS, counts, strict=True)}


def check_evidence(evidence: Mapping[str, Array]) -> None:
    """Refuse arrays that no evaluation gives.

    Raises:
        ValueError: one is missing, of another shape, or contradicts another; names it.
    """
    if "episode_return" not in evidence or not evidence["episode_return"].size:
        raise ValueError("evidence: no array 'episode_return' with something in it")
    n = len(evidence["episode_return"])
    expected: dict[str, tuple[int, ...]] = {
        "episode_return": (n,), "episode_length": (n,), "episode_success": (n,),
        "episode_cause": (n,), "episode_seed": (n, 2), "episode_offsets": (n + 1,),
        "counts": (len(COUNTS),),
    }  # fmt: skip
    for name, shape in expected.items():
        found = evidence[name].shape if name in evidence else None
        if found != shape:
            raise ValueError(f"evidence: {name}: expected {list(shape)}, found {found}")
    _check_actions(evidence)


def _check_actions(evidence: Mapping[str, Array]) -> None:
    """The actions are as many as the steps, and there are such actions and such causes."""
    if "episode_keys" not in evidence:
        raise ValueError("evidence: no array 'episode_keys'")
    offsets, keys = evidence["episode_offsets"], evidence["episode_keys"]
    if offsets[0] != 0 or not np.array_equal(np.diff(offsets), evidence["episode_length"]):
        raise ValueError("evidence: episode_offsets: expected the sums of episode_length")
    if keys.shape != (offsets[-1],) or keys.max(initial=0) >= len(ACTIONS):
        raise ValueError(f"evidence: episode_keys: expected {offsets[-1]} actions")
    causes = evidence["episode_cause"]
    if causes.min() <= Cause.RUNNING or causes.max() > Cause.TIMEOUT:
        raise ValueError(f"evidence: episode_cause: expected 1 to {int(Cause.TIMEOUT)}")
