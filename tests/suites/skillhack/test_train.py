"""Training on real NetHack: exact resume, counting, and evaluation that keeps what it plays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from rlbench.core.registry import Registry
from rlbench.core.seeding import small_seed
from rlbench.suites.skillhack.evaluate import evaluate, learnt
from rlbench.suites.skillhack.experts import generators
from rlbench.suites.skillhack.interface import ACTIONS, Cause, Environments, Observation, Step
from rlbench.suites.skillhack.learners.impala import Impala
from rlbench.suites.skillhack.learners.interface import Method, Rollout, Turn, World
from rlbench.suites.skillhack.learners.ppo import Ppo
from rlbench.suites.skillhack.settings import task_settings
from rlbench.suites.skillhack.train import Trainer, workers_for
from rlbench.suites.skillhack.vector import make_vector

SETTINGS = task_settings(Registry.load().tasks["skillhack/take-off"])
METHODS: dict[str, Method] = {
    "ppo": Ppo(unroll=24, epochs=1, minibatches=2),
    "impala": Impala(unroll=24, lag=2, memory="lstm"),
}


def environments(n: int = 3, purpose: Any = "train") -> Environments:
    return make_vector(SETTINGS, purpose=purpose, seed=5, n=n)


def trainer(method: Method, env: Environments, budget: int = 288) -> Trainer:
    rngs = generators(lambda purpose: small_seed("test", purpose), torch.device("cpu"))
    world = World(
        network="small",
        n_actions=len(ACTIONS),
        environments=env.n,
        env_steps=budget,
        skills=(),
        task="take-off",
        rngs=rngs,
        device=torch.device("cpu"),
        experts=lambda names, training: [],
    )
    return Trainer(method.begin(world), env, rngs, budget, published=False)


@pytest.mark.parametrize("name", METHODS)
def test_an_interrupted_training_ends_as_an_uninterrupted_one(name: str) -> None:
    """Interrupted after every rollout, in the middle of episodes."""
    with environments() as env:
        running = trainer(METHODS[name], env)
        told = []
        while not running.over:
            told.append(dict(running.cycle().told))
        whole = running.state()
    state, again = None, []
    while True:
        with environments() as env:
            running = trainer(METHODS[name], env)
            if state is not None:
                running.restore(state)
            if running.over:
                break
            again.append(dict(running.cycle().told))
            state = running.state()

    assert state is not None
    assert len(again) == 4
    assert again == told
    assert set(state) == set(whole)
    for key, array in whole.items():
        np.testing.assert_array_equal(state[key], array, err_msg=key)
    assert running.counts.episodes > 0


def test_a_trial_has_as_many_worker_processes_as_threads_and_none_when_it_has_one() -> None:
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append((workers_for(16), workers_for(2)))
    finally:
        torch.set_num_threads(before)

    assert found == [(0, 0), (2, 2), (3, 2)]


def test_steps_and_episodes_are_counted() -> None:
    with environments() as env:
        running = trainer(METHODS["ppo"], env)
        cycles = []
        while not running.over:
            cycles.append(running.cycle())

        assert running.counts.env_steps == 4 * 24 * 3
        assert running.counts.learner_updates == running.updates == 4
        assert running.counts.episodes == sum(len(cycle.returns) for cycle in cycles)
        assert running.counts.episodes == env.episodes.sum()
    played = sum(cycle.lengths.sum() for cycle in cycles) + running._open[1].sum()
    assert played == running.counts.env_steps


class Recorder:
    """Acts by chance and writes down what it saw."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.dones: list[np.ndarray[Any, Any]] = []

    def act(self, observation: Observation, step: Step | None) -> np.ndarray[Any, Any]:
        if step is not None:
            self.dones.append(step.terminated | step.truncated)
        return self.rng.integers(0, len(ACTIONS), len(observation.glyphs))


