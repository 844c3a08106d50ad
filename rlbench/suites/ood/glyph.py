"""Glyph images: 28x28 grey pictures of printed characters under random affine transforms.

The characters' shapes come from a committed atlas of masks, so that the pixels depend on no
installed font or renderer; everything else is a batch of numpy operations.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from rlbench.core.arrays import unpack
from rlbench.core.bundled import bundled
from rlbench.core.errors import CorruptError
from rlbench.core.files import file_digest
from rlbench.suites.ood.examples import Array, Classes, Examples, Maker

ALPHABETS = {
    "digits": "0123456789",
    "upper": "ABCDEFGHIJ",
    "lower": "abcdefghijkmnpqrstuvwxyz",  # no l, no o: in some faces they are 1 and 0
    "symbols": "#$%&@?*+=<>{}~^§£¥€¶",
    "greek": "ΓΔΘΛΞΠΣΦΨΩ",  # the capitals that are no Latin ones
}
SIDE = 40
"""Width and height of a mask in the atlas, pixels."""
EM = 32
"""Font size at which the masks were rendered, pixels."""
IMAGE = 28
"""Width and height of an image, pixels."""
ATLAS_SHA256 = "864aea0f8a95ba68e552d7cdce0acc65a43a6581ad15e173a6bad4cb2cd3888e"

SIZES = (17.0, 26.0)  # font size, pixels
SCALES = (0.8, 1.15)
ROTATION = np.deg2rad(20.0)
SHEAR = 0.25
SHIFT = 2.0  # pixels
GREYS = (160.0, 255.0)
NOISE = 8.0  # standard deviation, grey levels
CHUNK = 256  # images resampled at once, so that the work stays in cache


def load_atlas(path: Path | None = None) -> dict[str, Array]:
    """Masks by character: uint8 (faces, SIDE, SIDE), over the faces that have it.

    Raises:
        CorruptError: the file is not the one that the tasks were made with.
    """
    path = path or bundled("tasks") / "ood" / "glyph_atlas.npz"
    if not path.is_file() or file_digest(path) != ATLAS_SHA256:
        raise CorruptError(f"{path}: expected the glyph atlas with sha256 {ATLAS_SHA256[:12]}…")
    arrays = unpack(path, max_bytes=16 * 2**20)
    masks, characters = arrays["masks"], arrays["characters"]
    return {str(c): masks[characters == c] for c in np.unique(characters)}


def draw(
    rng: np.random.Generator, characters: str, n: int, atlas: dict[str, Array]
) -> tuple[Array, Array]:
    """`n` images of characters in turn, each in a random face, position and grey.

    Returns:
        Images, float32 (n, IMAGE, IMAGE) in [0, 255] without noise, and the index of each one's
        character, int64 (n,).
    """
    counts = np.array([len(atlas[c]) for c in characters])
    starts = np.cumsum(counts) - counts
    masks = np.concatenate([atlas[c] for c in characters]).astype(np.float32) / 255.0
    y = np.arange(n, dtype=np.int64) % len(characters)
    chosen = starts[y] + rng.integers(0, counts[y])
    inverse, shift = transforms(rng, n)
    grey = rng.uniform(*GREYS, n).astype(np.float32)
    images = np.empty((n, IMAGE, IMAGE), dtype=np.float32)
    for start in range(0, n, CHUNK):
        part = slice(start, start + CHUNK)
        sampled = resample(masks, chosen[part], inverse[part], shift[part])
        images[part] = sampled * grey[part, None, None]
    return images, y


def transforms(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """From image to mask: matrices (n, 2, 2), and the image's shifts (n, 2), as (x, y)."""
    zoom = rng.uniform(*SIZES, n) / EM * rng.uniform(*SCALES, n)
    angle = rng.uniform(-ROTATION, ROTATION, n)
    shear = rng.uniform(-SHEAR, SHEAR, n)
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    # The inverse of zoom * rotation * [[1, shear], [0, 1]].
    inverse = np.array([[cos + shear * sin, sin - shear * cos], [-sin, cos]])
    return np.moveaxis(inverse, 2, 0), rng.uniform(-SHIFT, SHIFT, (n, 2))


def resample(masks: Array, chosen: Array, inverse: Array, shift: Array) -> Array:
    """Bilinear samples of masks on the image grid.

    Args:
        masks: float32 (m, SIDE, SIDE), zero on their borders.
        chosen: which mask, int (n,).
        inverse: from image to mask coordinates about the centres, (n, 2, 2).
        shift: where the mask's centre lies in the image, off its centre, (n, 2).

    Returns:
        float32 (n, IMAGE, IMAGE).
    """
    grid = np.arange(IMAGE, dtype=np.float32) - (IMAGE - 1) / 2
    dx = (grid - shift[:, :1].astype(np.float32))[:, None, :]
    dy = (grid - shift[:, 1:].astype(np.float32))[:, :, None]
    a = inverse.astype(np.float32)[..., None, None]
    inside = np.float32(SIDE - 1 - 1e-3)
    u = np.clip(a[:, 0, 0] * dx + a[:, 0, 1] * dy + (SIDE - 1) / 2, 0, inside)
    v = np.clip(a[:, 1, 0] * dx + a[:, 1, 1] * dy + (SIDE - 1) / 2, 0, inside)
    column, row = u.astype(np.int32), v.astype(np.int32)
    u -= column
    v -= row
    flat = masks.reshape(-1)
    at = (chosen.astype(np.int32) * (SIDE * SIDE))[:, None, None] + row * SIDE + column
    upper = flat[at] * (1 - u) + flat[at + 1] * u
    lower = flat[at + SIDE] * (1 - u) + flat[at + SIDE + 1] * u
    result: Array = upper * (1 - v) + lower * v
    return result


def with_noise(rng: np.random.Generator, images: Array) -> Array:
    """uint8 images with camera-like noise, from float32 ones in [0, 255]."""
    noise = rng.standard_normal(images.shape, dtype=np.float32)
    noise *= NOISE
    return quantised(images + noise)


def quantised(images: Array) -> Array:
    """Grey levels clipped to [0, 255] and rounded, uint8."""
    levels: Array = np.rint(np.clip(images, 0, 255)).astype(np.uint8)
    return levels


def glyphs(alphabet: str) -> Maker:
    """Draws characters of an alphabet; a class is a character."""
    return partial(_glyphs, ALPHABETS[alphabet])


def _glyphs(alphabet: str, rng: np.random.Generator, classes: Classes, n: int) -> Examples:
    images, y = draw(rng, "".join(alphabet[c] for c in classes), n, load_atlas())
    return Examples(with_noise(rng, images), y)
