"""SILG's NetHack: its thresholds, rewards and seeds, held against nle's own classes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from click.testing import CliRunner
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st
from nethack_levels import SILG, TASKS, play_hash, record_of_chance, settings_of
from nle.env import tasks as nle_tasks

from rlbench.cli.skillhack import replay
from rlbench.core.errors import SpecError
from rlbench.core.registry import Registry
from rlbench.suites.skillhack import gym
from rlbench.suites.skillhack.game import NEEDED, SEEN, new_rows
from rlbench.suites.skillhack.interface import ACTIONS, NLE_ACTIONS, Cause, actions_of
from rlbench.suites.skillhack.replay import frames, read_episodes
from rlbench.suites.skillhack.seeding import SILG_CORE_SEEDS, GameSeed, Purpose, silg_seed
from rlbench.suites.skillhack.settings import task_settings
from rlbench.suites.skillhack.silg import SilgPlay, Target
from rlbench.suites.skillhack.suite import SUITE
from rlbench.suites.skillhack.vector import make_vector

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
DATES = ("2026-11-24 12:00:00", "2026-11-13 23:59:07")  # full moon; the night of a Friday 13th
WAIT = NLE_ACTIONS.index("wait")

EXPERTS = {
    "silg-gold": (4.38, 4.38, 1.37, 16.38, 2.38, 8.38, 2.38, 0.38),
    "silg-scout": (428.38, 374.38, 323.38, 301.38, 237.38, 258.38, 293.38, 307.38),
    "silg-score": (102.38, -2.62, 9.38, 10.38, 211.38, 32.38, 85.38, 5.38),
    "silg-gold-old": (4.62, 4.71, 6.67, 3.68, 6.73),
    "silg-scout-old": (170, 50, 85, 67, 80),
    "silg-score-old": (15, 3.75, 2.75, 2.64, 30),
}
"""What SILG's code gives as its experts' results."""
GAMES = {"silg-gold-old": 48, "silg-scout-old": 8, "silg-score-old": 32, "silg-score": 2}
"""Random games, enough of them that one is won with each of the old thresholds."""


@pytest.mark.parametrize("name", sorted(EXPERTS))
def test_a_threshold_is_the_mean_of_the_experts_results(name: str) -> None:
    assert settings_of(name).threshold == pytest.approx(np.mean(EXPERTS[name]), abs=1e-9)


def test_tasks_for_tuning_differ_in_their_held_out_seeds_alone() -> None:
    for name in ("silg-gold", "silg-scout", "silg-score"):
        assert settings_of(f"{name}-dev") == replace(settings_of(name), held_out="dev")


def gathered(env: Any, seen: dict[tuple[int, int], int]) -> int:
    """Gold, score, or map cells seen on all levels, from what the game shows."""
    shown = dict(zip(env._observation_keys, env.last_observation, strict=True))
    stats = shown["blstats"]
    if isinstance(env, nle_tasks.NetHackScout):
        seen[int(stats[23]), int(stats[24])] = int((shown["glyphs"] != 2359).sum())
        return sum(seen.values())
    return int(stats[13 if isinstance(env, nle_tasks.NetHackGold) else 9])


def slow_games(name: str, actions: np.ndarray[Any, Any]) -> Iterator[list[tuple[float, Cause]]]:
    """Rewards and ends by SILG's rules, game after game, on a class of nle's with its defaults."""
    kind = getattr(nle_tasks, settings_of(name).environment.removesuffix("-v0"))
    env = kind(observation_keys=SEEN, fix_moon_phase=True)
    for number, keys in enumerate(actions):
        env.seed(2_000_000 + number, number)
        env.reset()
        cells: dict[tuple[int, int], int] = {}
        first = 0 if isinstance(env, nle_tasks.NetHackScout) else gathered(env, cells)
        last, game = first, []
        for i, key in enumerate(keys):
            _, _, dead, _, _ = env.step(int(key))
            last = last if dead else gathered(env, cells)
            over = bool(dead or i == 79)
            if last - first - 0.02 * (i + (not over)) >= np.mean(EXPERTS[name]) - 1e-9:
                game.append((1.0, Cause.EVENT))
            elif over:
                game.append((-1.0, Cause.DEATH if dead else Cause.TIMEOUT))
            else:
                game.append((-0.02, Cause.RUNNING))
            if game[-1][1]:
                break
        yield game
    env.close()


@pytest.mark.parametrize("name", sorted(GAMES))
def test_rewards_and_ends_follow_from_what_nle_shows(name: str) -> None:
    actions = np.random.default_rng(0).integers(len(NLE_ACTIONS), size=(GAMES[name], 80))
    rows = {key: value[0] for key, value in new_rows(1, NEEDED).items()}
    play, ends = SilgPlay(settings_of(name), rows), []
    for number, game in enumerate(slow_games(name, actions)):
        play.begin_at(GameSeed(2_000_000 + number, number))
        assert [play.act(int(key)) for key in actions[number][: len(game)]] == game
        ends.append(game[-1][1])
    play.close()

    assert Cause.TIMEOUT in ends
    assert Cause.EVENT in ends or not name.endswith("-old")


WHOLE = st.integers(-3, 9).map(float)


@given(st.lists(WHOLE, min_size=1, max_size=40), st.booleans())
def test_an_episode_is_won_when_its_sum_reaches_the_threshold(
    paid: list[float], dies: bool
) -> None:
    settings = replace(settings_of("silg-score"), threshold=10.51, max_steps=30)
    target, found = Target(settings), []
    for i, one in enumerate(paid):
        found.append(target.judge(one, game_over=dies and i + 1 == len(paid)))
        if found[-1].cause:
            break

    n = len(found)
    ended = n == 30 or (dies and n == len(paid))
    sums = np.cumsum(paid[:n]) - 0.02 * np.arange(1, n + 1)
    sums[-1] += 0.02 * ended
    won = sums >= 10.51
    assert not won[:-1].any()
    if won[-1]:
        assert found[-1] == (1.0, Cause.EVENT)
    elif ended:
        assert found[-1] == (-1.0, Cause.DEATH if dies and n == len(paid) else Cause.TIMEOUT)
    else:
        assert n == len(paid)
    assert all(step == (-0.02, Cause.RUNNING) for step in found[:-1])


def test_the_splits_are_the_published_ones_and_share_no_game() -> None:
    assert [(cores[0], cores[-1]) for cores in SILG_CORE_SEEDS.values()] == [
        (0, 999_999),
        (1_000_000, 1_999_999),
        (2_000_000, 2_999_999),
    ]


@given(st.integers(0, 2**63), st.integers(0, 999), st.integers(0, 2**40))
def test_a_game_is_of_its_split_and_repeatable(seed: int, slot: int, episode: int) -> None:
    for split, cores in SILG_CORE_SEEDS.items():
        game = silg_seed(seed, split, slot, episode)
        assert game == silg_seed(seed, split, slot, episode)
        assert game.core in cores
        assert 0 <= game.disp < 2**63


@pytest.mark.parametrize(
    ("name", "purpose", "million"),
    [
        ("silg-gold", "train", 0),
        ("silg-gold-dev", "train", 0),
        ("silg-gold-dev", "evaluate", 1),
        ("silg-gold-old", "evaluate", 2),
    ],
)
def test_training_and_evaluation_play_their_splits(
    name: str, purpose: Purpose, million: int
) -> None:
    with make_vector(settings_of(name), purpose=purpose, seed=0, n=4) as env:
        env.reset()
        cores = env.seeds()[:, 0]

    assert (cores // 1_000_000 == million).all()
    assert len(set(cores.tolist())) == 4


def test_actions_are_named_after_nle_s_keys_and_as_many_as_everywhere() -> None:
    ways = dict(zip(("N", "E", "S", "W", "NE", "SE", "SW", "NW"), ACTIONS[:8], strict=True))

    def named(action: Any) -> str:
        kind = type(action).__name__
        way = ways.get(action.name, action.name.lower())
        return f"far {way}" if kind == "CompassDirectionLonger" else way

    assert tuple(map(named, nle_tasks.TASK_ACTIONS)) == NLE_ACTIONS
    assert len(NLE_ACTIONS) == len(ACTIONS)
    assert actions_of(settings_of("silg-score")) == NLE_ACTIONS
    assert actions_of(settings_of("eat")) == ACTIONS


def test_running_out_of_time_is_a_loss_after_eighty_steps() -> None:
    with make_vector(settings_of("silg-gold"), purpose="train", seed=0, n=1) as env:
        env.reset()
        steps = [env.step(np.array([WAIT])).reward.item() for _ in range(79)]
        last = env.step(np.array([WAIT]))

        assert steps == pytest.approx([-0.02] * 79)
        assert last.reward.tolist() == [-1.0]
        assert last.truncated.all()
        assert not last.success.any()


def hashed(name: str, workers: int = 0) -> str:
    with make_vector(settings_of(name), purpose="train", seed=0, n=2, workers=workers) as env:
        return play_hash(env, 120)


def test_any_number_of_workers_plays_the_same_games() -> None:
    assert len({hashed("silg-gold"), hashed("silg-gold"), hashed("silg-gold", workers=2)}) == 1


def test_a_restored_vector_goes_on_as_if_it_had_never_stopped() -> None:
    rng = np.random.default_rng(4)
    before, after = rng.integers(len(NLE_ACTIONS), size=(2, 100, 2))

    def told(env: Any) -> list[Any]:
        steps = (env.step(action) for action in after)
        return [
            (s.observation.glyphs.tobytes(), s.reward.tolist(), s.cause.tolist()) for s in steps
        ]

    settings = settings_of("silg-scout-old")
    with make_vector(settings, purpose="train", seed=0, n=2) as env:
        env.reset()
        for action in before:
            env.step(action)
        state, told_at_once = env.state(), told(env)
    with make_vector(settings, purpose="train", seed=0, n=2) as env:
        env.restore(state)

        assert told(env) == told_at_once


@pytest.mark.slow
@pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed (apt install libfaketime)")
def test_moon_friday_and_night_change_nothing() -> None:
    """These games meet no shopkeepers, ants or scrolls, which the card makes an exception of."""
    program = Path(__file__).parents[2] / "support" / "nethack_levels.py"
    dated = {
        subprocess.run(
            [sys.executable, program, "silg-scout", "silg-score"],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "LD_PRELOAD": str(LIBRARIES[0]), "FAKETIME": f"@{date}"},
        ).stdout
        for date in DATES
    }

    assert len(dated) == 1


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a random trial at tier smoke."""
    return record_of_chance(SILG["silg-gold"], tmp_path_factory.mktemp("results"))


