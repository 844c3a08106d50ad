"""Proximal policy optimisation without memory, as fits a few minutes on one core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from rlbench.core.decode import decode
from rlbench.core.errors import UsageError
from rlbench.learn.checkpoint import optimiser_arrays, restore_optimiser
from rlbench.learn.ppo import Loss, PpoSettings, Sample, gae, ppo_loss
from rlbench.learn.recurrent import State
from rlbench.learn.weights import load_arrays, to_arrays
from rlbench.suites.skillhack.eyes import Seen
from rlbench.suites.skillhack.interface import Observation
from rlbench.suites.skillhack.learners.interface import Arrays, Rollout, Turn, World, take_turn
from rlbench.suites.skillhack.network import Policy


@dataclass(frozen=True)
class PpoParams(PpoSettings):
    """The recipe's parameters.

    `minibatches` cut the shuffled samples, not the environments, and `clip` holds for the policy
    only: values are far from the truth at first, and clipping their change slows them down.
    Advantages are taken as they are. While success is rare most rollouts have none, and dividing
    their advantages by their deviation would make learning material of noise. The discount is close
    to 1, because standing still forever has to cost more than a way that is dear at first.
    """

    lr: float = 2e-3
    gamma: float = 0.999
    gae_lambda: float = 0.95
    epochs: int = 3
    minibatches: int = 2
    entropy_coef: float = 0.006
    anneal_entropy: bool = True
    """Whether the entropy bonus falls linearly to 0 over the budget."""
    unroll: int = 64
    """Steps between updates."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unroll < 1:
            raise ValueError(f"unroll: expected at least 1, found {self.unroll}")


class Ppo:
    """Implements `interface.Method`."""

    def __init__(self, **params: Any) -> None:
        """Parameters are those of `PpoParams`.

        Raises:
            UsageError: one is unknown or out of range.
        """
        self.params = decode(PpoParams, params, "ppo", error=UsageError)

    def begin(self, world: World) -> PpoLearner:
        """See `interface.Method.begin`."""
        return PpoLearner(self.params, world)


class PpoLearner:
    """Implements `interface.Learner`."""

    def __init__(self, params: PpoParams, world: World) -> None:
        """The policy's weights are drawn from the world's chance."""
        self.params, self._rngs, self._budget = params, world.rngs, world.env_steps
        self.policy = Policy(world.network, world.n_actions)
        self.policy.initialise(world.rngs["weights"])
        self.policy.to(world.device)
        self.unroll = params.unroll
        self._trained = [p for p in self.policy.parameters() if p.requires_grad]
        self.optimiser = torch.optim.Adam(self._trained, lr=params.lr, eps=1e-5, fused=True)
        self.frames = self.gradient_steps = 0

    def see(self, observation: Observation) -> Seen:
        """See `interface.Learner.see`."""
        return self.policy.see(observation)

    def start(self, n: int) -> State:
        """See `interface.Learner.start`."""
        return self.policy.start(n)

    def act(self, seen: Seen, memory: State) -> Turn:
        """See `interface.Learner.act`."""
        return self.play(seen, memory, self._rngs["actions"])

    def play(self, seen: Seen, memory: State, rng: torch.Generator) -> Turn:
        """See `interface.Learner.play`."""
        return take_turn(self.policy, seen, memory, rng)

    def learn(self, rollout: Rollout) -> Mapping[str, float]:
        """All epochs over a rollout; the losses of the last gradient step."""
        settings = self._settings()
        self.frames += rollout.done.numel()
        with torch.no_grad():
            last = self.policy.step(tuple(part[-1] for part in rollout.seen), ())[0].value
        beyond = settings.gamma * rollout.value * rollout.cut
        advantage = gae(
            rollout.reward + beyond,
            rollout.done,
            rollout.value,
            last,
            gamma=settings.gamma,
            gae_lambda=settings.gae_lambda,
        )
        target = advantage + rollout.value
        numbers = (rollout.chosen, rollout.log_prob, rollout.value, advantage, target)
        whole = [part.flatten() for part in numbers]
        seen = tuple(part[:-1].flatten(0, 1) for part in rollout.seen)
        for _ in range(settings.epochs):
            order = torch.randperm(len(whole[0]), generator=self._rngs["minibatches"])
            for part in order.to(last.device).chunk(settings.minibatches):
                weight = torch.full_like(whole[1][part], 1 / len(part))
                old = Sample._make([*(x[part] for x in whole), weight])
                loss = self._step(tuple(x[part] for x in seen), old, settings)
        names = ("policy", "value", "entropy", "kl")
        return {name: float(getattr(loss, name)) for name in names}

    def _settings(self) -> PpoParams:
        """Those of the next update."""
        if not self.params.anneal_entropy:
            return self.params
        left = max(1 - self.frames / self._budget, 0.0)
        return replace(self.params, entropy_coef=self.params.entropy_coef * left)

    def _step(self, seen: Seen, old: Sample, settings: PpoParams) -> Loss:
        out, _ = self.policy.step(seen, ())
        near = old._replace(value=out.value.detach())  # the value's change is not clipped
        loss = ppo_loss(out.logits, out.value, near, settings)
        self.optimiser.zero_grad(set_to_none=True)
        loss.total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._trained, settings.max_grad_norm)
        self.optimiser.step()
        self.gradient_steps += 1
        return Loss(*(part.detach() for part in loss))

    def state(self) -> Arrays:
        """See `interface.Learner.state`."""
        weights = {f"weights:{k}": v for k, v in to_arrays(self.policy).items()}
        steps = {name: np.array(getattr(self, name)) for name in ("frames", "gradient_steps")}
        return weights | optimiser_arrays(self.optimiser) | steps

    def restore(self, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """See `interface.Learner.restore`."""
        mark = "weights:"
        kept = {k.removeprefix(mark): v for k, v in state.items() if k.startswith(mark)}
        load_arrays(self.policy, kept)
        restore_optimiser(self.optimiser, state)
        self.frames, self.gradient_steps = int(state["frames"]), int(state["gradient_steps"])
