"""Speed of the NetHack environments beside MiniHack's under gymnasium's vectors, in one run.

    python benchmarks/skillhack.py                # less than five minutes on one core
    python benchmarks/skillhack.py --profile      # and where our steps' time goes

16 environments, random actions, the six keys that agents are trained on. The peers are gymnasium's
SyncVectorEnv and AsyncVectorEnv with their defaults, over the class of `tests/support`: our level
through MiniHack's own base class and reward manager. The task is "prepare for battle", in which
random play ends at the time limit only, so that episodes are exactly as long as is asked for.

Seconds are those of the processor, children included. Sides take turns and the best of the rounds
counts, because other programs on the machine can only slow a round down. gymnasium spends a call on
every reset; it is timed and not counted as a step. "NetHack alone" presses the same keys as our
steps do and reads nothing, resets included: no other program around NetHack could be faster.

The training loop is all of PPO's training at tier small on "eat", on one thread, the two sides
taking turns after each update; episodes get shorter as it learns. Policy, learner and settings are
the same on both sides, and freed memory is kept as runner workers do.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import psutil
import torch
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from rlbench.core.heap import keep_freed_memory
from rlbench.core.registry import Registry
from rlbench.suites.skillhack.compile import compiled
from rlbench.suites.skillhack.experts import generators
from rlbench.suites.skillhack.game import NEEDED, new_rows
from rlbench.suites.skillhack.interface import ACTIONS, Environments, Observation, Step
from rlbench.suites.skillhack.learners.interface import World
from rlbench.suites.skillhack.learners.ppo import Ppo
from rlbench.suites.skillhack.play import Play
from rlbench.suites.skillhack.settings import TaskSettings, task_settings
from rlbench.suites.skillhack.slots import SUCCESS
from rlbench.suites.skillhack.train import Trainer
from rlbench.suites.skillhack.vector import make_vector

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # minihack imports pkg_resources
    from slow_nethack import SEEN, SlowSkill

N = 16
ROUNDS = 3
LENGTHS = (200, 15)
WORKERS = 2
TARGETS = {"SyncVectorEnv": 2.5, "AsyncVectorEnv": 7.0, "PPO": 1.5}

Side = Callable[[int], int]
"""Takes so many steps in each environment; says how many agent steps that were in all."""


def settings_of(name: str) -> TaskSettings:
    """The typed settings of a task."""
    return task_settings(Registry.load().tasks[f"skillhack/{name}"])


def cpu() -> float:
    """Processor seconds so far of this process and of its children that are alive."""
    me = psutil.Process()
    times = [process.cpu_times() for process in (me, *me.children(recursive=True))]
    return float(sum(spent.user + spent.system for spent in times))


def ours(env: Environments) -> Side:
    """One of our vectors."""
    rng = np.random.default_rng(0)
    env.reset()

    def play(steps: int) -> int:
        for _ in range(steps):
            env.step(rng.integers(len(ACTIONS), size=N))
        return steps * N

    return play


def theirs(env: gymnasium.vector.VectorEnv[Any, Any, Any]) -> Side:
    """One of gymnasium's."""
    rng = np.random.default_rng(0)
    env.reset()

    def play(steps: int) -> int:
        resets = 0
        for _ in range(steps):
            _, _, terminated, truncated, _ = env.step(rng.integers(len(ACTIONS), size=N))
            resets += int((terminated | truncated).sum())
        return steps * N - resets

    return play


def nethack_alone(settings: TaskSettings) -> Side:
    """The keys of random episodes, one for each of n games, recorded and pressed again."""
    data = compiled(settings.level, settings.level_sha256)
    rng = np.random.default_rng(0)
    rows = new_rows(N, NEEDED)
    plays = [Play(settings, data, {k: rows[k][i] for k in NEEDED}) for i in range(N)]
    tapes: list[list[list[int]]] = []
    for slot, play in enumerate(plays):
        press = play.game._press
        tape: list[list[int]] = [[] for _ in range(settings.max_steps)]
        play.begin(0, "train", slot, 0)
        for keys in tape:

            def record(key: int, press: Any = press, keys: list[int] = keys) -> None:
                keys.append(key)
                press(key)

            play.game._press = record
            play.act(int(rng.integers(len(ACTIONS))))
        play.game._press = press
        tapes.append(tape)
    at = settings.max_steps

    def play_again(steps: int) -> int:
        nonlocal at
        for _ in range(steps):
            if at == settings.max_steps:
                at = 0
                for play in plays:
                    play.game.reset(play.seed)
            for play, tape in zip(plays, tapes, strict=True):
                press = play.game._press
                for key in tape[at]:
                    press(key)
            at += 1
        return steps * N

    return play_again


def sides(settings: TaskSettings, stack: ExitStack) -> dict[str, Side]:
    """Everything that is compared; gymnasium's processes first, which fork this one."""
    make = [partial(SlowSkill, settings) for _ in range(N)]
    found: dict[str, Side] = {}
    vectors = {"AsyncVectorEnv": AsyncVectorEnv(make), "SyncVectorEnv": SyncVectorEnv(make)}
    for name, vector in vectors.items():
        stack.callback(vector.close)
        found[name] = theirs(vector)
    for name, workers in {"ours": 0, f"ours, {WORKERS} workers": WORKERS}.items():
        env = make_vector(settings, purpose="train", seed=0, n=N, workers=workers)
        stack.callback(env.close)
        found[name] = ours(env)
    return found | {"NetHack alone": nethack_alone(settings)}


