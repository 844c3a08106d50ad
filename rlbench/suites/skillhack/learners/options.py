"""Frozen options: the policy chooses in every step which expert acts (SkillHack's `foc`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rlbench.core.decode import decode
from rlbench.core.errors import UsageError
from rlbench.suites.skillhack.eyes import Seen
from rlbench.suites.skillhack.learners.interface import Expert, World, sample
from rlbench.suites.skillhack.learners.offpolicy import ImpalaParams, Translate, VtraceLearner
from rlbench.suites.skillhack.learners.teachers import TeacherParams, teachers_of
from rlbench.suites.skillhack.network import Policy


@dataclass(frozen=True)
class OptionParams(ImpalaParams, TeacherParams):
    """The recipe's parameters."""

    def __post_init__(self) -> None:
        ImpalaParams.__post_init__(self)
        TeacherParams.__post_init__(self)


class FrozenOptions:
    """Implements `interface.Method`; it can do nothing that none of its experts does."""

    def __init__(self, **params: Any) -> None:
        """Parameters are those of `OptionParams`.

        Raises:
            UsageError: one is unknown or out of range.
        """
        self.params = decode(OptionParams, params, "foc", error=UsageError)

    def begin(self, world: World) -> VtraceLearner:
        """See `interface.Method.begin`."""
        experts = teachers_of(world, self.params)
        policy = Policy(world.network, len(experts), memory=self.params.memory)
        return VtraceLearner(policy, self.params, world, translate=acting(experts))


def acting(experts: Sequence[Expert]) -> Translate:
    """The chosen experts' own sampled actions."""

    @torch.no_grad()
    def translate(seen: Seen, chosen: Tensor, rng: torch.Generator) -> Tensor:
        logits = torch.stack([expert.policy.step(seen, ())[0].logits for expert in experts], 1)
        return sample(logits[torch.arange(len(chosen), device=chosen.device), chosen], rng)[0]

    return translate
