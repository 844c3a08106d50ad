"""Procedural textures, 28x28 grey: gratings, checkers, 1/f noise, rings and Worley cells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rlbench.suites.ood.examples import Array, Classes, Examples
from rlbench.suites.ood.glyph import IMAGE, quantised

CELLS = 8  # feature points of a Worley texture
Texture = Callable[[np.random.Generator, int], Array]
"""Draws n pictures of one kind, any range of values, (n, IMAGE, IMAGE)."""


def textures(rng: np.random.Generator, classes: Classes, n: int) -> Examples:
    """Draws textures, each stretched to a random range of greys; a class is a kind of `KINDS`."""
    y = np.arange(n, dtype=np.int64) % len(classes)
    images = np.empty((n, IMAGE, IMAGE))
    for i, kind in enumerate(classes):
        chosen = y == i
        images[chosen] = KINDS[kind](rng, int(chosen.sum()))
    low, high = images.min((1, 2), keepdims=True), images.max((1, 2), keepdims=True)
    dark, bright = rng.uniform(0, 80, (n, 1, 1)), rng.uniform(160, 255, (n, 1, 1))
    return Examples(quantised(dark + (bright - dark) * (images - low) / (high - low)), y)


def _turned(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """The pixels' coordinates in randomly turned and shifted frames, two (n, IMAGE, IMAGE)."""
    grid = np.arange(IMAGE) - (IMAGE - 1) / 2
    shift = rng.uniform(-IMAGE / 2, IMAGE / 2, (2, n, 1, 1))
    angle = rng.uniform(0, np.pi, (n, 1, 1))
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = grid[None, None, :], grid[None, :, None]
    return cos * x + sin * y + shift[0], cos * y - sin * x + shift[1]


def gratings(rng: np.random.Generator, n: int) -> Array:
    """Sine waves with a period of 4 to 14 pixels."""
    u, _ = _turned(rng, n)
    return np.sin(2 * np.pi * u / rng.uniform(4, 14, (n, 1, 1)))


def checkers(rng: np.random.Generator, n: int) -> Array:
    """Chessboards with fields of 3 to 9 pixels."""
    u, v = _turned(rng, n)
    field = rng.uniform(3, 9, (n, 1, 1))
    return (np.floor(u / field) + np.floor(v / field)) % 2


def pink_noise(rng: np.random.Generator, n: int) -> Array:
    """Noise whose amplitude falls with frequency f as 1/f^a, a between 0.8 and 1.6."""
    frequency = np.hypot(np.fft.fftfreq(IMAGE)[:, None], np.fft.rfftfreq(IMAGE)[None, :])
    frequency[0, 0] = np.inf  # no constant part
    spectrum = np.fft.rfft2(rng.standard_normal((n, IMAGE, IMAGE)))
    exponent = rng.uniform(0.8, 1.6, (n, 1, 1))
    return np.fft.irfft2(spectrum * frequency**-exponent, s=(IMAGE, IMAGE))


def rings(rng: np.random.Generator, n: int) -> Array:
    """Concentric waves about a point in or near the picture, period 4 to 14 pixels."""
    u, v = _turned(rng, n)
    return np.sin(2 * np.pi * np.hypot(u, v) / rng.uniform(4, 14, (n, 1, 1)))


def worley(rng: np.random.Generator, n: int) -> Array:
    """Distance from each pixel to the nearest of some random points (Worley, SIGGRAPH 1996)."""
    points = rng.uniform(0, IMAGE, (2, n, CELLS, 1, 1))
    grid = np.arange(IMAGE)
    distance = np.hypot(grid[None, :] - points[0], grid[:, None] - points[1])
    nearest: Array = distance.min(1)
    return nearest


KINDS: tuple[Texture, ...] = (gratings, checkers, pink_noise, rings, worley)
