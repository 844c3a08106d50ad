"""Sets far from any glyph: spoilt digits, and pictures that hold nothing but noise."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rlbench.suites.ood.examples import Array, Classes, Examples, Maker, unlabelled
from rlbench.suites.ood.glyph import (
    ALPHABETS,
    IMAGE,
    draw,
    glyphs,
    load_atlas,
    quantised,
    with_noise,
)

UPSIDE_DOWN = "23457"
"""Digits that are none when turned by 180 degrees (0, 1 and 8 stay, 6 and 9 change places)."""

digits = glyphs("digits")


def upside_down(rng: np.random.Generator, classes: Classes, n: int) -> Examples:
    """Digits turned by 180 degrees; a class is a digit of `UPSIDE_DOWN`."""
    images, y = draw(rng, "".join(UPSIDE_DOWN[c] for c in classes), n, load_atlas())
    return Examples(with_noise(rng, images[:, ::-1, ::-1]), y)


def inverted(rng: np.random.Generator, classes: Classes, n: int) -> Examples:
    """Digits dark on white; a class is a digit."""
    upright = digits(rng, classes, n)
    return Examples(255 - upright.x, upright.y)


def pixel_shuffled(rng: np.random.Generator, classes: Classes, n: int) -> Examples:
    """Digits whose pixels are put in a random order, another one for each image."""
    flat = digits(rng, classes, n).x.reshape(n, -1)
    return unlabelled(rng.permuted(flat, axis=1).reshape(n, IMAGE, IMAGE))


def gaussian(rng: np.random.Generator, classes: Classes, n: int) -> Examples:
    """Every pixel N(127.5, 64), clipped."""
    return unlabelled(quantised(rng.normal(127.5, 64.0, (n, IMAGE, IMAGE))))


def uniform(rng: np.random.Generator, classes: Classes, n: int) -> Examples:
    """Every pixel uniform over the greys."""
    return unlabelled(rng.integers(0, 256, (n, IMAGE, IMAGE), dtype=np.uint8))


def black_noise(rng: np.random.Generator, classes: Classes, n: int) -> Examples:
    """The glyph images' background alone: black, with their noise."""
    black: Array = np.zeros((n, IMAGE, IMAGE), dtype=np.float32)
    return unlabelled(with_noise(rng, black))


SPOILT_DIGITS: Mapping[str, tuple[Maker, int]] = {
    "upside-down": (upside_down, len(UPSIDE_DOWN)),
    "inverted": (inverted, len(ALPHABETS["digits"])),
    "pixel-shuffled": (pixel_shuffled, len(ALPHABETS["digits"])),
}
"""Makers, and how many classes of digits there are to choose from."""

NOISES: Mapping[str, Maker] = {
    "gaussian": gaussian,
    "uniform": uniform,
    "black-noise": black_noise,
}
