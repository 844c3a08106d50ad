"""Fine-tuning of the task's classifier on ID train beside a second set that has no labels."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rlbench.suites.ood.descent import Plan, Recipe, descend
from rlbench.suites.ood.material import Images, Material, Trained, shuffled

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast."""

    epochs: int
    rate: float
    """The highest learning rate; it falls along a cosine."""
    batch: int
    """ID examples a step."""
    second_batch: int
    """Unlabelled examples a step."""
    repeats: int = 0
    """How often an epoch goes through the second set, at most; 0 for as often as ID train needs.

    Where the second set ends first, so does the epoch, though the learning rate is laid out for all
    of ID train, as in DCM's published code.
    """


@dataclass(frozen=True)
class Step:
    """One batch of both sets."""

    inputs: Tensor
    """[b + second b, channels, h, w], ID first."""
    y: Tensor
    """[b]"""


def fine_tune(
    material: Material,
    second: list[Images],
    schedule: Schedule,
    term: Callable[[Tensor, Tensor], Tensor],
) -> Trained:
    """Minimise the cross-entropy on ID train plus a term that the second set has a part in.

    Args:
        material: its classifier is where the weights start.
        second: one or more sets, mixed.
        schedule: how long and how fast.
        term: of logits [b, C] of ID and [second b, C] of unlabelled examples; a scalar.
    """
    model, train, rng = material.copied(), material.train, material.rng
    sizes = [images.n for images in second]
    ends = np.cumsum(sizes)

    def unlabelled(index: Array) -> Tensor:
        where = np.searchsorted(ends, index, side="right")
        parts = [
            images.inputs(index[where == i] - (ends[i] - images.n), rng)
            for i, images in enumerate(second)
            if (where == i).any()
        ]
        return torch.cat(parts)

    def beside() -> Iterator[Array]:
        if schedule.repeats:
            return shuffled(sum(sizes) * schedule.repeats, schedule.second_batch, rng)
        passes = (shuffled(sum(sizes), schedule.second_batch, rng) for _ in itertools.count())
        return itertools.chain.from_iterable(passes)

    def epoch() -> Iterator[Step]:
        both = zip(shuffled(train.n, schedule.batch, rng), beside(), strict=False)
        for index, other in both:
            inputs = torch.cat([train.inputs(index, rng), unlabelled(other % sum(sizes))])
            yield Step(inputs, train.classes(index))

    def loss(step: Step) -> Tensor:
        logits = model(step.inputs)
        inside, outside = logits[: len(step.y)], logits[len(step.y) :]
        return functional.cross_entropy(inside, step.y) + term(inside, outside)

    plan = Plan(schedule.epochs, train.n // min(schedule.batch, train.n))
    recipe = Recipe(schedule.batch, schedule.rate, "cosine")
    done = descend(model, recipe, plan, epoch, loss, rng=rng, keeper=material.keeper)
    return Trained(model, done.losses, done.steps, plan.epochs * plan.steps)


def to_uniform(logits: Tensor) -> Tensor:
    """Mean cross-entropy of the softmax of logits [n, C] to the uniform distribution, a scalar.

    Up to a constant; the confidence term of OE (arXiv 1812.04606) and of DCM (arXiv 2306.04974).
    """
    return (torch.logsumexp(logits, dim=1) - logits.mean(dim=1)).mean()
