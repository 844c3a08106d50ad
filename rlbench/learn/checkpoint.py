"""Optimisers and torch generators as plain arrays and back, for checkpoints without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.optim import Optimizer

Arrays = dict[str, np.ndarray[Any, Any]]

_MARK = "optimiser"


def optimiser_arrays(optimiser: Optimizer) -> Arrays:
    """What an optimiser has gathered per parameter (momenta, step counts), by number and name.

    Learning rates and other settings are not in it.
    """
    arrays = {}
    for number, kept in optimiser.state_dict()["state"].items():
        for name, value in kept.items():
            arrays[f"{_MARK}:{number}:{name}"] = value.detach().cpu().numpy().copy()
    return arrays


def restore_optimiser(optimiser: Optimizer, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Put back what `optimiser_arrays` gave for the same parameters; other arrays are ignored."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in arrays.items():
        mark, _, rest = key.partition(":")
        if mark == _MARK:
            number, _, name = rest.partition(":")
            state.setdefault(int(number), {})[name] = torch.from_numpy(np.array(value))
    whole = optimiser.state_dict()
    optimiser.load_state_dict({**whole, "state": state})


def generator_array(rng: torch.Generator) -> np.ndarray[Any, Any]:
    """A generator's state: uint8 [k]."""
    return rng.get_state().numpy().copy()


def restore_generator(rng: torch.Generator, state: np.ndarray[Any, Any]) -> None:
    """Put a generator back into a state of `generator_array`."""
    rng.set_state(torch.from_numpy(np.array(state, dtype=np.uint8)))
