"""Vectors, a linear classifier on them, and splits that show a detector everything it can ask."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from rlbench.suites.ood.classifiers import Softmax, build
from rlbench.suites.ood.splits import NEEDS, Detector, Head, Split

Array = np.ndarray[Any, Any]

C, D = 3, 6
_RNG = np.random.default_rng(7)
CENTRES = np.abs(_RNG.normal(size=(C, D))) * 3
# Nearest centre, but for some noise: mostly right, and never sure.
WEIGHT = CENTRES / 4 + _RNG.normal(size=(C, D)) / 8
BIAS = -np.square(CENTRES).sum(axis=1) / 8
MIX, GRID = _RNG.normal(size=(D, 4)), _RNG.uniform(0.5, 1.5, size=(2, 3))


def vectors(n: int, seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % C)
    return CENTRES[y] + rng.normal(size=(n, D)) * np.linspace(0.3, 2.0, D), y


def rectified(n: int, seed: int) -> tuple[Array, Array]:
    z, y = vectors(n, seed)
    return np.abs(z), y


TRAIN = vectors(90, 1)
TEST, _ = vectors(40, 2)


def linear(weight: Array = WEIGHT, bias: Array = BIAS) -> Softmax:
    model = build("softmax", weight.shape[1], len(weight))
    assert isinstance(model, Softmax)
    model.head.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})
    return model.requires_grad_(False)


def maps_of(x: Tensor) -> list[Tensor]:
    """Two stages of made-up feature maps: [n, D, 2, 3] and [n, 4, 1, 2]."""
    grid = torch.tensor(GRID)
    first = (x[:, :, None, None] - 0.3 * grid).relu()
    second = torch.tanh(x @ torch.tensor(MIX) / 4)[:, :, None, None] * grid[:1, :2] + 1
    return [first, second]


def split_of(
    z: Array, y: Array | None = None, *, input_std: float = 1.0, model: Softmax | None = None,
    ood: Array | None = None,
) -> Split:  # fmt: skip
    """A split of vectors on which a linear classifier works, all fields shown."""
    x, model = torch.tensor(z), model or linear()
    logits, head = model(x), Head(model.head.weight, model.head.bias)
    fields: dict[str, Any] = {
        "logits": logits,
        "predictions": logits.argmax(1),
        "features": x,
        "head": head,
        "model": model,
        "inputs": x,
        "input_std": torch.tensor([input_std], dtype=torch.float64),
        "maps": maps_of(x),
        "maps_of": maps_of,
        "member": lambda number: logits + number * torch.sin(logits),
        "thinned": lambda rate: (x, head),
    }
    if y is not None:
        fields["labels"] = torch.tensor(y)
        fields["ood"] = split_of(z * 0.4 - 0.5 if ood is None else ood, model=model)
    lazy = {name: (lambda value=value: value) for name, value in fields.items()}
    return Split(len(z), model.head.out_features, lazy, frozenset(NEEDS))


def scored(detector: Detector, test: Array = TEST, train: Any = TRAIN) -> Array:
    detector.fit(split_of(*train), split_of(*train))
    found = detector.score(split_of(test))
    array: Array = found.numpy()
    return array


def softmax(f: Array) -> Array:
    e = np.exp(f - f.max())
    result: Array = e / e.sum()
    return result
