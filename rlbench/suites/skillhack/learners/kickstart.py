"""Kickstarting and hierarchical kickstarting: V-trace with experts to lean on at first.

Kickstarting (Schmitt et al. 2018, arXiv:1803.03835) pulls the student towards its teachers;
hierarchical kickstarting (Matthews et al. 2022, arXiv:2207.11584) learns for each state whom to
follow. Losses and schedules are those of SkillHack's code, which takes the reverse divergence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from rlbench.core.decode import decode
from rlbench.core.errors import UsageError
from rlbench.suites.skillhack.learners.interface import Arrays, Expert, World
from rlbench.suites.skillhack.learners.offpolicy import Heard, ImpalaParams, VtraceLearner
from rlbench.suites.skillhack.learners.teachers import TeacherParams, advice, teachers_of
from rlbench.suites.skillhack.network import Policy

PUBLISHED_UNROLL = 80
"""The published divergences are summed over samples and divided by the unroll's length."""
HEAD = "teachers"
_TINY = 1e-20


@dataclass(frozen=True)
class KickstartParams(ImpalaParams, TeacherParams):
    """Of SkillHack's `ks`; shares are of the budget, 2e7 of 2.5e8 frames there."""

    divergence: Literal["reverse", "forward"] = "reverse"
    """KL(student || teachers), as published, or KL(teachers || student)."""
    guidance: float = 10.0
    """Weight of the divergence at first; over 80, per sample."""
    guidance_share: float = 0.08
    """Over which share of the budget it would fall to 0."""
    guidance_floor: float = 0.05
    """It never falls below this share of its first value."""

    def __post_init__(self) -> None:
        ImpalaParams.__post_init__(self)
        TeacherParams.__post_init__(self)
        for name in ("guidance", "guidance_floor"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: expected at least 0, found {getattr(self, name)}")
        if self.guidance_share <= 0:
            raise ValueError(f"guidance_share: expected above 0, found {self.guidance_share}")


@dataclass(frozen=True)
class HierarchicalParams(KickstartParams):
    """Of SkillHack's `hks`."""

    uniform: float = 20.0
    """Weight of KL(uniform || weights of the teachers) at first; over 80, per sample."""
    uniform_share: float = 0.08
    uniform_floor: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("uniform", "uniform_floor"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: expected at least 0, found {getattr(self, name)}")
        if self.uniform_share <= 0:
            raise ValueError(f"uniform_share: expected above 0, found {self.uniform_share}")


class Kickstart:
    """Implements `interface.Method`: the teachers' mean is followed."""

    def __init__(self, **params: Any) -> None:
        """Parameters are those of `KickstartParams`.

        Raises:
            UsageError: one is unknown or out of range.
        """
        self.params = decode(KickstartParams, params, "ks", error=UsageError)

    def begin(self, world: World) -> VtraceLearner:
        """See `interface.Method.begin`."""
        experts = teachers_of(world, self.params)
        policy = Policy(world.network, world.n_actions, memory=self.params.memory)
        guidance = Guidance(experts, self.params, None, world.env_steps)
        return VtraceLearner(policy, self.params, world, addition=guidance)


class HierarchicalKickstart:
    """Implements `interface.Method`: a head of the student weighs the teachers, state by state."""

    def __init__(self, **params: Any) -> None:
        """Parameters are those of `HierarchicalParams`.

        Raises:
            UsageError: one is unknown or out of range.
        """
        self.params = decode(HierarchicalParams, params, "hks", error=UsageError)

    def begin(self, world: World) -> VtraceLearner:
        """See `interface.Method.begin`."""
        experts = teachers_of(world, self.params)
        head = {HEAD: len(experts)}
        policy = Policy(world.network, world.n_actions, memory=self.params.memory, extra=head)
        guidance = Guidance(experts, self.params, self.params, world.env_steps)
        return VtraceLearner(policy, self.params, world, addition=guidance)


class Guidance:
    """Implements `offpolicy.Addition`."""

    modules: Sequence[nn.Module] = ()

    def __init__(
        self,
        experts: Sequence[Expert],
        params: KickstartParams,
        weighing: HierarchicalParams | None,
        env_steps: int,
    ) -> None:
        """`weighing` is None where all teachers count alike."""
        self._experts, self._params, self._weighing = experts, params, weighing
        self._budget = env_steps

    def loss(self, heard: Heard) -> tuple[Tensor, Mapping[str, float]]:
        """See `offpolicy.Addition.loss`."""
        each = advice(self._experts, tuple(part[:-1] for part in heard.rollout.seen))
        weights = each.new_full(each.shape[:-1], 1 / len(self._experts))
        if self._weighing is not None:
            weights = heard.out.extra[HEAD].softmax(-1)
        params, done = self._params, heard.frames / self._budget
        strength = falling(params.guidance, done, params.guidance_share, params.guidance_floor)
        kl = divergence(heard.out.logits, mixture(weights, each), params.divergence)
        total = strength / PUBLISHED_UNROLL * kl.sum()
        told = {"guidance": strength, "divergence": float(kl.detach().mean())}
        if self._weighing is not None:
            more, about = self._weigh(heard.out.extra[HEAD], done, self._weighing)
            total, told = total + more, told | about
        return total, told

    def _weigh(
        self, logits: Tensor, done: float, params: HierarchicalParams
    ) -> tuple[Tensor, dict[str, float]]:
        """The regulariser of the weights, and their means for the curve."""
        strength = falling(params.uniform, done, params.uniform_share, params.uniform_floor)
        spread = strength / PUBLISHED_UNROLL * from_uniform(logits).sum()
        log_w = logits.detach().log_softmax(-1)
        told = {"weights_entropy": float(-(log_w.exp() * log_w).sum(-1).mean())}
        means = log_w.exp().flatten(0, -2).mean(0).tolist()
        for expert, mean in zip(self._experts, means, strict=True):
            told[f"weight.{expert.skill}"] = mean
        return spread, told

    def state(self) -> Arrays:
        """Teachers do not change."""
        return {}

    def restore(self, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Teachers do not change."""


def falling(first: float, done: float, share: float, floor: float) -> float:
    """A weight that falls linearly: first * max(1 - done / share, floor)."""
    return first * max(1 - done / share, floor)


def mixture(weights: Tensor, each: Tensor) -> Tensor:
    """What the weighed teachers do together: [..., K] and [..., K, A] to float [..., A]."""
    return (weights[..., None] * each).sum(-2)


def divergence(logits: Tensor, guide: Tensor, direction: Literal["reverse", "forward"]) -> Tensor:
    """KL between student and guide, per sample.

    Args:
        logits: float [..., A], the student's.
        guide: float [..., A], probabilities of the teachers together.
        direction: "reverse" is KL(student || guide), "forward" KL(guide || student).

    Returns:
        float [...].
    """
    log_pi, log_guide = logits.log_softmax(-1), guide.clamp(min=_TINY).log()
    if direction == "reverse":
        return (log_pi.exp() * (log_pi - log_guide)).sum(-1)
    return (guide * (log_guide - log_pi)).sum(-1)


def from_uniform(logits: Tensor) -> Tensor:
    """KL(uniform || softmax(logits)), per sample: float [..., K] to float [...]."""
    return -logits.log_softmax(-1).mean(-1) - torch.tensor(float(logits.shape[-1])).log()
