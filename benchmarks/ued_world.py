"""Speed of the maze world beside MiniGrid and minimax: one core, random actions, fresh levels.

    python benchmarks/ued_world.py
    python benchmarks/ued_world.py --minimax PEER/bin/python

minimax-lib 0.2.0 (JAX) needs an environment of its own:

    python3 -m venv PEER
    PEER/bin/pip install minimax-lib==0.2.0 jax==0.4.31 jaxlib==0.4.31 flax==0.8.5
        optax==0.2.3 chex==0.1.86 "orbax-checkpoint<0.7" scipy==1.12.0

All sides play 13x13 mazes with 60 walls, view 5, horizon 250, and meet a new level after each
episode, whose making is counted. Sides take turns, the best of the rounds counts, and seconds are
those of the processor, because other programs on the machine can only slow a round down. minimax's
compile time is not counted. `codes` is the observation that rlbench's students read, `image` the
one that the others return.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZES = (32, 1024, 4096)
ROUNDS = 3
TARGETS = {32: (20, 2), 1024: (100, 10), 4096: (100, 10)}  # times MiniGrid, times minimax


def ours(n: int, *, occluded: bool = False, image: bool = False) -> float:
    """Steps per second of `n` environments."""
    import torch

    from rlbench.suites.ued.generate import scattered
    from rlbench.suites.ued.maze import N_ACTIONS, Maze
    from rlbench.suites.ued.view import features

    torch.set_num_threads(1)
    rng = torch.Generator().manual_seed(0)
    maze = Maze(13, 13, occluded=occluded)
    pool = maze.pool(scattered(n, rng))
    state = maze.start(pool, torch.arange(n))
    stock, used = scattered(1024, rng), 0
    steps = max(100, 200_000 // n)
    with torch.inference_mode():
        began = time.process_time()
        for _ in range(steps):
            action = torch.randint(N_ACTIONS, (n,), generator=rng)
            state, _, done = maze.step(pool, state, action)
            ended = done.nonzero()[:, 0]
            if count := len(ended):
                if used + count > len(stock):
                    stock, used = scattered(max(1024, count), rng), 0
                pool.write(ended, stock[used : used + count])
                used += count
                state = maze.restart(pool, state, done, state.level)
            codes = maze.observe(pool, state)
            if image:
                features(codes)
        return n * steps / (time.process_time() - began)


def minigrid(n: int, *, occluded: bool = False, vector: bool = False) -> float:
    """Steps per second of MiniGrid, stepped in a plain loop or by gymnasium's SyncVectorEnv."""
    import gymnasium
    import numpy as np
    from minigrid.core.grid import Grid
    from minigrid.core.mission import MissionSpace
    from minigrid.core.world_object import Goal, Wall
    from minigrid.minigrid_env import MiniGridEnv

    class Scattered(MiniGridEnv):  # type: ignore[misc, unused-ignore]
        """The 60-wall generator with MiniGrid's own means."""

        def _gen_grid(self, width: int, height: int) -> None:
            self.grid = Grid(width, height)
            self.grid.wall_rect(0, 0, width, height)
            for x, y in self.np_random.integers(1, 14, (60, 2)):
                self.grid.set(int(x), int(y), Wall())
            self.place_agent()  # type: ignore[no-untyped-call, unused-ignore]
            self.place_obj(Goal())
            self.mission = ""

    def make() -> MiniGridEnv:
        return Scattered(
            mission_space=MissionSpace(mission_func=lambda: ""),
            grid_size=15,
            max_steps=250,
            agent_view_size=5,
            see_through_walls=not occluded,
        )

    actions = np.random.Generator(np.random.PCG64(0)).integers(0, 7, (6_000 // n + 1, n))
    if vector:
        many = gymnasium.vector.SyncVectorEnv([make] * n)
        many.reset(seed=0)
        began = time.process_time()
        for row in actions:
            many.step(row)
        return float(actions.size / (time.process_time() - began))
    envs = [make() for _ in range(n)]
    for env in envs:
        env.reset(seed=0)
    began = time.process_time()
    for row in actions:
        for env, action in zip(envs, row, strict=True):
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
    return float(actions.size / (time.process_time() - began))


def minimax_worker(n: int) -> None:
    """In minimax's environment: print the steps per second of each round asked for on stdin."""
    jax: Any = importlib.import_module("jax")
    env = importlib.import_module("minimax.envs.maze").Maze(
        n_walls=60, replace_wall_pos=True, normalize_obs=True, max_episode_steps=250
    )
    length = max(10, 30_000 // n)

    def step(carry: Any, _: Any) -> Any:
        key, state, total = carry
        key, for_action, for_step = jax.random.split(key, 3)
        action = jax.random.randint(for_action, (n,), 0, 7)
        obs, state, reward, _, _ = jax.vmap(env.step, in_axes=(0, 0, 0))(
            jax.random.split(for_step, n), state, action
        )
        return (key, state, total + obs["image"].sum() + reward.sum()), None

    play = jax.jit(lambda carry: jax.lax.scan(step, carry, None, length=length)[0])
    key = jax.random.PRNGKey(0)
    _, state = jax.vmap(env.reset)(jax.random.split(key, n))
    carry = play((key, state, jax.numpy.zeros(())))
    jax.block_until_ready(carry)
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.process_time()
        carry = play(carry)
        jax.block_until_ready(carry)
        print(n * length / (time.process_time() - began), flush=True)


class Peer:
    """minimax in its own process, which waits between rounds."""

    def __init__(self, python: Path, n: int) -> None:
        flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        self._process = subprocess.Popen(
            [python, __file__, "--minimax-worker", str(n)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        )
        self._read()

    def __call__(self) -> float:
        """Play one round; its steps per second."""
        assert self._process.stdin
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return float(self._read())

    def close(self) -> None:
        """End the process."""
        self._process.communicate("")

    def _read(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("minimax's process ended; see its message above")
        return line


def measure(n: int, peer_python: Path | None) -> dict[str, float]:
    """The best of some rounds, in steps per second, for every side."""
    sides: dict[str, Callable[[], float]] = {
        "codes": lambda: ours(n),
        "image": lambda: ours(n, image=True),
        "occluded": lambda: ours(n, occluded=True),
        "minigrid": lambda: minigrid(n),
        "minigrid sync": lambda: minigrid(n, vector=True),
        "minigrid occluded": lambda: minigrid(n, occluded=True),
    }
    peer = Peer(peer_python, n) if peer_python else None
    if peer:
        sides["minimax"] = peer
    best = dict.fromkeys(sides, 0.0)
    for _ in range(ROUNDS):
        for name, side in sides.items():
            best[name] = max(best[name], side())
    if peer:
        peer.close()
    return best


def main() -> None:
    """Measure, and print a table and the ratios that are aimed at."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minimax", type=Path, help="python of an environment with minimax-lib")
    parser.add_argument("--minimax-worker", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    core = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    if arguments.minimax_worker:
        minimax_worker(arguments.minimax_worker)
        return
    figures = {}
    for n in SIZES:
        best = figures[n] = measure(n, arguments.minimax)
        print(f"{n:5} environments, thousand steps per second:", end=" ")
        print(", ".join(f"{name} {rate / 1000:,.0f}" for name, rate in best.items()))
        ratios = [f"codes / minigrid {best['codes'] / best['minigrid']:.0f}"]
        ratios.append(f"image / minigrid {best['image'] / best['minigrid']:.0f}")
        ratios.append(f"occluded / minigrid {best['occluded'] / best['minigrid occluded']:.0f}")
        if "minimax" in best:
            ratios.append(f"codes / minimax {best['codes'] / best['minimax']:.1f}")
            ratios.append(f"image / minimax {best['image'] / best['minimax']:.1f}")
        aim = f" (aims: {TARGETS[n][0]}, {TARGETS[n][1]})" if n in TARGETS else ""
        print("     ", ", ".join(ratios) + aim, flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
