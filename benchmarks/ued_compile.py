"""Whether compiling the step of a maze rollout would pay: torch.compile beside the eager step.

    python benchmarks/ued_compile.py
    python benchmarks/ued_compile.py --device cuda     # with CUDA graphs ("reduce-overhead")

One rollout of 32 environments and 256 steps, fresh levels after each episode, the same student and
the same noise on both sides; what the two see, do and estimate is compared. Compiling pays when
the seconds that it takes are saved again in the updates of a trial: 150 at tier `small`.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable

import torch
from torch import Tensor

from rlbench.learn.recurrent import restart
from rlbench.suites.ued.generate import scattered
from rlbench.suites.ued.maze import N_ACTIONS, Maze, State
from rlbench.suites.ued.rollout import gumbel
from rlbench.suites.ued.student import Student

ENVIRONMENTS, STEPS, LEVELS, ROUNDS = 32, 256, 512, 10
Carried = tuple[Tensor, ...]
Turn = Callable[[Carried, Tensor], tuple[Carried, Carried]]


class Rollouts:
    """The loop of `rollout.play` with `renew`, around a step that may be compiled."""

    def __init__(self, device: torch.device) -> None:
        rng = torch.Generator().manual_seed(0)
        self.device = device
        self.student = Student()
        self.student.initialise(rng)
        self.student.to(device)
        self.maze = Maze(13, 13, device=device)
        self.pool = self.maze.pool(scattered(LEVELS, rng, height=13, width=13, n_walls=25))
        self.noise = gumbel((STEPS, ENVIRONMENTS, N_ACTIONS), rng).to(device).unbind(0)

    def begin(self) -> Carried:
        """What the first step is given."""
        state = self.maze.start(self.pool, torch.arange(ENVIRONMENTS, device=self.device))
        used = torch.full((), ENVIRONMENTS, device=self.device)
        return (*state, *self.student.start(ENVIRONMENTS, self.device), used)

    def turn(self, carried: Carried, noise: Tensor) -> tuple[Carried, Carried]:
        """One step: what is kept of it, and what the next one is given."""
        *now, hidden, cell, used = carried
        state = State(*now)
        codes = self.maze.observe(self.pool, state)
        logits, value, memory = self.student.act(codes, state.direction, (hidden, cell))
        action = (logits + noise).argmax(1)
        after, reward, done = self.maze.step(self.pool, state, action)
        ended = done.cumsum(0)
        level = (used + ended - 1) % LEVELS
        state = self.maze.restart(self.pool, after, done, level)
        kept = (codes, action, logits, value, reward, done)
        return kept, (*state, *restart(memory, done), used + ended[-1])

    @torch.no_grad()
    def play(self, turn: Turn) -> tuple[float, list[Tensor]]:
        """Seconds of a rollout, and what was kept of its steps."""
        kept, carried = [], self.begin()
        began = time.perf_counter()
        for noise in self.noise:
            now, carried = turn(carried, noise)
            kept.append(now)
        stacked = [torch.stack(part) for part in zip(*kept, strict=True)]
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began, stacked


def graphed(turn: Turn) -> Turn:
    """The step compiled with CUDA graphs, which write their next results over the last ones."""
    compiled = torch.compile(turn, dynamic=False, mode="reduce-overhead")

    def copied(carried: Carried, noise: Tensor) -> tuple[Carried, Carried]:
        torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        kept, after = compiled(carried, noise)
        return tuple(t.clone() for t in kept), tuple(t.clone() for t in after)

    return copied


def main() -> None:
    """Measure without what the compiler has kept from earlier runs."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
        measure()


def measure() -> None:
    """Print both times, the wait for the compiler, and the largest difference."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    device = torch.device(parser.parse_args().device)
    rollouts = Rollouts(device)
    on_gpu = device.type == "cuda"
    compiled = graphed(rollouts.turn) if on_gpu else torch.compile(rollouts.turn, dynamic=False)
    waited, _ = rollouts.play(compiled)
    eager, fast = [
        min((rollouts.play(turn) for _ in range(ROUNDS)), key=lambda found: found[0])
        for turn in (rollouts.turn, compiled)
    ]
    apart = max(
        float((a.double() - b.double()).abs().max()) for a, b in zip(eager[1], fast[1], strict=True)
    )
    saved = eager[0] - fast[0]
    print(f"a rollout: eager {eager[0]:.3f} s, compiled {fast[0]:.3f} s; apart by {apart:.1e}")
    print(f"the first compiled one took {waited:.1f} s")
    if saved > 0:
        print(f"that is saved again after {(waited - fast[0]) / saved:,.0f} rollouts")


if __name__ == "__main__":
    main()
