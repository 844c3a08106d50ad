"""Evaluation: a fixed number of episodes per slot, each kept as seed and keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from rlbench.learn.recurrent import restart
from rlbench.suites.skillhack.interface import Environments, Observation, Player, Step
from rlbench.suites.skillhack.learners.interface import Learner

Array = np.ndarray[Any, Any]
Act = Callable[[Observation, Step | None], Array]
"""From an observation and the step that led to it (None at first) to actions, int64 [n]."""


def evaluate(act: Act, env: Environments, episodes: int) -> dict[str, Array]:
    """Play `episodes` episodes, as evenly over the slots as can be.

    How many a slot plays is fixed before: to take the first ones that end would favour short ones.

    Returns:
        Evidence, in the order of slots and then of time: `episode_return` float32 [E],
        `episode_length` int64 [E], `episode_success` bool [E], `episode_cause` uint8 [E],
        `episode_seed` int64 [E, 2], `episode_keys` uint8 (the actions of all episodes, one after
        another) and `episode_offsets` int64 [E + 1] into it.
    """
    n = env.n
    quota = np.full(n, episodes // n)
    quota[: episodes % n] += 1
    rows: list[list[dict[str, Any]]] = [[] for _ in range(n)]
    keys: list[list[int]] = [[] for _ in range(n)]
    returns = np.zeros(n)
    observation, step, seeds = env.reset(), None, env.seeds()
    while any(len(row) < limit for row, limit in zip(rows, quota, strict=True)):
        actions = act(observation, step)
        step = env.step(actions)
        observation = step.observation
        returns += step.reward
        done = step.terminated | step.truncated
        for i in range(n):
            keys[i].append(int(actions[i]))
            if not done[i]:
                continue
            if len(rows[i]) < quota[i]:
                rows[i].append(_row(step, i, returns[i], seeds[i], keys[i]))
            keys[i], returns[i] = [], 0.0
        if done.any():
            seeds = env.seeds()
    return _evidence([row for slot in rows for row in slot])


def _row(step: Step, i: int, total: float, seed: Array, keys: list[int]) -> dict[str, Any]:
    return {
        "return": total,
        "length": len(keys),
        "success": bool(step.success[i]),
        "cause": int(step.cause[i]),
        "seed": np.array(seed, np.int64),
        "keys": keys,
    }


def _evidence(rows: list[dict[str, Any]]) -> dict[str, Array]:
    types = {"return": np.float32, "length": np.int64, "success": np.bool_, "cause": np.uint8}
    columns: dict[str, Array] = {
        f"episode_{name}": np.array([row[name] for row in rows], kind)
        for name, kind in types.items()
    }
    columns["episode_seed"] = np.stack([row["seed"] for row in rows])
    columns["episode_keys"] = np.array([key for row in rows for key in row["keys"]], np.uint8)
    ends = np.cumsum([0, *columns["episode_length"]])
    columns["episode_offsets"] = ends.astype(np.int64)
    return columns


def learnt(learner: Learner, n: int, rng: torch.Generator) -> Act:
    """What a learner has learnt, its actions sampled as in training."""
    memory = learner.start(n)

    def act(observation: Observation, step: Step | None) -> Array:
        nonlocal memory
        seen = learner.see(observation)
        if step is not None:
            done = torch.from_numpy(step.terminated | step.truncated).to(seen[0].device)
            memory = restart(memory, done)
        turn = learner.play(seen, memory, rng)
        memory = turn.memory
        return turn.action.cpu().numpy()

    return act


def fixed(player: Player) -> Act:
    """A player that learns nothing."""
    return player.act
