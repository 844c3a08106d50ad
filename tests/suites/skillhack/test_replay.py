"""Recorded episodes: played again exactly, exported, and refused where they do not fit."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from nethack_levels import TASKS, record_of_chance, settings_of
from PIL import Image

from rlbench.cli.skillhack import replay
from rlbench.core.errors import CorruptError, UsageError
from rlbench.suites.skillhack.evaluate import evaluate
from rlbench.suites.skillhack.interface import ACTIONS, Cause
from rlbench.suites.skillhack.replay import (
    Episode,
    choose,
    drawn,
    frames,
    read_episodes,
    save_gif,
    save_ttyrec,
    show,
)
from rlbench.suites.skillhack.seeding import GameSeed
from rlbench.suites.skillhack.vector import make_vector

SETTINGS = settings_of("take-off")


@pytest.fixture(scope="module")
def episode() -> Episode:
    """Played in a batch, as in a trial's evaluation."""
    rng = np.random.default_rng(1)
    with make_vector(SETTINGS, purpose="evaluate", seed=2, n=2) as env:
        found = evaluate(lambda seen, step: rng.integers(0, len(ACTIONS), 2), env, 2)
    first, end = found["episode_offsets"][:2]
    return Episode(
        GameSeed(*found["episode_seed"][0].tolist()),
        found["episode_keys"][first:end].tolist(),
        float(found["episode_return"][0]),
        bool(found["episode_success"][0]),
        Cause(int(found["episode_cause"][0])),
    )


def test_an_episode_is_played_again_to_its_end(episode: Episode) -> None:
    shown = list(frames(SETTINGS, episode))

    assert [frame.action for frame in shown[1:]] == [ACTIONS[a] for a in episode.actions]
    assert all(b"Agent" in bytes(frame.screen.chars[22]) for frame in shown[:1])
    again = list(frames(SETTINGS, episode))
    for one, two in zip(shown, again, strict=True):
        np.testing.assert_array_equal(one.screen.chars, two.screen.chars)


@pytest.mark.parametrize("change", ["actions", "returned", "seed"])
def test_a_record_that_does_not_tell_the_truth_is_noticed(episode: Episode, change: str) -> None:
    other = {
        "actions": replace(episode, actions=[14, *episode.actions[:-1]]),
        "returned": replace(episode, returned=episode.returned + 1),
        "seed": replace(episode, seed=GameSeed(1, 1), actions=episode.actions[:-1]),
    }[change]

    with pytest.raises(CorruptError, match="the record says"):
        list(frames(SETTINGS, other))


def test_the_text_of_a_frame_is_the_terminal(episode: Episode) -> None:
    frame = next(frames(SETTINGS, episode))

    lines = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", drawn(frame)).split("\r\n")

    assert len(lines) == 24
    for line, row in zip(lines, frame.screen.chars, strict=True):
        assert line == bytes(row).decode("latin-1")


def test_the_terminal_sees_every_frame_in_its_time(episode: Episode) -> None:
    written: list[str] = []
    slept: list[float] = []

    show(frames(SETTINGS, episode), written.append, delay=0.25, sleep=slept.append)

    assert slept == [0.25] * (len(episode.actions) + 1)
    assert [ACTIONS[a] for a in episode.actions] == [
        text.rpartition("\x1b[K")[2] for text in written[1:-1]
    ]


def test_a_ttyrec_holds_every_frame_with_its_time(episode: Episode, tmp_path: Path) -> None:
    path = tmp_path / "episode.ttyrec"
    count = save_ttyrec(frames(SETTINGS, episode), path, delay=0.4)

    data, place, times = path.read_bytes(), 0, []
    for frame in frames(SETTINGS, episode):
        seconds, part, size = struct.unpack_from("<III", data, place)
        times.append(seconds + part / 1e6)
        assert data[place + 12 : place + 12 + size].decode() == drawn(frame)
        place += 12 + size
    assert place == len(data)
    assert times == pytest.approx([0.4 * i for i in range(count)])


def test_a_gif_is_as_large_as_the_terminal(episode: Episode, tmp_path: Path) -> None:
    path = tmp_path / "episode.gif"
    save_gif(frames(SETTINGS, episode), path, delay=0.1)

    with Image.open(path) as image:
        assert image.size == (560, 312)
        assert np.asarray(image.convert("L")).any()
        assert image.info["duration"] == 100


def test_the_first_success_is_shown_unless_another_is_asked_for(episode: Episode) -> None:
    lost, won = replace(episode, success=False), replace(episode, success=True)

    assert choose([lost, won, won], None) == 1
    assert choose([lost, lost], None) == 0
    assert choose([lost, won], 0) == 0
    with pytest.raises(UsageError, match="expected 0 to 1, found 2"):
        choose([lost, won], 2)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a finished trial of chance."""
    tier = {"env_steps": 1, "environments": 2, "episodes": 4}
    task = replace(TASKS["take-off"], tiers={"smoke": tier})
    return record_of_chance(task, tmp_path_factory.mktemp("results"))


def command(*words: str | Path) -> Result:
    return CliRunner().invoke(replay, [str(word) for word in words], catch_exceptions=False)


def test_a_record_is_played_in_the_terminal(record: Path) -> None:
    _, episodes = read_episodes(record)

    answer = command(record, "--episode", "1", "--speed", "1e9")

    assert answer.exit_code == 0
    assert answer.stdout.count("\x1b[25;1H") == len(episodes[1].actions) + 1
    assert f"after {len(episodes[1].actions)} actions" in answer.stderr
    assert str(episodes[1].seed.core) in answer.stderr


def test_a_record_is_exported_instead_of_shown(record: Path, tmp_path: Path) -> None:
    gif, ttyrec = tmp_path / "a.gif", tmp_path / "a.ttyrec"

    answer = command(record, "--episode", "0", "--gif", gif, "--ttyrec", ttyrec, "--speed", "10")

    assert answer.stdout == ""
    with Image.open(gif) as image:
        assert image.info["duration"] == 100
    assert ttyrec.read_bytes()[12:].startswith(b"\x1b[2J")


def test_what_cannot_be_replayed_is_one_clear_line(record: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="episode: expected 0 to 3, found 4"):
        command(record, "--episode", "4")
    other, text = tmp_path / "seed-0.json", record.read_text()
    other.write_text(text.replace('"skillhack"', '"ued"').replace('"skillhack/', '"ued/'))
    with pytest.raises(UsageError, match="expected a record of suite skillhack, found ued"):
        command(other)
