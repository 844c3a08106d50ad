"""Random network distillation (Burda et al. 2018, arXiv:1810.12894) on top of V-trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rlbench.core.decode import decode
from rlbench.core.errors import UsageError
from rlbench.learn.vtrace import vtrace
from rlbench.suites.skillhack.eyes import Seen
from rlbench.suites.skillhack.learners.interface import Arrays, World
from rlbench.suites.skillhack.learners.moments import Moments
from rlbench.suites.skillhack.learners.offpolicy import Heard, ImpalaParams, VtraceLearner
from rlbench.suites.skillhack.network import NetworkKind, Policy, make_eyes

HEAD = "novelty"
WIDTH = 256


@dataclass(frozen=True)
class NoveltyParams(ImpalaParams):
    """Of SkillHack's `rnd`."""

    novelty: float = 0.1
    """Weight of the intrinsic reward, after it is divided by its running deviation."""
    novelty_gamma: float = 0.99
    prediction_coef: float = 0.01
    """Weight of the predictor's mean squared error."""


class RandomDistillation:
    """Implements `interface.Method`."""

    def __init__(self, **params: Any) -> None:
        """Parameters are those of `NoveltyParams`.

        Raises:
            UsageError: one is unknown or out of range.
        """
        self.params = decode(NoveltyParams, params, "rnd", error=UsageError)

    def begin(self, world: World) -> VtraceLearner:
        """See `interface.Method.begin`."""
        policy = Policy(world.network, world.n_actions, memory=self.params.memory, extra={HEAD: 1})
        novelty = Novelty(world, self.params)
        return VtraceLearner(policy, self.params, world, addition=novelty)


class Novelty:
    """Implements `offpolicy.Addition`: what the predictor cannot predict yet is worth seeing."""

    def __init__(self, world: World, params: NoveltyParams) -> None:
        """The weights are drawn from the world's chance."""
        self._params = params
        self.target, self.predictor = _Features(world.network, 1), _Features(world.network, 3)
        for module in (self.target, self.predictor):
            _orthogonal(module, world.rngs["weights"])
            module.to(world.device)
        self.target.requires_grad_(False)
        self.modules: Sequence[nn.Module] = (self.target, self.predictor)
        self._moments = Moments()

    def loss(self, heard: Heard) -> tuple[Tensor, Mapping[str, float]]:
        """The predictor's error, and policy and value losses for the intrinsic reward."""
        params, rollout = self._params, heard.rollout
        steps, n = rollout.done.shape
        seen = tuple(part[1:].flatten(0, 1) for part in rollout.seen)
        miss = (self.target(seen) - self.predictor(seen)).square()
        raw = 0.5 * miss.detach().sum(-1).view(steps, n)
        reward = params.novelty * raw / max(self._moments.update(raw), 1e-8)
        value = heard.out.extra[HEAD][..., 0]
        traced = vtrace(
            heard.log_ratio.detach(),
            params.novelty_gamma * (~rollout.done).to(reward.dtype),
            reward,
            value.detach(),
            heard.last.extra[HEAD][..., 0].detach(),
        )
        # log_ratio is the log-probability less a constant: its gradient is the policy's
        policy = -(traced.advantage * heard.log_ratio).sum()
        error = 0.5 * (traced.target - value).square().sum()
        total = params.prediction_coef * miss.mean() + policy + params.value_coef * error
        return total, {"novelty": float(raw.mean()), "novelty_reward": float(reward.mean())}

    def state(self) -> Arrays:
        """See `offpolicy.Addition.state`."""
        return {"moments": self._moments.numbers.numpy()}

    def restore(self, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """See `offpolicy.Addition.restore`."""
        self._moments.numbers = torch.from_numpy(np.array(state["moments"]))


class _Features(nn.Module):
    """Eyes of its own and 1 or 3 layers of 256 units, ELU between them."""

    def __init__(self, kind: NetworkKind, layers: int) -> None:
        super().__init__()
        self.eyes = make_eyes(kind)
        parts: list[nn.Module] = [nn.Linear(self.eyes.width, WIDTH)]
        for _ in range(layers - 1):
            parts += [nn.ELU(), nn.Linear(WIDTH, WIDTH)]
        self.layers = nn.Sequential(*parts)

    def forward(self, seen: Seen) -> Tensor:
        out: Tensor = self.layers(self.eyes(seen))
        return out


def _orthogonal(module: nn.Module, rng: torch.Generator) -> None:
    """As in the paper: orthogonal with gain sqrt(2), no biases."""
    for part in module.modules():
        if isinstance(part, (nn.Linear, nn.Conv2d, nn.Embedding)):
            nn.init.orthogonal_(part.weight, 2**0.5, generator=rng)
        if isinstance(part, (nn.Linear, nn.Conv2d)) and part.bias is not None:
            nn.init.zeros_(part.bias)
