"""The two classifiers that detectors are put on: softmax regression and a small residual network.

Both split into `embed` (inputs to features) and `head` (features to logits).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from rlbench.core.errors import UsageError
from rlbench.suites.ood.params import ClassifierName

WIDTHS = (16, 32, 64)


class Softmax(nn.Module):
    """Softmax regression on vectors, in float64; its features are its inputs."""

    def __init__(self, n_inputs: int, n_classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(n_inputs, n_classes, dtype=torch.float64)

    def embed(self, x: Tensor) -> Tensor:
        """Vectors [n, d] as they are."""
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Logits [n, C] of vectors [n, d]."""
        logits: Tensor = self.head(x)
        return logits


class ResNet8(nn.Module):
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
        """The output of every block for images [n, channels, h, w]."""
        x = functional.relu(self.norm(self.stem(x)))
        maps = []
        for block in self.blocks:
            x = block(x)
            maps.append(x)
        return maps

    def embed(self, x: Tensor) -> Tensor:
        """Features [n, 64]: the spatial mean of the last block's output."""
        return self.maps(x)[-1].mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Logits [n, C] of normalised images [n, channels, h, w]."""
        logits: Tensor = self.head(self.embed(x))
        return logits


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


Classifier = Softmax | ResNet8


def build(name: ClassifierName, width: int, n_classes: int) -> Classifier:
    """An untrained classifier; `width` is the number of channels or of vector entries.

    Its parameters are unset memory: fill them with `initialise` or `load_arrays`. That keeps
    construction from drawing on torch's global generator.

    Raises:
        UsageError: there is no classifier of that name here.
    """
    if name not in ("softmax", "resnet8"):
        raise UsageError(f"classifier '{name}' is not built in; expected 'softmax' or 'resnet8'")
    with torch.device("meta"):
        model = Softmax(width, n_classes) if name == "softmax" else ResNet8(width, n_classes)
    model = model.to_empty(device="cpu")
    # Up to twice as fast for such small convolutions on a CPU.
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def initialise(model: nn.Module, rng: np.random.Generator) -> None:
    """Draw the start of training: He normal for convolutions, zero for the last layer's bias."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * math.prod(module.kernel_size)
            _fill(module.weight, rng.normal(0.0, math.sqrt(2 / fan_out), module.weight.shape))
        elif isinstance(module, nn.Linear):
            bound = 1 / math.sqrt(module.in_features)
            _fill(module.weight, rng.uniform(-bound, bound, module.weight.shape))
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)


def _fill(parameter: Tensor, values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(values))


def train_softmax(model: Softmax, x: Tensor, y: Tensor, *, l2: float = 1e-4) -> None:
    """Minimise mean cross-entropy + l2 / 2 * |weight|^2 from zero by L-BFGS (no chance in it).

    Args:
        model: filled in place.
        x: float64 [n, d].
        y: int64 [n].
        l2: strength of the penalty; keeps weights finite on separable classes.
    """
    nn.init.zeros_(model.head.weight)
    nn.init.zeros_(model.head.bias)
    optimiser = torch.optim.LBFGS(
        model.parameters(),
        max_iter=500,
        tolerance_grad=1e-9,
        tolerance_change=1e-14,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = functional.cross_entropy(model(x), y) + l2 / 2 * model.head.weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]


def train_resnet(
    model: ResNet8,
    x: Tensor,
    y: Tensor,
    rng: np.random.Generator,
    *,
    epochs: int,
    batch_size: int = 64,
    peak_rate: float = 0.1,
    weight_decay: float = 5e-4,
) -> None:
    """SGD with Nesterov momentum 0.9 under a one-cycle learning rate (Smith & Topin 2018).

    Batches are drawn without replacement; an incomplete last batch is left out, because its
    batch-norm statistics would be noise. No augmentation.

    Args:
        model: initialised; trained in place.
        x: normalised images, float32 [n, channels, h, w].
        y: int64 [n].
        rng: gives the order of examples.
        epochs: passes over the data.
        batch_size: examples a step.
        peak_rate: the highest learning rate.
        weight_decay: L2 coefficient on all parameters.
    """
    batch = min(batch_size, len(x))
    steps = len(x) // batch
    optimiser = torch.optim.SGD(
        model.parameters(), lr=peak_rate, momentum=0.9, nesterov=True, weight_decay=weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, peak_rate, total_steps=epochs * steps, cycle_momentum=False
    )
    model.train()
    for _ in range(epochs):
        order = torch.from_numpy(rng.permutation(len(x))[: steps * batch]).to(x.device)
        for index in torch.split(order, batch):
            optimiser.zero_grad()
            loss = functional.cross_entropy(model(x[index]), y[index])
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
