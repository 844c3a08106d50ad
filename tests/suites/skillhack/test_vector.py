"""Many slots at once: repeatable, independent of workers, resumable, steady."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nethack_levels import play_hash, settings_of

from rlbench.core.errors import RlbenchError, UsageError
from rlbench.suites.skillhack.interface import ACTIONS, Cause, Environments, Step
from rlbench.suites.skillhack.vector import make_vector

Array = np.ndarray[Any, Any]

FAST = "wield"


def vector(name: str = FAST, n: int = 4, workers: int = 0, seed: int = 1) -> Environments:
    return make_vector(settings_of(name), purpose="train", seed=seed, n=n, workers=workers)


def random_steps(env: Environments, steps: int, seed: int = 0) -> Iterator[Step]:
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        yield env.step(rng.integers(len(ACTIONS), size=env.n))


def test_any_number_of_workers_plays_the_same_games() -> None:
    hashes = set()
    for workers in (0, 1, 2, 4):
        with vector(workers=workers) as env:
            hashes.add(play_hash(env, 200))

    assert len(hashes) == 1


def test_a_second_run_is_the_same_and_another_seed_is_not() -> None:
    hashes = []
    for seed in (1, 1, 2):
        with vector(seed=seed) as env:
            hashes.append(play_hash(env, 120))

    assert hashes[0] == hashes[1] != hashes[2]


def test_what_a_slot_plays_does_not_depend_on_how_many_there_are() -> None:
    with vector(n=1) as one, vector(n=3) as three:
        one.reset()
        three.reset()
        for step in range(150):
            action = step * 7 % len(ACTIONS)
            alone, among = one.step(np.array([action])), three.step(np.full(3, action))
            assert alone.reward[0] == among.reward[0]
            assert np.array_equal(alone.observation.glyphs[0], among.observation.glyphs[0])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_restored_vector_goes_on_as_if_it_had_never_stopped(workers: int) -> None:
    with vector("zap-cold", workers=workers) as env:
        env.reset()
        for _ in random_steps(env, 130):
            pass
        state = env.state()
        told = [array.copy() for step in random_steps(env, 60, 1) for array in flat(step)]
    with vector("zap-cold", workers=workers) as env:
        env.restore(state)
        again = [array.copy() for step in random_steps(env, 60, 1) for array in flat(step)]

    assert (state["episodes"] > 0).any()
    assert all(np.array_equal(a, b) for a, b in zip(told, again, strict=True))


def flat(step: Step) -> tuple[Array, ...]:
    return (*step.observation, *step[1:])


def test_where_an_episode_ends_the_next_one_has_begun() -> None:
    with vector("take-off", n=2) as env:
        env.reset()
        before = env.seeds()
        step = env.step(np.full(2, ACTIONS.index("take-off")))
        clock = step.observation.blstats[:, 20]

        assert step.success.all()
        assert step.cause.tolist() == [Cause.EVENT] * 2
        assert clock.tolist() == [1, 1]
        assert env.episodes.tolist() == [1, 1]
        assert (env.seeds() != before).all()


def test_the_time_limit_cuts_off_and_is_no_end_of_the_game() -> None:
    with vector("fight", n=1) as env:
        env.reset()
        for i in range(250):
            step = env.step(np.array([ACTIONS.index("escape")]))
            assert step.truncated[0] == (i == 249)
            assert not step.terminated[0]


def test_the_published_tasks_keep_levels_that_ours_draw_again() -> None:
    carried = {}
    for name in ("apply-frost-horn", "apply-frost-horn-published"):
        with vector(name, n=60) as env:
            messages = env.reset().message
            carried[name] = np.mean([b"f - a horn" in row.tobytes() for row in messages])

    assert carried["apply-frost-horn"] == 1.0
    assert 0.7 < carried["apply-frost-horn-published"] < 1.0


@pytest.mark.parametrize(
    "actions", [np.zeros(3, np.int64), np.zeros(4), np.full(4, len(ACTIONS)), np.full(4, -1)]
)
def test_actions_that_are_none_are_refused(actions: Array) -> None:
    with vector() as env:
        env.reset()
        with pytest.raises(UsageError, match="actions: expected"):
            env.step(actions)


@pytest.mark.parametrize(("n", "workers"), [(0, 0), (2, 3), (2, -1)])
def test_senseless_sizes_are_refused(n: int, workers: int) -> None:
    with pytest.raises(UsageError, match="n, workers: expected"):
        vector(n=n, workers=workers)


@pytest.mark.slow
def test_an_episode_keeps_no_file_open_and_no_more_memory_than_nethack_loses() -> None:
    def kept() -> tuple[int, int]:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, len(
            list(Path("/proc/self/fd").iterdir())
        )

    with vector("take-off", n=4) as env:
        env.reset()
        act = np.full(4, ACTIONS.index("take-off"))
        for _ in range(250):
            env.step(act)
        memory, files = kept()
        for _ in range(500):
            env.step(act)
        more_memory, more_files = kept()

    assert more_files - files <= 4  # one more while a slot's next level is being read
    assert more_memory - memory < 2000 * 3  # kB, for 2000 episodes


def test_an_error_of_the_level_reaches_whoever_asked() -> None:
    settings = settings_of("fight")
    object.__setattr__(settings, "solvable", ("reach-stairs",))

    with (
        make_vector(settings, purpose="train", seed=0, n=1) as env,
        pytest.raises(RlbenchError, match="level 'fight': none of 1000 levels passes"),
    ):
        env.reset()