def test_recorded_episodes_are_played_again_exactly(record: Path) -> None:
    settings, episodes = read_episodes(record)

    assert len(episodes) == 4
    for episode in episodes:
        shown = list(frames(settings, episode))  # raises if it ends otherwise
        assert [frame.action for frame in shown[1:]] == [NLE_ACTIONS[a] for a in episode.actions]
        assert b"Agent the Candidate" in bytes(shown[0].screen.chars[22])


def test_the_replay_command_shows_a_recorded_episode(record: Path) -> None:
    words = [str(record), "--episode", "0", "--speed", "1e9"]
    answer = CliRunner().invoke(replay, words, catch_exceptions=False)

    assert answer.exit_code == 0
    assert f"after {len(read_episodes(record)[1][0].actions)} actions" in answer.stderr
    assert "Dlvl:1" in answer.stdout


def test_gymnasium_s_checker_finds_nothing() -> None:
    env = gymnasium.make("rlbench/skillhack-silg-scout-v1", render_mode="ansi")
    check_env(env.unwrapped)
    env.close()  # type: ignore[no-untyped-call]
    assert set(SILG) <= set(gym.tasks())


def test_what_nle_does_not_have_is_refused() -> None:
    settings = replace(settings_of("silg-gold"), environment="NetHackSilver-v0")

    with pytest.raises(SpecError, match="nle registers no 'NetHackSilver-v0'"):
        SilgPlay(settings, {})


def test_a_level_has_no_threshold() -> None:
    with pytest.raises(SpecError, match="threshold: expected none"):
        task_settings(replace(TASKS["eat"], params={**TASKS["eat"].params, "threshold": 1.0}))


def test_the_scripted_solver_does_not_play_them() -> None:
    scripted = Registry.load().baselines["skillhack/scripted"]

    assert all(SUITE.misfit(task, scripted) for task in SILG.values())
