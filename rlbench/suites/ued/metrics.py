"""From episodes to numbers: solve rates, regret, worst case; numpy only.

Evidence, from `evaluate`: `maze_name`, `maze_return`, `maze_greedy_return`, `maze_best_return`,
`level_return`, `level_best_return`; from training: `counts` (int64, by the names in `COUNTS`). An
episode is solved when its return is positive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from rlbench.core.suite import Metric

Array = np.ndarray[Any, Any]

COUNTS = ("student_updates", "gradient_steps", "student_steps", "trained_steps", "teacher_steps")
WORST = (10.0, 5.0, 2.0, 1.0, 0.1)
"""Percentages of levels, for the conditional value at risk."""
MAZES = (
    "sixteen-rooms", "sixteen-rooms-2", "labyrinth", "labyrinth-flipped", "labyrinth-2",
    "standard-maze", "standard-maze-2", "standard-maze-3", "small-corridor", "large-corridor",
    "perfect-13", "perfect-19", "perfect-101", "kruskal-9", "kruskal-19", "kruskal-49",
    "kruskal-99", "crossing", "crossing-minigrid", "four-rooms", "four-rooms-minigrid",
)  # fmt: skip
"""Evaluation mazes that have a metric of their own; others count in the means only."""


def _metrics() -> Iterator[Metric]:
    def share(name: str, doc: str) -> Metric:
        return Metric(name, doc, "share", "higher", 0, 1)

    yield share("solve_rate", "mean over the evaluation mazes of the share of episodes solved")
    yield share("solve_rate_greedy", "the same with the likeliest action instead of a sampled one")
    for name in MAZES:
        yield share(f"solve.{name}", f"share of episodes solved in {name}")
    yield Metric(
        "regret",
        "mean over the evaluation mazes of a shortest path's return minus the student's",
        "return", "lower", 0, 1,
    )  # fmt: skip
    yield share("level_solve_rate", "share of episodes solved on random solvable levels")
    for percent in WORST:
        yield share(
            f"cvar_{percent:g}",
            f"share solved on the worst {percent:g} % of random solvable levels, which are chosen"
            " by one half of the episodes and measured by the other",
        )
    yield share("level_worst", "the same on the levels with the lowest share of all")
    yield Metric("level_regret", "regret on random solvable levels", "return", "lower", 0, 1)
    for name in COUNTS:
        yield Metric(name, f"{name.replace('_', ' ')} of training", "count", "lower", 0)


METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _metrics()}


def ued_metrics(evidence: Mapping[str, Array]) -> dict[str, float]:
    """Every metric of a trial; a `cvar_…` only where it is about at least one whole level.

    Raises:
        ValueError: the evidence is not what the module says.
    """
    check_evidence(evidence)
    solved = evidence["maze_return"] > 0
    found = {
        "solve_rate": float(solved.mean()),
        "solve_rate_greedy": float((evidence["maze_greedy_return"] > 0).mean()),
        "regret": _gap(evidence["maze_best_return"], evidence["maze_return"]),
    }
    for name, row in zip(evidence["maze_name"].tolist(), solved, strict=True):
        if name in MAZES:
            found[f"solve.{name}"] = float(row.mean())
    returns = evidence["level_return"]
    rates = (returns > 0).mean(2)
    found["level_solve_rate"] = float(rates.mean())
    found["level_regret"] = _gap(evidence["level_best_return"][:, None, None], returns)
    for percent in WORST:
        if len(rates) * percent >= 100 - 1e-9:
            found[f"cvar_{percent:g}"] = cvar(rates, percent)
    found["level_worst"] = float(rates[rates[:, 0] == rates[:, 0].min(), 1].mean())
    counts = evidence["counts"].tolist()
    return found | {name: float(n) for name, n in zip(COUNTS, counts, strict=True)}


def cvar(rates: Array, percent: float) -> float:
    """Conditional value at risk: the mean solve rate on the worst levels, without selection bias.

    Choosing the worst levels by the same episodes that measure them would call bad luck a hard
    level, so one half of the episodes chooses and the other measures (Rutherford et al. 2024,
    arXiv:2408.15099).

    Args:
        rates: float [levels, 2], solve rates in the two halves.
        percent: how many of 100 levels; of equal ones the first.
    """
    count = max(round(len(rates) * percent / 100), 1)
    worst = np.argsort(rates[:, 0], kind="stable")[:count]
    return float(rates[worst, 1].mean())


def check_evidence(evidence: Mapping[str, Array]) -> None:
    """Refuse arrays that no evaluation gives.

    Raises:
        ValueError: one is missing, or of another shape; names it.
    """
    shapes = {
        "maze_name": 1, "maze_return": 2, "maze_greedy_return": 2, "maze_best_return": 2,
        "level_return": 3, "level_best_return": 1, "counts": 1,
    }  # fmt: skip
    for name, ndim in shapes.items():
        if name not in evidence:
            raise ValueError(f"evidence: no array '{name}'")
        if evidence[name].ndim != ndim or not evidence[name].size:
            raise ValueError(
                f"evidence: {name}: expected {ndim} dimensions and something in them,"
                f" found {list(evidence[name].shape)}"
            )
    mazes, levels = evidence["maze_return"], evidence["level_return"]
    expected = {
        "maze_name": mazes.shape[:1],
        "maze_greedy_return": mazes.shape,
        "maze_best_return": mazes.shape,
        "level_return": (len(levels), 2, levels.shape[2]),
        "level_best_return": levels.shape[:1],
        "counts": (len(COUNTS),),
    }
    for name, shape in expected.items():
        if evidence[name].shape != shape:
            raise ValueError(
                f"evidence: {name}: expected {list(shape)}, found {list(evidence[name].shape)}"
            )


def _gap(best: Array, reached: Array) -> float:
    return float((best.astype(np.float64) - reached).mean())
