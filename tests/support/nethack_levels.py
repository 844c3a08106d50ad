"""What the tests of NetHack share: the tasks by name, and the hash of what a game shows."""

from __future__ import annotations

import hashlib
import sys

import numpy as np

from rlbench.core.registry import Registry
from rlbench.suites.skillhack.interface import ACTIONS, Environments, Step
from rlbench.suites.skillhack.settings import TaskSettings, task_settings
from rlbench.suites.skillhack.vector import make_vector

_ALL = {task.name: task for task in Registry.load().tasks.values() if task.suite == "skillhack"}
MINIHACK = {name: task for name, task in _ALL.items() if task.family == "minihack"}
SILG = {name: task for name, task in _ALL.items() if task.family.startswith("silg")}
TASKS = {name: task for name, task in _ALL.items() if name not in {*MINIHACK, *SILG}}
PUBLISHED = sorted(name for name in TASKS if name.endswith("-published"))
OURS = sorted(set(TASKS) - set(PUBLISHED))


def settings_of(name: str) -> TaskSettings:
    """The typed settings of a task."""
    return task_settings(_ALL[name])


def fold(digest: hashlib._Hash, step: Step) -> None:
    """Add everything that a step shows to a hash."""
    for array in (*step.observation, *step[1:]):
        digest.update(np.ascontiguousarray(array).tobytes())


def play_hash(env: Environments, steps: int, seed: int = 0) -> str:
    """The hash of all that random actions bring."""
    rng, digest = np.random.default_rng(seed), hashlib.sha256()
    for array in env.reset():
        digest.update(array.tobytes())
    for _ in range(steps):
        fold(digest, env.step(rng.integers(len(ACTIONS), size=env.n)))
    digest.update(env.seeds().tobytes())
    return digest.hexdigest()


def main() -> None:
    """Print the hashes of some tasks: `python nethack_levels.py NAME...`."""
    for name in sys.argv[1:]:
        with make_vector(settings_of(name), purpose="train", seed=3, n=2) as env:
            print(name, play_hash(env, 300))


if __name__ == "__main__":
    main()
