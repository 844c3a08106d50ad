"""Spoilt digits and photographs, and pictures that hold nothing but noise."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rlbench.core.seeding import generator
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


def spoilt_photo(image: Array, index: int) -> Array:
    """A colour picture under one of three mild corruptions, by its index: noise, blur, fading.

    Ours, not those of CIFAR-10-C: Gaussian noise with deviation 25, a 3x3 box blur done twice, or
    contrast 0.4 about mid-grey. The class can still be seen.

    Args:
        image: uint8 (h, w, 3).
        index: the picture's place in its set, which also seeds its noise.
    """
    x = image.astype(np.float32)
    if index % 3 == 0:
        return quantised(x + generator("ood", "spoilt-photo", index).normal(0, 25.0, x.shape))
    if index % 3 == 1:
        return quantised(_box(_box(x)))
    return quantised(127.5 + 0.4 * (x - 127.5))


def _box(x: Array) -> Array:
    """Means over 3x3 pixels; the edge is repeated."""
    height, width = x.shape[:2]
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)), mode="edge")
    parts = [padded[i : i + height, j : j + width] for i in range(3) for j in range(3)]
    mean: Array = np.mean(parts, axis=0)
    return mean


def half_digits(rng: np.random.Generator, classes: Classes, n: int) -> Examples:
    """The upper half of one digit above the lower half of another: outliers to train with."""
    upper = rng.permutation(n) % 10
    lower = (upper + rng.integers(1, 10, n)) % 10
    return unlabelled(
        np.concatenate([_digits_of(rng, upper)[:, :14], _digits_of(rng, lower)[:, 14:]], axis=1)
    )


def _digits_of(rng: np.random.Generator, wanted: Array) -> Array:
    """Images of the digits asked for, in that order, uint8 (n, IMAGE, IMAGE)."""
    counts = np.bincount(wanted, minlength=10)
    found = digits(rng, tuple(range(10)), 10 * int(counts.max()))
    images = np.empty((len(wanted), IMAGE, IMAGE), dtype=np.uint8)
    for digit in range(10):
        images[wanted == digit] = found.x[found.y == digit][: counts[digit]]
    return images


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
