"""Residual networks of the published protocols: ResNet-18, -34 and -50, and WRN-40-2."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from rlbench.suites.ood.networks import Dropout, ImageClassifier

LARGE = 128
"""Images of at least this side, pixels, get ImageNet's stem; smaller ones CIFAR's."""
STAGES = (64, 128, 256, 512)


class ResNet(ImageClassifier):
    """He et al. 2016 (arXiv 1512.03385), four stages, after torchvision's naming of the parts.

    Small images are read by a 3x3 convolution without stride or pooling, the layout in which POD,
    DCM and OpenOOD train on CIFAR; large ones by the paper's 7x7 convolution and 3x3 pooling, both
    of stride 2.
    """

    def __init__(
        self, channels: int, n_classes: int, side: int, depths: tuple[int, ...], *, deep: bool
    ) -> None:
        """`depths` counts the blocks of each stage; `deep` ones are bottlenecks."""
        super().__init__()
        large = side >= LARGE
        self.conv1 = nn.Conv2d(
            channels, 64, 7 if large else 3, stride=2 if large else 1, padding=3 if large else 1,
            bias=False,
        )  # fmt: skip
        self.bn1 = nn.BatchNorm2d(64)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1) if large else nn.Identity()
        block = Bottleneck if deep else Basic
        before = 64
        for i, (width, depth) in enumerate(zip(STAGES, depths, strict=True)):
            strides = [1 if i == 0 else 2] + [1] * (depth - 1)
            blocks = []
            for stride in strides:
                blocks.append(block(before, width, stride))
                before = width * block.expansion
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
        self.head = nn.Linear(before, n_classes)

    def maps(self, x: Tensor) -> list[Tensor]:
        """See `ImageClassifier.maps`; one for each of the four stages."""
        x = self.pool(functional.relu(self.bn1(self.conv1(x))))
        maps = []
        for i in range(len(STAGES)):
            x = self.get_submodule(f"layer{i + 1}")(x)
            maps.append(x)
        return maps


class Basic(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    expansion = 1

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(before, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[n, before, h, w] to [n, width, h / stride, w / stride]."""
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y)) + self.downsample(x)
        return functional.relu(y)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions around a shortcut; the stride is in the second of them."""

    expansion = 4

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = _shortcut(before, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[n, before, h, w] to [n, 4 width, h / stride, w / stride]."""
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y)) + self.downsample(x)
        return functional.relu(y)


def _shortcut(before: int, after: int, stride: int) -> nn.Module:
    if stride == 1 and before == after:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
    )


class WideResNet(ImageClassifier):
    """Zagoruyko & Komodakis 2016 (arXiv 1605.07146): pre-activation blocks with dropout inside."""

    def __init__(
        self, channels: int, n_classes: int, *, depth: int, widen: int, dropout: float
    ) -> None:
        """`depth` is 6 n + 4 for n blocks a stage; `widen` multiplies the widths 16, 32, 64."""
        super().__init__()
        self.stem = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        before = 16
        stages = []
        for base, first in ((16, 1), (32, 2), (64, 2)):
            blocks = []
            for i in range((depth - 4) // 6):
                blocks.append(PreActivation(before, base * widen, first if i == 0 else 1, dropout))
                before = base * widen
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        self.norm = nn.BatchNorm2d(before)
        self.head = nn.Linear(before, n_classes)

    def maps(self, x: Tensor) -> list[Tensor]:
        """See `ImageClassifier.maps`; the last one as the head reads it: normalised, rectified."""
        x = self.stem(x)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return [*maps[:-1], functional.relu(self.norm(x))]


class PreActivation(nn.Module):
    """Norm, ReLU, 3x3 convolution, twice, with dropout between, around a shortcut."""

    def __init__(self, before: int, width: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.dropout = Dropout(dropout)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        same = stride == 1 and before == width
        self.shortcut = None if same else nn.Conv2d(before, width, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[n, before, h, w] to [n, width, h / stride, w / stride]."""
        active = functional.relu(self.norm1(x))
        y: Tensor = self.dropout(functional.relu(self.norm2(self.conv1(active))))
        y = self.conv2(y)
        # Where shapes change, both ways start from the activated input.
        beside: Tensor = x if self.shortcut is None else self.shortcut(active)
        return y + beside
