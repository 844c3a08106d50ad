"""Pictures that scikit-learn ships: 1797 handwritten digits, and patches of two photographs."""

from __future__ import annotations

import numpy as np

from rlbench.core.data import DataSet
from rlbench.suites.ood.examples import Array, Classes, Examples, unlabelled
from rlbench.suites.ood.glyph import IMAGE, quantised

INNER = 20  # a handwritten digit's size inside the frame, pixels
ZOOMS = (1, 2, 3, 4)  # photo pixels that make one pixel of a patch, per side
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def handwritten_8x8(files: DataSet | None = None) -> Examples:
    """The UCI optical digits test set as scikit-learn ships it: uint8 (1797, 8, 8), 0 to 255."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return Examples(quantised(bunch.images * (255 / 16)), bunch.target.astype(np.int64))


def handwritten_28x28(files: DataSet | None = None) -> Examples:
    """The same digits, enlarged to 20x20 (bilinear) inside a black 28x28 frame."""
    small = handwritten_8x8()
    tall = _enlarged(small.x.astype(np.float64).swapaxes(1, 2)).swapaxes(1, 2)
    margin = (IMAGE - INNER) // 2
    framed = np.pad(_enlarged(tall), ((0, 0), (margin, margin), (margin, margin)))
    return Examples(quantised(framed), small.y)


def _enlarged(images: Array) -> Array:
    """Linear interpolation to INNER pixels along the last axis, clamped at the edges."""
    size = images.shape[-1]
    at = np.clip((np.arange(INNER) + 0.5) * size / INNER - 0.5, 0, size - 1)
    low = np.minimum(at.astype(int), size - 2)
    first, second = images[..., low], images[..., low + 1]
    between: Array = first + (second - first) * (at - low)
    return between


def photos(rng: np.random.Generator, classes: Classes, n: int) -> Examples:
    """Grey patches of the two photographs, cut anywhere and shrunk by a zoom of 1 to 4."""
    from sklearn.datasets import load_sample_images

    # Whole greys, so that the sums of `_shrunk` are exact in any order.
    greys = [quantised(_luma(image)) for image in load_sample_images().images]
    shrunk = [_shrunk(grey, zoom) for grey in greys for zoom in ZOOMS]
    patches = np.empty((n, IMAGE, IMAGE))
    for i, which in enumerate(rng.integers(0, len(shrunk), n)):
        height, width = shrunk[which].shape
        top, left = rng.integers(0, height - IMAGE + 1), rng.integers(0, width - IMAGE + 1)
        patches[i] = shrunk[which][top : top + IMAGE, left : left + IMAGE]
    return unlabelled(quantised(patches))


def _luma(image: Array) -> Array:
    """Brightness of a colour image (h, w, 3), float64 (h, w)."""
    red, green, blue = (image[..., i] * weight for i, weight in enumerate(LUMA))
    brightness: Array = red + green + blue
    return brightness


def _shrunk(image: Array, zoom: int) -> Array:
    """Means over blocks of zoom x zoom pixels; what is left over at the edges is cut."""
    height, width = (side // zoom for side in image.shape)
    blocks = image[: height * zoom, : width * zoom].reshape(height, zoom, width, zoom)
    means: Array = blocks.mean((1, 3))
    return means
