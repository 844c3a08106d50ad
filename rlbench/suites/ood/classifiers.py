"""The classifiers that detectors are put on, by the names that tasks use.

All of them split into `embed` (inputs to features) and `head` (features to logits).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from rlbench.suites.ood.networks import ImageClassifier, ResNet8
from rlbench.suites.ood.params import ClassifierName
from rlbench.suites.ood.resnets import ResNet, WideResNet


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


M = TypeVar("M", bound=nn.Module)
Classifier = Softmax | ImageClassifier


def _resnet(*depths: int, deep: bool = False) -> Callable[[int, int, int], Classifier]:
    return lambda width, n_classes, side: ResNet(width, n_classes, side, depths, deep=deep)


_BUILD: Mapping[ClassifierName, Callable[[int, int, int], Classifier]] = {
    "softmax": lambda width, n_classes, side: Softmax(width, n_classes),
    "resnet8": lambda width, n_classes, side: ResNet8(width, n_classes),
    "resnet18": _resnet(2, 2, 2, 2),
    "resnet34": _resnet(3, 4, 6, 3),
    "resnet50": _resnet(3, 4, 6, 3, deep=True),
    # Dropout as DCM (arXiv 2306.04974) trains it.
    "wrn40-2": lambda width, n_classes, side: WideResNet(
        width, n_classes, depth=40, widen=2, dropout=0.3
    ),
}


def build(name: ClassifierName, width: int, n_classes: int, side: int = 32) -> Classifier:
    """An untrained classifier; see `blank`.

    Args:
        name: which.
        width: number of channels, or of vector entries.
        n_classes: number of logits.
        side: width and height of images, pixels.
    """
    return blank(lambda: _BUILD[name](width, n_classes, side))


def blank(make: Callable[[], M]) -> M:
    """A module whose parameters are unset memory: fill them with `initialise` or `load_arrays`.

    That keeps construction from drawing on torch's global generator.
    """
    with torch.device("meta"):
        model = make()
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
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, _BatchNorm):
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