def test_every_slot_plays_its_share_of_the_episodes() -> None:
    """7 episodes in 3 slots: 3, 2 and 2, however long the others take."""
    with environments(3, "evaluate") as env:
        found = evaluate(Recorder().act, env, 7)
        env.reset()
        first = env.seeds()[:, 0]

    assert found["episode_seed"].shape == (7, 2)
    assert found["episode_seed"][[0, 3, 5], 0].tolist() == first.tolist()
    assert len(set(found["episode_seed"][:, 0].tolist())) == 7
    assert set(found["episode_cause"].tolist()) <= set(Cause) - {Cause.RUNNING}


def test_an_episode_is_its_seeds_and_actions() -> None:
    """Played again one by one, in one slot, from nothing but the evidence."""
    from rlbench.suites.skillhack.watch import WatchedGame

    with environments(2, "evaluate") as env:
        found = evaluate(Recorder().act, env, 6)
    offsets = found["episode_offsets"]

    with WatchedGame(SETTINGS) as game:
        for i in range(6):
            game.begin(*found["episode_seed"][i].tolist())
            verdicts = [game.step(a) for a in found["episode_keys"][offsets[i] : offsets[i + 1]]]

            assert sum(v.reward for v in verdicts) == pytest.approx(
                found["episode_return"][i], abs=1e-4
            )
            assert [v.cause for v in verdicts[:-1]] == [Cause.RUNNING] * (len(verdicts) - 1)
            assert verdicts[-1].cause == found["episode_cause"][i]


def test_training_and_evaluation_share_no_level() -> None:
    seeds = {}
    for purpose in ("train", "evaluate"):
        with environments(16, purpose) as env:
            env.reset()
            seeds[purpose] = set(env.seeds()[:, 0].tolist())

    assert not seeds["train"] & seeds["evaluate"]


def test_memory_is_forgotten_between_evaluation_episodes() -> None:
    """A learner that counts its steps starts again at every episode."""

    class Counter:
        unroll = 1

        def __init__(self) -> None:
            self.seen: list[list[float]] = []

        def see(self, observation: Observation) -> tuple[torch.Tensor, ...]:
            return (torch.zeros(len(observation.glyphs)),)

        def start(self, n: int) -> tuple[torch.Tensor, ...]:
            return (torch.zeros(n, 1),)

        def play(self, seen: Any, memory: Any, rng: Any) -> Any:
            self.seen.append(memory[0][:, 0].tolist())
            n = len(seen[0])
            action = torch.randint(0, len(ACTIONS), (n,), generator=rng)
            return Turn(action, action, torch.zeros(n), torch.zeros(n), (memory[0] + 1,))

    learner, rng = Counter(), torch.Generator().manual_seed(0)
    with environments(1, "evaluate") as env:
        found = evaluate(learnt(learner, 1, rng), env, 3)  # type: ignore[arg-type]

    lengths = found["episode_length"].tolist()
    assert [row[0] for row in learner.seen] == [float(t) for n in lengths for t in range(n)]


@pytest.mark.parametrize("published", [False, True])
def test_running_out_of_time_is_a_loss_in_published_tasks_only(published: bool) -> None:
    """Elsewhere the learner is told where the task would have gone on."""

    class Listener:
        """Presses escape all the time."""

        unroll, gradient_steps = 12, 0

        def __init__(self) -> None:
            self.cuts: list[torch.Tensor] = []

        def see(self, observation: Observation) -> tuple[torch.Tensor, ...]:
            return (torch.zeros(len(observation.glyphs)),)

        def start(self, n: int) -> tuple[torch.Tensor, ...]:
            return ()

        def act(self, seen: Any, memory: Any) -> Turn:
            action = torch.full((len(seen[0]),), ACTIONS.index("escape"))
            zeros = torch.zeros(len(seen[0]))
            return Turn(action, action, zeros, zeros, ())

        def learn(self, rollout: Rollout) -> dict[str, float]:
            self.cuts.append(rollout.cut)
            assert not (rollout.cut & ~rollout.done).any()
            return {}

    learner: Any = Listener()
    settings = replace(SETTINGS, max_steps=5, published=published)
    with make_vector(settings, purpose="train", seed=5, n=2) as env:
        Trainer(learner, env, {}, 24, published=published).cycle()

    expected = torch.zeros(12, 2, dtype=torch.bool)
    expected[[4, 9]] = not published
    assert torch.equal(learner.cuts[0], expected)
