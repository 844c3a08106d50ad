"""The one training loop: descent by a recipe; a program that was killed goes on where it was."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from rlbench.core.checkpoint import Checkpoint
from rlbench.core.errors import RlbenchError
from rlbench.learn.weights import load_arrays, to_arrays
from rlbench.suites.ood.networks import reseed
from rlbench.suites.ood.params import ClassifierName

Array = np.ndarray[Any, Any]
Batch = TypeVar("Batch")

SAVE_EVERY = 60.0
"""Seconds of training between checkpoints, which are written at the ends of epochs only."""


@dataclass(frozen=True)
class Recipe:
    """How weights are moved: SGD with Nesterov momentum 0.9."""

    batch: int
    """Examples a step."""
    peak: float
    """The highest learning rate."""
    schedule: Literal["one-cycle", "cosine"]
    decay: float = 5e-4
    """L2 coefficient on all parameters."""

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step (from 0) out of `steps`.

        `cosine` falls from the peak to 1e-6 (POD, DCM, OpenOOD); `one-cycle` rises from a 25th of
        the peak over 30 % of the steps and falls to a 250,000th, both along a cosine (Smith & Topin
        2018, with the values that torch takes).
        """
        if self.schedule == "cosine":
            return _cosine(self.peak, 1e-6, step / steps)
        top = 0.3 * steps - 1
        if step <= top:
            return _cosine(self.peak / 25, self.peak, step / top)
        return _cosine(self.peak, self.peak / 250_000, (step - top) / (steps - 1 - top))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


_PUBLISHED = Recipe(batch=128, peak=0.1, schedule="cosine")
RECIPES: Mapping[ClassifierName, Recipe] = {
    "resnet8": Recipe(batch=64, peak=0.1, schedule="one-cycle"),
    "resnet18": _PUBLISHED,
    "resnet34": _PUBLISHED,
    "resnet50": _PUBLISHED,
    "wrn40-2": _PUBLISHED,
}
"""By classifier. POD (ResNet-34, 200 epochs), OpenOOD (ResNet-18, 100) and DCM (WRN-40-2, 100)
publish the same; epochs and augmentation stand in the task. ResNet-8 has no paper."""


class Keeper(Protocol):
    """Where a training keeps how far it is."""

    def load(self) -> Checkpoint | None:
        """What `save` was last given for this very training, or None."""

    def save(self, arrays: Mapping[str, Array], state: Mapping[str, Any]) -> None:
        """Keep it."""


@dataclass(frozen=True)
class Plan:
    """How long a training is."""

    epochs: int
    steps: int
    """Steps of an epoch, as the schedule counts them; an epoch may turn out shorter."""


@dataclass
class Progress:
    """How far a training is."""

    losses: list[float]
    """Mean loss of each epoch."""
    steps: int
    """Made so far."""


def descend(
    model: nn.Module,
    recipe: Recipe,
    plan: Plan,
    epoch: Callable[[], Iterable[Batch]],
    loss: Callable[[Batch], Tensor],
    *,
    rng: np.random.Generator,
    keeper: Keeper,
) -> Progress:
    """Train in place, going on from where an earlier attempt was stopped.

    Args:
        model: on its device; its frozen parameters stay as they are.
        recipe: step size and batch; the batches themselves come from `epoch`.
        plan: for the schedule.
        epoch: the batches of one epoch, drawn with `rng`.
        loss: of a batch; a scalar.
        rng: every chance of the training, dropout included.
        keeper: where checkpoints go.

    Raises:
        RlbenchError: the loss is no longer finite.
    """
    descent = _Descent(model, recipe, plan)
    if (found := keeper.load()) is not None:
        descent.restore(found, rng)
    saved = time.monotonic()
    model.train()
    while descent.epochs_left:
        reseed(model, int(rng.integers(2**62)))
        descent.run_epoch(epoch(), loss)
        if descent.epochs_left and time.monotonic() - saved >= SAVE_EVERY:
            keeper.save(descent.arrays(), {**descent.state(), "rng": rng.bit_generator.state})
            saved = time.monotonic()
    return descent.done


class _Descent:
    """A model on its way, with its optimiser's momentum."""

    def __init__(self, model: nn.Module, recipe: Recipe, plan: Plan) -> None:
        self.model, self.recipe, self.plan = model, recipe, plan
        self.done = Progress([], 0)
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimiser = torch.optim.SGD(
            self.parameters,
            lr=recipe.peak,
            momentum=0.9,
            nesterov=True,
            weight_decay=recipe.decay,
        )

    @property
    def epochs_left(self) -> int:
        return self.plan.epochs - len(self.done.losses)

    def run_epoch(self, batches: Iterable[Batch], loss: Callable[[Batch], Tensor]) -> None:
        total = self.plan.epochs * self.plan.steps
        losses = []
        for batch in batches:
            self.optimiser.param_groups[0]["lr"] = self.recipe.rate(self.done.steps, total)
            self.optimiser.zero_grad()
            value = loss(batch)
            value.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            losses.append(value.detach())
            self.done.steps += 1
        mean = float(torch.stack(losses).mean())
        if not math.isfinite(mean):
            epoch = len(self.done.losses) + 1
            raise RlbenchError(f"training diverged: the mean loss of epoch {epoch} is {mean}")
        self.done.losses.append(mean)

    def arrays(self) -> dict[str, Array]:
        weights = {f"model.{name}": array for name, array in to_arrays(self.model).items()}
        momentum = {
            f"momentum.{i}": self.optimiser.state[parameter]["momentum_buffer"].cpu().numpy()
            for i, parameter in enumerate(self.parameters)
            if parameter in self.optimiser.state  # a part that no loss reaches has none
        }
        return weights | momentum

    def state(self) -> dict[str, Any]:
        return vars(self.done)

    def restore(self, found: Checkpoint, rng: np.random.Generator) -> None:
        weights = {
            name.removeprefix("model."): array
            for name, array in found.arrays.items()
            if name.startswith("model.")
        }
        load_arrays(self.model, weights)
        for i, parameter in enumerate(self.parameters):
            if (kept := found.arrays.get(f"momentum.{i}")) is not None:
                # Laid out like the parameter, so that no sum is grouped otherwise.
                buffer = torch.empty_like(parameter, requires_grad=False)
                buffer.copy_(torch.from_numpy(kept))
                self.optimiser.state[parameter]["momentum_buffer"] = buffer
        self.done = Progress(list(found.state["losses"]), found.state["steps"])
        rng.bit_generator.state = found.state["rng"]
