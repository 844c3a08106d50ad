"""NetHack's seeds for every episode, from its place in a trial; independent of date and process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from rlbench.core.seeding import entropy

Purpose = Literal["train", "evaluate"]

Split = Literal["train", "dev", "test"]

SILG_CORE_SEEDS: Mapping[Split, range] = {
    "train": range(1_000_000),
    "dev": range(1_000_000, 2_000_000),
    "test": range(2_000_000, 3_000_000),
}
"""Zhong et al. 2021 (arXiv 2110.10661) tell their games apart by NetHack's first seed alone."""

_LOW = 2**62 - 1


class GameSeed(NamedTuple):
    """What NetHack's two generators start from, below 2^63."""

    core: int
    """Levels and play; even in training and odd in evaluation, so that no seed is in both."""
    disp: int
    """What is random on the display only."""


def episode_seed(
    seed: int, purpose: Purpose, slot: int, episode: int, attempt: int = 0
) -> GameSeed:
    """The seeds of one episode.

    Args:
        seed: of the trial.
        purpose: what the episode is for.
        slot: which of the environments side by side.
        episode: how many the slot has played before.
        attempt: how many levels were thrown away because they cannot be solved.
    """
    drawn = entropy("skillhack-episode", seed, purpose, slot, episode, attempt)
    odd = purpose == "evaluate"
    return GameSeed((drawn >> 64 & _LOW) << 1 | odd, drawn & _LOW)


def silg_seed(seed: int, split: Split, slot: int, episode: int) -> GameSeed:
    """The seeds of one episode of a SILG task; see `episode_seed` for the arguments.

    The core seed is drawn from the split, with replacement as published. The published display
    seed is fresh chance; here it follows from the trial too.
    """
    drawn = entropy("skillhack-silg", seed, split, slot, episode)
    cores = SILG_CORE_SEEDS[split]
    return GameSeed(cores[(drawn >> 64) % len(cores)], drawn & _LOW)
