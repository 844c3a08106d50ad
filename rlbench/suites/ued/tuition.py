"""What PPO does with the rollouts of several students at once; `learner` is the form for one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import vmap

from rlbench.learn.batched import pack_together
from rlbench.learn.ppo import Loss, Sample, normalise, ppo_loss
from rlbench.suites.ued.learner import Learner
from rlbench.suites.ued.rollout import Rollout
from rlbench.suites.ued.stack import Stack
from rlbench.suites.ued.train import Lesson


class Pupil(NamedTuple):
    """A student with its optimiser, what it is to learn from, and what shuffles environments."""

    learner: Learner
    lesson: Lesson
    rng: torch.Generator
    """The CPU's."""


class _Samples(NamedTuple):
    """A lesson, or some environments of it; all [T, n]."""

    rollout: Rollout
    advantage: Tensor
    """Normalised over the whole lesson."""
    target: Tensor

    def select(self, environments: Tensor) -> _Samples:
        part = self.advantage[:, environments], self.target[:, environments]
        return _Samples(self.rollout.select(environments), *part)


class _Batch(NamedTuple):
    """Samples of G students, packed; all [G, m, ...]."""

    counts: tuple[int, ...]
    prepared: Tensor
    direction: Tensor
    old: Sample


def update_together(pupils: Sequence[Pupil]) -> list[Loss]:
    """All epochs over every pupil's lesson; the losses of each one's last gradient step.

    The pupils' settings must be the same; the learning rates of their optimisers may differ, and
    so may the numbers of environments that they learn from.
    """
    learners = [pupil.learner for pupil in pupils]
    samples = [_samples(pupil.lesson) for pupil in pupils]
    settings = learners[0].settings
    if settings.minibatches == 1:
        batch = _batch(learners, samples)
        for _ in range(settings.epochs):
            losses = _step(learners, batch)
        return losses
    orders = [_order(pupil) for pupil in pupils]
    last: dict[int, Loss] = {}
    for step in range(max(map(len, orders))):
        # with fewer environments than minibatches, one has fewer steps than the others
        active = [g for g, order in enumerate(orders) if step < len(order)]
        some = [learners[g] for g in active]
        parts = [samples[g].select(orders[g][step]) for g in active]
        last |= zip(active, _step(some, _batch(some, parts)), strict=True)
    return [last[g] for g in range(len(pupils))]


def _order(pupil: Pupil) -> list[Tensor]:
    """The environments of each gradient step of all epochs."""
    settings, done = pupil.learner.settings, pupil.lesson.rollout.done
    shuffles = (torch.randperm(done.shape[1], generator=pupil.rng) for _ in range(settings.epochs))
    return [
        part.to(done.device) for order in shuffles for part in order.chunk(settings.minibatches)
    ]


def _samples(lesson: Lesson) -> _Samples:
    rollout, advantage = lesson
    return _Samples(rollout, normalise(advantage), advantage + rollout.value)


def _batch(learners: Sequence[Learner], samples: Sequence[_Samples]) -> _Batch:
    packed = pack_together([one.rollout.done for one in samples])

    def gathered(name: str) -> Tensor:
        return packed.gather([getattr(one.rollout, name) for one in samples])

    old = Sample(
        gathered("action"),
        gathered("log_prob"),
        gathered("value"),
        packed.gather([one.advantage for one in samples]),
        packed.gather([one.target for one in samples]),
        packed.real / packed.real.sum(1, keepdim=True),
    )
    codes = gathered("codes")
    prepared = learners[0].student.prepare(codes.flatten(0, 1))
    apart = prepared.view(*codes.shape[:2], *prepared.shape[1:])
    return _Batch(packed.counts, apart, gathered("direction"), old)


def _step(learners: Sequence[Learner], batch: _Batch) -> list[Loss]:
    settings = learners[0].settings
    stack = Stack([learner.student for learner in learners])
    logits, value = stack.unroll(batch.prepared, batch.direction, batch.counts)
    losses = vmap(partial(ppo_loss, settings=settings))(logits, value, batch.old)
    for learner in learners:
        learner.optimiser.zero_grad(set_to_none=True)
    losses.total.sum().backward()  # type: ignore[no-untyped-call]
    for learner in learners:
        nn.utils.clip_grad_norm_(learner.module.parameters(), settings.max_grad_norm)
        learner.optimiser.step()
        learner.gradient_steps += 1
    each = zip(*(part.detach().unbind() for part in losses), strict=True)
    return [Loss(*own) for own in each]
