"""From raw examples to what a classifier reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rlbench.suites.ood.stream import read_rows

Array = np.ndarray[Any, Any]
AT_ONCE = 250
"""Raw images in memory at a time, while they are counted."""


@dataclass(frozen=True)
class Normaliser:
    """Maps raw examples to a classifier's inputs: per-channel mean 0 and deviation 1 on ID train.

    Vectors stay as they are.
    """

    mean: Array
    """float64 [channels]"""
    std: Array
    """float64 [channels], in units of pixels in [0, 1]."""

    @classmethod
    def of(cls, x: Array) -> Normaliser:
        """From raw examples; see `Examples.x`."""
        if x.dtype != np.uint8:
            return cls(np.zeros(1), np.ones(1))
        counts = np.zeros((channels(x), 256), dtype=np.int64)
        for start in range(0, len(x), AT_ONCE):
            counts += _histograms(read_rows(x, start, min(start + AT_ONCE, len(x))))
        levels, pixels = np.arange(256) / 255, x.size // channels(x)
        mean = np.array([count @ levels for count in counts]) / pixels
        square = np.array([count @ levels**2 for count in counts]) / pixels
        # A channel without any contrast carries nothing; leave its scale alone.
        std = np.sqrt(np.maximum(square - mean**2, 0.0))
        return cls(mean, np.where(std > 0, std, 1.0))

    def inputs(self, x: Array) -> Tensor:
        """float32 [n, channels, h, w] from images, float64 [n, d] from vectors."""
        if x.dtype != np.uint8:
            return torch.from_numpy(np.array(x, dtype=np.float64))
        return self.normalised(torch.from_numpy(np.array(x)))

    def normalised(self, x: Tensor) -> Tensor:
        """float32 [n, channels, h, w] from images uint8 [n, h, w] or [n, h, w, channels]."""
        images = x.to(torch.float32).div_(255)
        images = images[:, None] if x.ndim == 3 else images.permute(0, 3, 1, 2)
        mean, std = (self._column(values).to(x.device) for values in (self.mean, self.std))
        return images.sub_(mean).div_(std)

    def _column(self, values: Array) -> Tensor:
        return torch.from_numpy(values).to(torch.float32)[:, None, None]

    def scale(self, x: Array) -> Tensor:
        """`std`, shaped and typed to broadcast over `inputs(x)`."""
        return self._column(self.std) if x.dtype == np.uint8 else torch.from_numpy(self.std)


def _histograms(x: Array) -> Array:
    """How often each channel has each of the 256 levels, int64 [channels, 256]."""
    pixels = x.reshape(-1, channels(x))
    return np.stack([np.bincount(channel, minlength=256) for channel in pixels.T])


IMAGENET = Normaliser(np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]))
"""What torchvision's weights were trained with."""


def channels(x: Array) -> int:
    """1 for grey images, 3 for colour, the number of entries for vectors."""
    return 1 if x.ndim == 3 else x.shape[-1]
