"""Suite `walk`: training over steps with checkpoints and a curve, then evaluation."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rlbench.core.algorithm import load_algorithm
from rlbench.core.spec import BaselineSpec, TaskSpec
from rlbench.core.suite import Exhibit, Metric, Outcome, Table, View

if TYPE_CHECKING:
    import pandas as pd

    from rlbench.core.context import Context
    from rlbench.core.suite import Evidence
    from rlbench.core.trial import Trial

LOG_EVERY = 200


class WalkSuite:
    """The suite's one object."""

    name = "walk"
    title = "A corridor to walk down (test suite)"
    extra = "rlbench-walk"
    modules: Sequence[str] = ("numpy",)
    metrics: Mapping[str, Metric] = {
        "return": Metric("return", "mean return of an episode", "reward", "higher", -2, 1),
        "length": Metric("length", "mean steps of an episode", "steps", "lower", 1),
    }

    def check_task(self, task: TaskSpec) -> None:
        if not isinstance(task.params.get("length"), int):
            raise ValueError(f"params.length: expected an integer, found {task.params}")

    def misfit(self, task: TaskSpec, baseline: BaselineSpec) -> str | None:
        return None

    def affinity(self, trial: Trial) -> str:
        return f"{trial.task.name} {trial.seed}"

    def run(self, trial: Trial, ctx: Context) -> Outcome:
        from rlbench_walk.corridor import Corridor

        cells, limit = trial.task.params["length"], trial.protocol["limit"]
        agent = load_algorithm(trial.baseline.algorithm)(**trial.params)
        agent.begin(cells)
        start = self._start_cell(ctx, cells)
        train(agent, Corridor(cells, limit), ctx, agent.steps)
        env, returns, lengths = Corridor(cells, limit), [], []
        for _ in range(trial.protocol["episodes"]):
            cell, total, over = env.reset(), 0.0, False
            while not over:
                action = agent.act(cell, ctx.rng("eval"), explore=False)
                cell, reward, over = env.step(action)
                total += reward
            returns.append(total)
            lengths.append(env.steps)
        return Outcome(
            {"returns": _array(returns), "lengths": _array(lengths)},
            notes={"start": start},
        )

    @staticmethod
    def _start_cell(ctx: Context, cells: int) -> int:
        """Shared work, made once for all agents of a seed: here just a number."""
        import numpy as np

        asset = ctx.asset(
            "walk-start", {"cells": cells}, lambda: {"cell": np.zeros(1)}, seed=ctx.trial.seed
        )
        return int(asset["cell"][0])

    def metrics_of(self, task: TaskSpec, evidence: Evidence) -> dict[str, float]:
        return {
            "return": float(evidence["returns"].mean()),
            "length": float(evidence["lengths"].mean()),
        }

    def views(self) -> Sequence[View]:
        return (View("lengths", "Steps to the end", _lengths, "Mean steps of an episode."),)


def train(agent: Any, env: Any, ctx: Context, steps: int) -> None:
    """Learn for a number of environment steps; every 200 log, and keep a checkpoint."""
    done, cell, ended, returns, total = 0, env.reset(), 0, 0.0, 0.0
    saved = ctx.load_checkpoint()
    if saved is not None:
        agent.q = saved.arrays["q"].copy()
        done, ended, returns, total = saved.state["numbers"]
        env.cell, env.steps = saved.state["env"]
        cell = env.cell
    pause = float(os.environ.get("RLBENCH_WALK_PAUSE", "0"))
    while done < steps:
        action = agent.act(cell, ctx.rng("train"), explore=True)
        after, reward, over = env.step(action)
        agent.learn(cell, action, reward, after, over)
        total += reward
        cell, done = after, done + 1
        if over:
            ended, returns, total, cell = ended + 1, returns + total, 0.0, env.reset()
        if done % LOG_EVERY == 0:
            ctx.log(done, **{"return": returns / max(ended, 1)})
            state = {"numbers": [done, ended, returns, total], "env": [env.cell, env.steps]}
            ctx.save_checkpoint({"q": agent.q}, state)
            time.sleep(pause)


def _array(values: Sequence[float]) -> Any:
    import numpy as np

    return np.asarray(values, dtype=np.float64)


def _lengths(frame: pd.DataFrame) -> Sequence[Exhibit]:
    table = frame.pivot_table(index="row", columns="task", values="metric.length")
    return () if table.empty else (Table("lengths", "Mean steps of an episode", table.round(2)),)


SUITE = WalkSuite()
