"""What the tests of NetHack share: the tasks by name, and the hash of what a game shows."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np

from rlbench.core.assets import AssetStore, cache_folder
from rlbench.core.data import DataStore
from rlbench.core.registry import Registry
from rlbench.core.spec import TaskSpec
from rlbench.core.store import Store
from rlbench.core.trial import Trial, resolve_params
from rlbench.runner.execute import Bench, execute
from rlbench.suites.skillhack.interface import ACTIONS, Environments, Step
from rlbench.suites.skillhack.settings import TaskSettings, task_settings
from rlbench.suites.skillhack.suite import SUITE
from rlbench.suites.skillhack.vector import make_vector

_REGISTRY = Registry.load()
_ALL = {task.name: task for task in _REGISTRY.tasks.values() if task.suite == "skillhack"}
MINIHACK = {name: task for name, task in _ALL.items() if task.family == "minihack"}
SILG = {name: task for name, task in _ALL.items() if task.family.startswith("silg")}
TASKS = {name: task for name, task in _ALL.items() if name not in {*MINIHACK, *SILG}}
PUBLISHED = sorted(name for name in TASKS if name.endswith("-published"))
OURS = sorted(set(TASKS) - set(PUBLISHED))


def settings_of(name: str) -> TaskSettings:
    """The typed settings of a task."""
    return task_settings(_ALL[name])


def record_of_chance(task: TaskSpec, root: Path) -> Path:
    """The record of a finished random trial at tier smoke, in a new results folder `root`."""
    source, recipe = "0" * 64, _REGISTRY.baselines["skillhack/random"]
    assets, data = AssetStore(cache_folder(), source), DataStore(_REGISTRY.data)
    bench = Bench(store=Store(root), assets=assets, data=data, source=source)
    params = resolve_params(task, recipe, "smoke", {})
    execute(bench, SUITE, Trial(task, recipe, params, {}, "smoke", 0))
    return next(root.rglob("seed-0.json"))


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
