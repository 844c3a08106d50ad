"""Optimisers and generators go on exactly where they were."""

from __future__ import annotations

import torch
from torch import nn

from rlbench.core.arrays import pack
from rlbench.learn.checkpoint import (
    generator_array,
    optimiser_arrays,
    restore_generator,
    restore_optimiser,
)


def _train(model: nn.Linear, optimiser: torch.optim.Optimizer, steps: int) -> None:
    for i in range(steps):
        optimiser.zero_grad()
        (model(torch.full((1, 3), float(i))) ** 2).sum().backward()
        optimiser.step()


def _model() -> tuple[nn.Linear, torch.optim.Adam]:
    model = nn.Linear(3, 2)
    nn.init.ones_(model.weight)
    nn.init.zeros_(model.bias)
    return model, torch.optim.Adam(model.parameters(), lr=0.1)


def test_a_restored_optimiser_makes_the_same_steps() -> None:
    model, optimiser = _model()
    _train(model, optimiser, 3)
    kept = optimiser_arrays(optimiser)
    copy, restored = _model()
    copy.load_state_dict(model.state_dict())
    restore_optimiser(restored, kept)

    _train(model, optimiser, 2)
    _train(copy, restored, 2)

    assert torch.equal(model.weight, copy.weight)


def test_the_arrays_can_be_stored_and_are_copies() -> None:
    model, optimiser = _model()
    _train(model, optimiser, 1)
    kept = optimiser_arrays(optimiser)
    before = pack(kept)

    _train(model, optimiser, 1)

    assert pack(kept) == before


def test_a_restored_generator_draws_the_same_numbers() -> None:
    rng, other = torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)
    torch.rand(5, generator=rng)
    restore_generator(other, generator_array(rng))

    assert torch.equal(torch.rand(9, generator=rng), torch.rand(9, generator=other))
