"""`rlbench replay`: recorded episodes of suite `skillhack`, in the terminal or as files."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rlbench.cli.output import say


@click.command()
@click.argument("record", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--episode", type=click.IntRange(0), help="Its number; by default the first that was won."
)
@click.option(
    "--gif", type=click.Path(dir_okay=False, path_type=Path), help="Write an animation instead."
)
@click.option(
    "--ttyrec", type=click.Path(dir_okay=False, path_type=Path),
    help="Write a recording for ttyplay and its like instead.",
)  # fmt: skip
@click.option(
    "--speed", type=click.FloatRange(0, min_open=True), default=4.0, show_default=True,
    help="Actions per second.",
)  # fmt: skip
def replay(
    record: Path, episode: int | None, gif: Path | None, ttyrec: Path | None, speed: float
) -> None:
    """Play an evaluation episode of a `skillhack` RECORD (seed-N.json) again, exactly.

    It is played in NetHack from its seeds and actions, and must end as the record says.
    """
    from rlbench.suites.skillhack.replay import (
        choose,
        describe,
        frames,
        read_episodes,
        save_gif,
        save_ttyrec,
        show,
    )

    settings, episodes = read_episodes(record)
    number = choose(episodes, episode)
    shown, delay = episodes[number], 1 / speed
    if gif is None and ttyrec is None:
        show(frames(settings, shown), _write, delay=delay)
    for path, save in ((gif, save_gif), (ttyrec, save_ttyrec)):
        if path is not None:
            save(frames(settings, shown), path, delay=delay)
            say(str(path))
    say(f"episode {number} of 0 to {len(episodes) - 1}: {describe(shown)}")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
