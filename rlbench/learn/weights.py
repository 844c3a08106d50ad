"""A torch module's state as plain arrays and back, so that weights are stored without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from rlbench.core.errors import CorruptError


def to_arrays(module: torch.nn.Module) -> dict[str, np.ndarray[Any, Any]]:
    """Copies of the module's parameters and buffers, by their dotted names."""
    return {
        name: tensor.detach().cpu().numpy().copy() for name, tensor in module.state_dict().items()
    }


def load_arrays(module: torch.nn.Module, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Fill the module in place with what `to_arrays` gave for one of the same shape.

    A scalar may come back as an array of one element, which is how asset files keep it.

    Raises:
        CorruptError: names, sizes or types are not the module's.
    """
    state = module.state_dict()
    if set(state) != set(arrays):
        odd = ", ".join(sorted(set(state) ^ set(arrays)))
        raise CorruptError(f"{type(module).__name__}: weights do not fit: {odd} missing or unknown")
    filled = {}
    for name, tensor in state.items():
        found = torch.from_numpy(np.array(arrays[name]))
        if found.numel() != tensor.numel() or found.dtype != tensor.dtype:
            raise CorruptError(
                f"{type(module).__name__}: weights do not fit: {name} is {found.dtype}"
                f" {list(found.shape)}, expected {tensor.dtype} {list(tensor.shape)}"
            )
        filled[name] = found.reshape(tensor.shape)
    module.load_state_dict(filled)
