"""The training loop: what it counts, that it resumes exactly, and that it learns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from rlbench.core.errors import UsageError
from rlbench.learn.recurrent import Packing, State
from rlbench.suites.ued.curricula.designed import Designed
from rlbench.suites.ued.curricula.learnable import Learnability
from rlbench.suites.ued.curricula.randomised import DomainRandomisation
from rlbench.suites.ued.curricula.replay import Replay
from rlbench.suites.ued.generate import scattered
from rlbench.suites.ued.interface import Curriculum
from rlbench.suites.ued.maze import Maze
from rlbench.suites.ued.train import STREAMS, Trainer, Training, split_params

SEEDS = {name: i for i, name in enumerate(STREAMS)}


def trainer(curriculum: Curriculum, updates: int = 4, **settings: Any) -> Trainer:
    return Trainer(
        curriculum,
        Training(epochs=2, **settings),
        Maze(4, 4, horizon=10),
        partial(scattered, height=4, width=4, n_walls=3),
        SEEDS,
        updates=updates,
        environments=4,
        steps=16,
        n_walls=3,
    )


def finish(running: Trainer) -> dict[str, np.ndarray[Any, Any]]:
    while not running.over:
        running.cycle()
    return running.state()


CURRICULA: Mapping[str, Callable[[], Curriculum]] = {
    "dr": DomainRandomisation,
    "plr": partial(Replay, capacity=8, robust=False),
    "plr-robust": partial(Replay, capacity=8),
    "accel": partial(Replay, capacity=8, replay=1.0, edits=2, base="empty"),
    "accel-parallel": partial(Replay, capacity=8, edits=2, parallel=True),
    "paired": partial(Designed, noise=2),
    "repaired": partial(Designed, noise=2, replay=0.8, capacity=8),
    "sfl": partial(Learnability, refresh=2, batches=1, batch=8, probe_steps=5, keep=2),
}


@pytest.mark.parametrize("name", CURRICULA)
def test_an_interrupted_training_ends_as_an_uninterrupted_one(name: str) -> None:
    """Interrupted after every single rollout; minibatches draw chance as well."""
    whole = finish(trainer(CURRICULA[name](), updates=3, minibatches=2, anneal=True))
    state, rollouts = None, 0
    while True:
        running = trainer(CURRICULA[name](), updates=3, minibatches=2, anneal=True)
        if state is not None:
            running.restore(state)
        if running.over:
            break
        running.cycle()
        state, rollouts = running.state(), rollouts + 1

    assert state is not None
    assert rollouts >= 3
    assert set(state) == set(whole)
    for key, array in whole.items():
        np.testing.assert_array_equal(state[key], array, err_msg=key)


def test_counts_tell_exploration_and_learning_apart() -> None:
    running = trainer(Replay(capacity=8, replay=1.0, edits=2), updates=2)
    finish(running)

    # two rollouts fill half of the buffer at least once, then replay, edit, replay
    counts = running.counts
    assert counts.student_updates == 2
    assert counts.student_steps == counts.rollouts * 4 * 16
    assert counts.trained_steps == 2 * 4 * 16
    assert counts.rollouts > counts.student_updates
    assert running.learners[0].gradient_steps == 2 * 2


def test_probing_is_counted_as_environment_steps() -> None:
    curriculum = Learnability(refresh=10, batches=3, batch=8, probe_steps=5, keep=2)
    running = trainer(curriculum, updates=1)
    finish(running)

    assert running.counts.student_steps == 3 * 8 * 5 + 4 * 16


def test_rollouts_can_be_what_is_counted() -> None:
    running = trainer(Replay(capacity=100, min_fill=1.0), updates=3, count="rollouts")
    finish(running)

    assert running.counts.rollouts == 3
    assert running.counts.student_updates == 0


def test_all_students_of_paired_learn_and_differ() -> None:
    running = trainer(Designed(noise=2), updates=1)
    before = [learner.state() for learner in running.learners]
    finish(running)

    for old, learner in zip(before, running.learners, strict=True):
        assert learner.gradient_steps == 2
        assert any(not np.array_equal(old[k], v) for k, v in learner.state().items() if k in old)
    one, two = (learner.state()["weights:convolution.weight"] for learner in running.learners)
    assert not np.array_equal(one, two)


def test_only_the_chosen_environments_are_learnt_from() -> None:
    """A batch with two environments masked out trains as the batch of the other two."""
    from rlbench.suites.ued.interface import Proposal

    class Fixed:
        def __init__(self, levels: Any, trained: torch.Tensor) -> None:
            self.levels, self.trained = levels, trained

        def begin(self, world: Any) -> None: ...

        def propose(self) -> Proposal:
            return Proposal(self.levels, trained=self.trained)

        def receive(self, proposal: Proposal, plays: Any) -> None: ...

    levels = scattered(4, torch.Generator().manual_seed(0), height=4, width=4, n_walls=3)
    chosen = torch.tensor([True, False, True, False])
    running = trainer(Fixed(levels, chosen), updates=1)
    cycle = running.cycle()
    expected = trainer(DomainRandomisation(), updates=1).learners[0]
    expected.update(cycle.play.rollout.select(chosen), cycle.play.advantage[:, chosen])

    for name, array in expected.state().items():
        np.testing.assert_array_equal(running.learners[0].state()[name], array)


def test_the_annealed_learning_rate_falls_to_its_last_step() -> None:
    running = trainer(DomainRandomisation(), updates=4, lr=1e-2, anneal=True)
    rates = []
    while not running.over:
        running.cycle()
        rates.append(running.learners[0].optimiser.param_groups[0]["lr"])

    assert rates == pytest.approx([1e-2, 0.75e-2, 0.5e-2, 0.25e-2])


class _Tiny(nn.Module):
    """A network of one's own: it looks at the direction only."""

    def __init__(self) -> None:
        super().__init__()
        self.policy, self.value = nn.Embedding(4, 7), nn.Embedding(4, 1)

    def initialise(self, rng: torch.Generator) -> None:
        for layer in (self.policy, self.value):
            nn.init.normal_(layer.weight, generator=rng)

    def start(self, n: int, device: torch.device) -> State:
        return ()

    def act(
        self, codes: torch.Tensor, direction: torch.Tensor, state: State
    ) -> tuple[torch.Tensor, torch.Tensor, State]:
        return self.policy(direction), self.value(direction)[:, 0], ()

    def prepare(self, codes: torch.Tensor) -> torch.Tensor:
        return codes

    def unroll(
        self, prepared: torch.Tensor, direction: torch.Tensor, packing: Packing
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return self.policy(direction), self.value(direction)[:, 0]


def test_a_curriculum_may_bring_a_network_of_its_own() -> None:
    class Mine(DomainRandomisation):
        def student(self, view: int) -> _Tiny:
            return _Tiny()

    running = trainer(Mine(), updates=2)
    state = finish(running)

    assert isinstance(running.student, _Tiny)
    assert state["student0:weights:policy.weight"].shape == (4, 7)


@pytest.mark.slow
def test_it_learns_to_reach_the_goal_in_a_small_room() -> None:
    running = Trainer(
        DomainRandomisation(),
        Training(lr=3e-3),
        Maze(3, 3, horizon=12),
        partial(scattered, height=3, width=3, n_walls=0),
        SEEDS,
        updates=20,
        environments=16,
        steps=48,
    )
    rates = []
    while not running.over:
        episodes = running.cycle().play.episodes
        rates.append(float(episodes.solved.sum() / episodes.finished.sum()))

    assert sum(rates[:2]) / 2 < 0.7
    assert sum(rates[-2:]) / 2 > 0.9


def test_recipe_parameters_are_cut_into_student_and_curriculum() -> None:
    training, rest = split_params({"lr": 0.5, "replay": 0.3}, "ued/x", {"gamma": 0.9})

    assert (training.lr, training.gamma, rest) == (0.5, 0.9, {"replay": 0.3})


@pytest.mark.parametrize(("name", "value"), [("lr", -1.0), ("memory", "elephant"), ("updates", -1)])
def test_settings_no_student_can_be_trained_with_are_usage_errors(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=name):
        split_params({name: value}, "ued/x", {})