def best_of_rounds(compared: dict[str, Side], steps: int) -> dict[str, float]:
    """Microseconds of the processor per agent step."""
    best = dict.fromkeys(compared, float("inf"))
    for _ in range(ROUNDS):
        for name, play in compared.items():
            began = cpu()
            taken = play(steps)
            best[name] = min(best[name], (cpu() - began) / taken * 1e6)
    return best


def stepping(steps: int) -> dict[str, float]:
    """Print the table of steps; the ratios at the longer episodes."""
    tables = {}
    for length in LENGTHS:
        settings = replace(settings_of("prepare-for-battle-published"), max_steps=length)
        with ExitStack() as stack:
            tables[length] = best_of_rounds(sides(settings, stack), steps)
    print(f"{'microseconds per agent step':28}" + "".join(f"{n:7}-step episodes" for n in LENGTHS))
    for name in tables[LENGTHS[0]]:
        cells = (f"{t[name]:14.1f} {t[name] / t['ours']:6.2f}x" for t in tables.values())
        print(f"{name:28}{''.join(cells)}", flush=True)
    first = tables[LENGTHS[0]]
    return {name: first[name] / first["ours"] for name in first}


class Gymnasium:
    """SyncVectorEnv as the training loop's environments; it never shows an open prompt."""

    n = N

    def __init__(self, settings: TaskSettings) -> None:
        make = [partial(SlowSkill, settings) for _ in range(N)]
        self._env: Any = SyncVectorEnv(make, autoreset_mode=AutoresetMode.SAME_STEP)

    def reset(self) -> Observation:
        """See `Environments.reset`."""
        return self._seen(self._env.reset()[0])

    def step(self, actions: Any) -> Step:
        """See `Environments.step`; nle calls a time-out an end, and no cause is told."""
        seen, reward, terminated, truncated, _ = self._env.step(actions)
        success = (terminated | truncated) & (reward > SUCCESS)
        return Step(self._seen(seen), reward, terminated, truncated, success, terminated)

    def close(self) -> None:
        """See `Environments.close`."""
        self._env.close()

    def _seen(self, seen: dict[str, Any]) -> Observation:
        return Observation(**{name: seen[name] for name in SEEN}, prompt=np.zeros((N, 3), np.bool_))


def trainer(env: Any, steps: int) -> Trainer:
    """The loop of `rlbench run skillhack/eat-published ppo --tier small`."""
    device = torch.device("cpu")
    world = World(
        network="small",
        n_actions=len(ACTIONS),
        environments=N,
        env_steps=steps,
        skills=(),
        task="eat-published",
        rngs=generators(lambda _: 0, device),
        device=device,
        experts=lambda *_: [],
    )
    return Trainer(Ppo().begin(world), env, world.rngs, world.env_steps, published=True)


def training(steps: int) -> float:
    """Print the table of the training loop; how much faster ours is."""
    torch.set_num_threads(1)
    keep_freed_memory()
    settings = settings_of("eat-published")
    slow = Gymnasium(settings)
    with make_vector(settings, purpose="train", seed=0, n=N) as fast:
        loops = {"over ours": trainer(fast, steps), "over SyncVectorEnv": trainer(slow, steps)}
        spent = dict.fromkeys(loops, 0.0)
        while not all(loop.over for loop in loops.values()):
            for name, loop in loops.items():
                began = cpu()
                loop.cycle()
                spent[name] += cpu() - began
        each = {name: spent[name] / loop.counts.env_steps * 1e6 for name, loop in loops.items()}
    slow.close()
    for name, time_of_step in each.items():
        print(f"PPO {name:24}{time_of_step:14.1f} {time_of_step / each['over ours']:6.2f}x")
    return each["over SyncVectorEnv"] / each["over ours"]


def profile(steps: int) -> None:
    """Print where the time of our steps goes (cProfile: small functions look dearer)."""
    settings = replace(settings_of("prepare-for-battle-published"), max_steps=LENGTHS[0])
    with make_vector(settings, purpose="train", seed=0, n=N) as env:
        play, seen = ours(env), cProfile.Profile()
        seen.runcall(play, steps)
    pstats.Stats(seen).sort_stats("tottime").print_stats(14)


def main() -> None:
    """Print both tables and whether the targets are met."""
    parser = argparse.ArgumentParser(description="NetHack environments beside MiniHack's.")
    parser.add_argument("--steps", type=int, default=600, help="of a round, per environment")
    parser.add_argument("--training", type=int, default=150_000, help="steps that PPO is given")
    parser.add_argument("--profile", action="store_true", help="only show where our time goes")
    args = parser.parse_args()
    if args.profile:
        profile(args.steps)
        return
    warnings.filterwarnings("ignore", "Warning: smooth quitting", UserWarning)  # nle, closing
    began = time.perf_counter()
    ratios = stepping(args.steps)
    ratios["PPO"] = training(args.training)
    for name, target in TARGETS.items():
        verdict = "met" if ratios[name] >= target else "missed"
        print(f"{name}: {ratios[name]:.2f}x, target {target}x: {verdict}")
    print(f"{time.perf_counter() - began:.0f} seconds")


if __name__ == "__main__":
    main()
