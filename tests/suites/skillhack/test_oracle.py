"""The fast environments show and pay what nle's and minihack's public classes do, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from nethack_levels import OURS, PUBLISHED, settings_of

from rlbench.suites.skillhack.compile import compiled
from rlbench.suites.skillhack.game import DRAWN, NEEDED, SEEN, new_rows, options
from rlbench.suites.skillhack.interface import ACTIONS, Cause, Observation
from rlbench.suites.skillhack.play import Play
from rlbench.suites.skillhack.scripted import ScriptedPlayer
from rlbench.suites.skillhack.seeding import GameSeed, episode_seed
from rlbench.suites.skillhack.settings import TaskSettings

Array = np.ndarray[Any, Any]

pytestmark = pytest.mark.filterwarnings("ignore")  # minihack imports pkg_resources
pytest.importorskip("pkg_resources", reason="setuptools 81 dropped it, and minihack needs it")
slow_nethack = pytest.importorskip("slow_nethack", reason="minihack is not installed")

DESCRIBED = ("screen_descriptions",)
"""minihack always asks nle for these; describing a mimic draws from the game's own chance."""


def fast(settings: TaskSettings, more: tuple[str, ...] = ()) -> Play:
    rows = {name: row[0] for name, row in new_rows(1, (*NEEDED, *more)).items()}
    return Play(settings, compiled(settings.level, settings.level_sha256), rows)


def actions(settings: TaskSettings, episode: int, play: Play) -> Iterator[int]:
    """Scripted in even episodes, so that they are won, and random in odd ones."""
    rng, player = np.random.default_rng(episode), ScriptedPlayer(settings)
    step = None
    while True:
        if episode % 2:
            yield int(rng.integers(len(ACTIONS)))
            continue
        seen = {name: play.game.rows[name][None] for name in SEEN}
        observation = Observation(**seen, prompt=np.zeros((1, 3), np.bool_))
        yield int(player.act(observation, step)[0])
        step = slow_nethack.NOT_OVER


def same(play: Play, observation: dict[str, Array]) -> bool:
    return all(np.array_equal(play.game.rows[name], observation[name]) for name in SEEN)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_task_is_the_published_environment(name: str) -> None:
    settings = settings_of(name)
    play, slow = fast(settings, DESCRIBED), slow_nethack.SlowSkill(settings)
    for episode in range(2):
        seed = episode_seed(7, "train", 0, episode)
        play.begin_at(seed)
        assert same(play, slow.begin(*seed))
        for action in actions(settings, episode, play):
            reward, cause = play.act(action)
            observation, slow_reward, over, _, _ = slow.step(action)
            assert reward == pytest.approx(slow_reward, abs=1e-12)
            assert bool(cause) == over
            if over:  # nle's class has left the game by now, and shows that
                break
            assert same(play, observation)
    play.close()
    slow.close()


@pytest.mark.parametrize("name", [name for name in OURS if not settings_of(name).drink])
def test_our_version_of_a_task_is_the_same_game_under_other_rules(name: str) -> None:
    settings = settings_of(name)
    chosen = options(autopickup=settings.autopickup, published=False)
    play = fast(settings, DESCRIBED)
    slow = slow_nethack.SlowSkill(replace(settings, published=True), options=chosen)
    seed = episode_seed(8, "train", 0, 0)
    play.begin_at(seed)
    assert same(play, slow.begin(*seed))
    for action in np.random.default_rng(0).integers(len(ACTIONS), size=60).tolist():
        cause = play.act(action).cause
        observation, _, over, _, _ = slow.step(action)
        if over or cause:
            break
        assert same(play, observation)
    play.close()
    slow.close()


def test_looking_at_the_terminal_changes_no_game() -> None:
    settings = settings_of("throw")
    plain, watched = fast(settings), fast(settings, DRAWN)
    for play in (plain, watched):
        play.begin_at(GameSeed(2, 3))
    for action in np.random.default_rng(0).integers(len(ACTIONS), size=150).tolist():
        verdict = plain.act(action)
        assert verdict == watched.act(action)
        if verdict.cause is not Cause.RUNNING:
            break
        assert same(plain, dict(watched.game.rows))
    plain.close()
    watched.close()
