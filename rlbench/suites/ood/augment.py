"""What training does to images before it shows them, as operations on whole batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray[Any, Any]


def crop_flip(images: Tensor, rng: np.random.Generator) -> Tensor:
    """A random crop after black padding by an eighth of the side, mirrored half of the time.

    Args:
        images: uint8 [n, h, w] or [n, h, w, channels].
        rng: draws the crops' corners and the mirrored ones; on the CPU whatever the device, so
            that the same chance falls everywhere.

    Returns:
        A batch of the same shape and type.
    """
    n, height, width = images.shape[:3]
    rows = _window(rng, n, height)
    columns = _window(rng, n, width)
    mirrored = rng.integers(0, 2, n).astype(bool)
    columns[mirrored] = columns[mirrored, ::-1]
    y = torch.from_numpy(rows).to(images.device)[:, :, None]
    x = torch.from_numpy(columns).to(images.device)[:, None, :]
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    which = torch.arange(n, device=images.device)[:, None, None]
    cropped = images[which, y.clamp(0, height - 1), x.clamp(0, width - 1)]
    return cropped * inside.reshape(inside.shape + (1,) * (images.ndim - 3))


def _window(rng: np.random.Generator, n: int, side: int) -> Array:
    """Coordinates int64 [n, side] that a crop reads; some lie outside the image."""
    pad = side // 8
    corner = rng.integers(-pad, pad + 1, n)
    return corner[:, None] + np.arange(side)
