"""Recorded episodes played again, exactly: in the terminal, as a GIF, as a ttyrec.

A record keeps an episode as NetHack's two seeds and the actions. Played again it must end as it did
then, or the record is not what it says.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rlbench.core.errors import CorruptError, UsageError
from rlbench.core.record import Record, read_evidence, read_record
from rlbench.core.registry import Registry
from rlbench.suites.skillhack.interface import Cause, actions_of
from rlbench.suites.skillhack.seeding import GameSeed
from rlbench.suites.skillhack.settings import TaskSettings, task_settings

if TYPE_CHECKING:
    from rlbench.suites.skillhack.watch import Screen


@dataclass(frozen=True, eq=False)
class Episode:
    """What a record keeps of one episode."""

    seed: GameSeed
    actions: list[int]
    """Indices of `interface.actions_of`."""
    returned: float
    success: bool
    cause: Cause


class Frame(NamedTuple):
    """The terminal after an action."""

    screen: Screen
    """A copy."""
    action: str
    """What was done; empty at first."""


def read_episodes(record: Path) -> tuple[TaskSettings, list[Episode]]:
    """The task and the evaluation episodes of a record.

    Raises:
        UsageError: a record of another suite, or its task is not here in that version.
        MissingError: the record is here without its evidence.
        CorruptError: record or evidence are not whole.
    """
    about = read_record(record)
    settings = _settings(record, about)
    evidence = read_evidence(record, about)
    try:
        spans = pairwise(evidence["episode_offsets"].tolist())
        keys = [evidence["episode_keys"][first:end].tolist() for first, end in spans]
        names = ("seed", "return", "success", "cause")
        columns = (evidence[f"episode_{name}"].tolist() for name in names)
        episodes = [
            Episode(GameSeed(*seed), actions, returned, bool(success), Cause(cause))
            for actions, seed, returned, success, cause in zip(keys, *columns, strict=True)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptError(f"{record}: the evidence holds no episodes: {error}") from error
    return settings, episodes


def _settings(path: Path, record: Record) -> TaskSettings:
    if record.suite != "skillhack":
        raise UsageError(f"{path}: expected a record of suite skillhack, found {record.suite}")
    task = Registry.load().tasks.get(record.task.id)
    if task is None or task.sha256 != record.task.spec_sha256:
        raise UsageError(
            f"{path}: {record.task.id} version {record.task.version} is not the task that is here,"
            " so its episodes cannot be played again"
        )
    return task_settings(task)


def choose(episodes: list[Episode], number: int | None) -> int:
    """The episode to show: the one asked for, else the first success, else the first.

    Raises:
        UsageError: there are not so many.
    """
    if number is None:
        return next((i for i, episode in enumerate(episodes) if episode.success), 0)
    if not 0 <= number < len(episodes):
        raise UsageError(f"episode: expected 0 to {len(episodes) - 1}, found {number}")
    return number


def describe(episode: Episode) -> str:
    """How an episode went, in a line."""
    won = "won" if episode.success else "not won"
    return (
        f"{won}, {episode.cause.name.lower()} after {len(episode.actions)} actions,"
        f" return {episode.returned:.3f}, seeds {episode.seed.core} and {episode.seed.disp}"
    )


def frames(settings: TaskSettings, episode: Episode) -> Iterator[Frame]:
    """The terminal at first and after every action.

    Raises:
        CorruptError: the episode does not end as it did when it was recorded.
    """
    from rlbench.suites.skillhack.watch import WatchedGame

    total, cause, names = 0.0, Cause.RUNNING, actions_of(settings)
    with WatchedGame(settings) as game:
        game.begin(*episode.seed)
        yield Frame(_copy(game.screen()), "")
        for action in episode.actions:
            if cause != Cause.RUNNING or not 0 <= action < len(names):
                cause = Cause.RUNNING
                break
            reward, cause = game.step(action)
            total += reward
            yield Frame(_copy(game.screen()), names[action])
    if cause != episode.cause or abs(total - episode.returned) > 1e-3:
        raise CorruptError(
            f"episode {tuple(episode.seed)}: {cause.name.lower()} at its end, return {total:.3f};"
            f" the record says {episode.cause.name.lower()}, {episode.returned:.3f}"
        )


def _copy(screen: Screen) -> Screen:
    chars, colors, cursor = screen
    return screen._replace(chars=chars.copy(), colors=colors.copy(), cursor=cursor.copy())


def drawn(frame: Frame) -> str:
    """A frame as what a terminal must be told: from the top, over the frame before."""
    from rlbench.suites.skillhack.screen import ansi

    clear = "" if frame.action else "\x1b[2J"
    return clear + "\x1b[H" + ansi(frame.screen).replace("\n", "\x1b[K\r\n")


def show(
    moving: Iterator[Frame],
    write: Callable[[str], object],
    *,
    delay: float,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Play frames in a terminal, `delay` seconds each, with the action below the map."""
    for frame in moving:
        write(drawn(frame) + f"\x1b[25;1H\x1b[K{frame.action or 'begin'}")
        sleep(delay)
    write("\r\n")


def save_ttyrec(moving: Iterator[Frame], path: Path, *, delay: float) -> int:
    """Write frames as a ttyrec: per frame seconds, microseconds, length (uint32), then the text.

    Returns:
        How many frames there are.
    """
    count = 0
    with path.open("wb") as stream:
        for frame in moving:
            text = drawn(frame).encode()
            seconds, part = divmod(round(count * delay * 1e6), 1_000_000)
            stream.write(struct.pack("<III", seconds, part, len(text)) + text)
            count += 1
    return count


def save_gif(moving: Iterator[Frame], path: Path, *, delay: float) -> int:
    """Write frames as an animation.

    Returns:
        How many frames there are.
    """
    from PIL import Image

    from rlbench.suites.skillhack.screen import picture

    pictures = [Image.fromarray(picture(frame.screen)) for frame in moving]
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=round(delay * 1000), loop=0
    )
    return len(pictures)
