"""Seeds trained in lockstep: each one's students, counts and chance are those of a run alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
import torch

from rlbench.core.errors import UsageError
from rlbench.suites.ued.curricula.designed import Designed
from rlbench.suites.ued.curricula.learnable import Learnability
from rlbench.suites.ued.curricula.randomised import DomainRandomisation
from rlbench.suites.ued.curricula.replay import Replay
from rlbench.suites.ued.generate import scattered
from rlbench.suites.ued.interface import Curriculum, Proposal, World
from rlbench.suites.ued.lockstep import Lockstep
from rlbench.suites.ued.maze import Maze
from rlbench.suites.ued.train import STREAMS, Trainer, Training

Make = Callable[[], Curriculum]

CURRICULA: Mapping[str, Make] = {
    "dr": DomainRandomisation,
    "plr": partial(Replay, capacity=8, robust=False),
    "plr-robust": partial(Replay, capacity=8),
    "accel": partial(Replay, capacity=8, replay=1.0, edits=2, base="empty"),
    "accel-parallel": partial(Replay, capacity=8, edits=2, parallel=True),
    "paired": partial(Designed, noise=2),
    "sfl": partial(Learnability, refresh=2, batches=1, batch=8, probe_steps=5, keep=2),
}

THREE = {"minibatches": 3, "anneal": True}


def trainer(make: Make, seed: int, **settings: Any) -> Trainer:
    return Trainer(
        make(),
        Training(**{"epochs": 2, "lr": 1e-3, **settings}),
        Maze(5, 5, horizon=10),
        partial(scattered, height=5, width=5, n_walls=4),
        {name: 100 * seed + i for i, name in enumerate(STREAMS)},
        updates=3,
        environments=5,
        steps=32,
        n_walls=4,
    )


def assert_alike(found: Trainer, expected: Trainer) -> None:
    """All parameters to 1e-5, all counts exactly."""
    assert found.counts == expected.counts
    for one, other in zip(found.learners, expected.learners, strict=True):
        assert one.gradient_steps == other.gradient_steps
        pairs = zip(one.module.parameters(), other.module.parameters(), strict=True)
        assert max(float((a - b).detach().abs().max()) for a, b in pairs) < 1e-5


def until_update(running: Trainer, updates: int) -> None:
    while running.counts.student_updates < updates:
        running.cycle()


@pytest.mark.parametrize(
    ("name", "settings"),
    [*((name, {}) for name in CURRICULA), *((name, THREE) for name in ("plr-robust", "paired"))],
)
def test_one_update_is_that_of_each_run_alone_to_1e_5(name: str, settings: dict[str, Any]) -> None:
    """Levels are replayed after some exploration; the last of three minibatches is smaller."""
    runs = [trainer(CURRICULA[name], seed, **settings) for seed in range(3)]
    alone = [trainer(CURRICULA[name], seed, **settings) for seed in range(3)]
    before = [weight.detach().clone() for weight in runs[0].learners[0].module.parameters()]
    cycles = Lockstep(runs).cycle()

    assert set(cycles) == {0, 1, 2}
    for running, expected in zip(runs, alone, strict=True):
        until_update(expected, 1)
        assert_alike(running, expected)
    after = runs[0].learners[0].module.parameters()
    moved = max(float((a - b).detach().abs().max()) for a, b in zip(before, after, strict=True))
    assert moved > 1e-4  # so that 1e-5 says something


def test_the_losses_are_those_of_each_run_alone() -> None:
    runs = [trainer(CURRICULA["plr-robust"], seed) for seed in range(2)]
    cycles = Lockstep(runs).cycle()

    for seed in range(2):
        expected = trainer(CURRICULA["plr-robust"], seed)
        loss = None
        while loss is None:
            loss = expected.cycle().loss
        torch.testing.assert_close(cycles[seed].loss, loss, rtol=0, atol=1e-5)


@pytest.mark.parametrize("count", ["updates", "rollouts"])
def test_runs_that_explore_for_different_times_end_as_they_would_alone(count: str) -> None:
    make = partial(Replay, capacity=4, replay=0.4)
    runs = [trainer(make, seed, count=count) for seed in range(4)]
    group = Lockstep(runs)
    while not group.over:
        group.cycle()

    expected = [trainer(make, seed, count=count) for seed in range(4)]
    for running, alone in zip(runs, expected, strict=True):
        while not alone.over:
            alone.cycle()
        assert_alike(running, alone)
    by_rollouts = count == "rollouts"
    differing = {r.counts.student_updates if by_rollouts else r.counts.rollouts for r in runs}
    assert len(differing) > 1


class _Short(DomainRandomisation):
    """Proposes fewer levels than environments."""

    def begin(self, world: World) -> None:
        self.mine = world

    def propose(self) -> Proposal:
        return Proposal(self.mine.draw(3, self.mine.rng), renew=True)


def test_a_curriculum_with_too_few_levels_never_meets_those_of_another_seed() -> None:
    group = Lockstep([trainer(_Short, seed) for seed in range(2)])

    with pytest.raises(UsageError, match=r"_Short: expected at least 5 levels, found 3"):
        group.cycle()
