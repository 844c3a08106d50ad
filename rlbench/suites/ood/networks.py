"""Networks that classify images: what all share, and the small residual one."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = (16, 32, 64)


class ImageClassifier(nn.Module):
    """A linear layer, `head`, on the spatial mean of the last of some feature maps."""

    head: nn.Linear

    def maps(self, x: Tensor) -> list[Tensor]:
        """The output of each stage, [n, width, h, w], for images [n, channels, h, w]."""
        raise TypeError(f"{type(self).__name__} has no feature maps")

    def embed(self, x: Tensor) -> Tensor:
        """Features [n, D] of normalised images."""
        return self.maps(x)[-1].mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Logits [n, C] of normalised images."""
        logits: Tensor = self.head(self.embed(x))
        return logits


class ResNet8(ImageClassifier):
    """Three basic residual blocks of widths 16, 32 and 64 behind a stride-2 stem (He et al. 2016).

    77,562 parameters for grey images and ten classes; D = 64. The stride in the stem makes it four
    times cheaper than the CIFAR layout and still reads 8x8 images (down to 1x1 maps).
    """

    def __init__(self, channels: int, n_classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, WIDTHS[0], 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(WIDTHS[0])
        steps = zip((WIDTHS[0], *WIDTHS), WIDTHS, (1, 2, 2), strict=False)
        self.blocks = nn.ModuleList(Block(before, width, stride) for before, width, stride in steps)
        self.head = nn.Linear(WIDTHS[-1], n_classes)

    def maps(self, x: Tensor) -> list[Tensor]:
        """See `ImageClassifier.maps`; one for each block."""
        x = functional.relu(self.norm(self.stem(x)))
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        return maps


class Block(nn.Module):
    """Two 3x3 convolutions around a shortcut, which is a 1x1 convolution where shapes change."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        same = stride == 1 and before == width
        self.shortcut = (
            nn.Identity() if same else nn.Conv2d(before, width, 1, stride=stride, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[n, before, h, w] to [n, width, h / stride, w / stride]."""
        y = functional.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y)) + self.shortcut(x)
        return functional.relu(y)


class Dropout(nn.Module):
    """Zeroes each value with probability `p` in training, from a stream of its own.

    Torch's own draws from the global generator, on which a training that is resumed, or done by
    another process, could not rely; see `reseed`.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.stream = torch.Generator()

    def forward(self, x: Tensor) -> Tensor:
        """Values of any shape; the kept ones are divided by 1 - p."""
        if not self.training:
            return x
        kept = torch.empty_like(x).bernoulli_(1 - self.p, generator=self.stream)
        return x * kept / (1 - self.p)


def reseed(model: nn.Module, seed: int) -> None:
    """Begin the streams of all `Dropout` layers anew, on the device where the model is."""
    layers = [module for module in model.modules() if isinstance(module, Dropout)]
    for i, layer in enumerate(layers):
        layer.stream = torch.Generator(next(model.parameters()).device)
        layer.stream.manual_seed((seed + i) % 2**63)
