"""Weights as plain arrays."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from rlbench.core.assets import AssetStore
from rlbench.core.errors import CorruptError
from rlbench.learn.weights import load_arrays, to_arrays


def network(width: int = 3) -> nn.Module:
    layers = {"stem": nn.Conv2d(1, width, 3), "norm": nn.BatchNorm2d(width)}
    return nn.Sequential(OrderedDict(layers))


def test_weights_survive_an_asset_file_bit_for_bit(tmp_path: Path) -> None:
    model, copy = network(), network()
    model(torch.ones(2, 1, 5, 5))  # moves the running statistics and the count of batches
    asset = AssetStore(tmp_path, "0" * 64).get("test", {}, lambda: to_arrays(model))
    load_arrays(copy, asset.arrays)

    for name, tensor in model.state_dict().items():
        assert torch.equal(copy.state_dict()[name], tensor)


def test_arrays_are_copies() -> None:
    model = network()
    arrays = to_arrays(model)
    before = arrays["stem.weight"].copy()
    nn.init.zeros_(next(model.parameters()))

    np.testing.assert_array_equal(arrays["stem.weight"], before)


def test_weights_of_another_network_are_refused_by_name() -> None:
    with pytest.raises(
        CorruptError, match=r"stem.weight is torch.float32 \[4, 1, 3, 3\], expected"
    ):
        load_arrays(network(3), to_arrays(network(4)))
    arrays = to_arrays(network())
    del arrays["norm.bias"]
    with pytest.raises(CorruptError, match=r"norm.bias missing or unknown"):
        load_arrays(network(), arrays)
