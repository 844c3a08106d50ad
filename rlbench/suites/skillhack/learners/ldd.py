"""Dynamics distillation: V-trace that starts from a model of the dynamics and stays near it.

An adaptation of language dynamics distillation (Zhong et al. 2022, arXiv:2210.00066): the student's
network begins as that of a model which predicts what unlabelled demonstrations show next, and while
it learns from rewards its representation is held near the model's by a squared error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rlbench.core.decode import decode
from rlbench.core.errors import UsageError
from rlbench.suites.skillhack.learners.interface import Arrays, DynamicsTraining, World
from rlbench.suites.skillhack.learners.offpolicy import Heard, ImpalaParams, VtraceLearner
from rlbench.suites.skillhack.network import Policy


@dataclass(frozen=True)
class DistillationParams(ImpalaParams, DynamicsTraining):
    """The recipe's parameters."""

    begin_with_dynamics: bool = True
    """Whether the student's eyes and hidden layers begin as the model's."""
    distil: float = 1 / 64
    """Weight, per sample, of the mean squared difference between the hidden layers."""

    def __post_init__(self) -> None:
        ImpalaParams.__post_init__(self)
        DynamicsTraining.__post_init__(self)
        if self.distil < 0:
            raise ValueError(f"distil: expected at least 0, found {self.distil}")

    def of_dynamics(self) -> DynamicsTraining:
        """The part that is about the model."""
        return DynamicsTraining(
            self.expert_method, self.expert_steps, self.demonstrations, self.dynamics_lr
        )


class DynamicsDistillation:
    """Implements `interface.Method`."""

    def __init__(self, **params: Any) -> None:
        """Parameters are those of `DistillationParams`.

        Raises:
            UsageError: one is unknown or out of range.
        """
        self.params = decode(DistillationParams, params, "ldd", error=UsageError)

    def begin(self, world: World) -> VtraceLearner:
        """See `interface.Method.begin`."""
        model = world.dynamics(self.params.of_dynamics()).policy
        policy = Policy(world.network, world.n_actions, memory=self.params.memory)
        distillation = Distillation(model, self.params.distil) if self.params.distil else None
        learner = VtraceLearner(policy, self.params, world, addition=distillation)
        if self.params.begin_with_dynamics:
            learner.begin_with(model)
        return learner


class Distillation:
    """Implements `offpolicy.Addition`."""

    modules: Sequence[nn.Module] = ()

    def __init__(self, model: Policy, weight: float) -> None:
        """`model` is frozen and has the student's eyes and hidden layers."""
        self._model, self._weight = model, weight

    def loss(self, heard: Heard) -> tuple[Tensor, Mapping[str, float]]:
        """See `offpolicy.Addition.loss`."""
        seen = tuple(part[:-1].flatten(0, 1) for part in heard.rollout.seen)
        with torch.no_grad():
            there = self._model.step(seen, ())[0].hidden
        apart = (heard.out.hidden.flatten(0, 1) - there).square().mean(-1)
        return self._weight * apart.sum(), {"apart": float(apart.detach().mean())}

    def state(self) -> Arrays:
        """The model does not change."""
        return {}

    def restore(self, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """The model does not change."""
