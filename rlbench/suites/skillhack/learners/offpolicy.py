"""V-trace actor-critic in one process, and what other methods may add to it.

The published learner's actors run beside it and act with parameters that are older by some random
number of updates. Here they act with parameters that are older by `lag` updates, always: the same
correction is at work, and a trial repeats to the bit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from rlbench.learn.checkpoint import optimiser_arrays, restore_optimiser
from rlbench.learn.recurrent import State
from rlbench.learn.vtrace import Vtrace, vtrace
from rlbench.learn.weights import load_arrays, to_arrays
from rlbench.suites.skillhack.eyes import Seen
from rlbench.suites.skillhack.interface import Observation
from rlbench.suites.skillhack.learners.interface import Arrays, Rollout, Turn, World, take_turn
from rlbench.suites.skillhack.learners.moments import Moments
from rlbench.suites.skillhack.network import MemoryKind, Output, Policy


@dataclass(frozen=True)
class ImpalaParams:
    """Of SkillHack's learner; losses are sums over time and environments."""

    unroll: int = 80
    lr: float = 2e-4
    """Of RMSprop; falls linearly to 0 over the budget."""
    gamma: float = 0.999
    entropy_coef: float = 0.001
    value_coef: float = 0.5
    """Weight of half the squared error."""
    max_grad_norm: float = 40.0
    normalise_reward: bool = True
    lag: int = 8
    """How many updates old the parameters are that act."""
    memory: MemoryKind = "lstm"

    def __post_init__(self) -> None:
        for name in ("lr", "max_grad_norm"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: expected a positive number, found {getattr(self, name)}")
        if self.unroll < 1 or self.lag < 0:
            raise ValueError(
                f"unroll, lag: expected at least 1 and 0, found {self.unroll}, {self.lag}"
            )
        if not 0 <= self.gamma <= 1:
            raise ValueError(f"gamma: expected 0 to 1, found {self.gamma}")


class Heard(NamedTuple):
    """What an addition is told of an update."""

    rollout: Rollout
    out: Output
    """Of the policy that learns, [T, n, ...]."""
    last: Output
    """Of the observation after the last step, [n, ...]."""
    log_ratio: Tensor
    """float [T, n], log-probability of what was chosen: what learns minus what acted. It carries
    the gradient of the former."""
    frames: int
    """Environment steps learnt from, this rollout's included."""


class Addition(Protocol):
    """What a method adds to the loss."""

    modules: Sequence[nn.Module]
    """Trained with the policy, on the world's device."""

    def loss(self, heard: Heard) -> tuple[Tensor, Mapping[str, float]]:
        """To be added to the loss, and numbers for the curve."""

    def state(self) -> Arrays:
        """What changes besides the modules."""

    def restore(self, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Put it back."""


Translate = Callable[[Seen, Tensor, torch.Generator], Tensor]
"""From what was seen and chosen (int64 [n]) to actions, int64 [n]."""


class VtraceLearner:
    """Implements `interface.Learner`."""

    def __init__(
        self,
        policy: Policy,
        params: ImpalaParams,
        world: World,
        *,
        addition: Addition | None = None,
        translate: Translate | None = None,
    ) -> None:
        """Begin.

        Args:
            policy: its weights are drawn from the world's chance.
            params: see there.
            world: see there.
            addition: what the method adds to the loss.
            translate: how choices become actions; by default they are actions.
        """
        policy.initialise(world.rngs["weights"])
        self.policy = policy.to(world.device)
        self.params, self.unroll = params, params.unroll
        self._world, self._addition, self._translate = world, addition, translate
        self._acting = deepcopy(self.policy).requires_grad_(False) if params.lag else self.policy
        self._old = deque([self._vector()] * min(params.lag, 1), maxlen=params.lag + 1)
        modules = [self.policy, *(addition.modules if addition else ())]
        self._trained = [p for module in modules for p in module.parameters() if p.requires_grad]
        self.optimiser = torch.optim.RMSprop(self._trained, lr=params.lr, alpha=0.99, eps=1e-6)
        self._rewards = Moments()
        self.frames = self.gradient_steps = 0

    def begin_with(self, model: Policy) -> None:
        """Take eyes and hidden layers from another policy; to be called before anything else."""
        for own, other in ((self.policy.eyes, model.eyes), (self.policy.hidden, model.hidden)):
            own.load_state_dict(other.state_dict())
        if self.params.lag:
            self._old[0] = self._vector()
            vector_to_parameters(self._old[0], self._acting.parameters())

    def see(self, observation: Observation) -> Seen:
        """See `interface.Learner.see`."""
        return self.policy.see(observation)

    def start(self, n: int) -> State:
        """See `interface.Learner.start`."""
        return self.policy.start(n)

    def act(self, seen: Seen, memory: State) -> Turn:
        """One step with the old parameters."""
        return self._turn(self._acting, seen, memory, self._world.rngs["actions"])

    def play(self, seen: Seen, memory: State, rng: torch.Generator) -> Turn:
        """See `interface.Learner.play`."""
        return self._turn(self.policy, seen, memory, rng)

    @torch.no_grad()
    def _turn(self, policy: Policy, seen: Seen, memory: State, rng: torch.Generator) -> Turn:
        turn = take_turn(policy, seen, memory, rng)
        if self._translate is None:
            return turn
        return turn._replace(action=self._translate(seen, turn.chosen, rng))

    def learn(self, rollout: Rollout) -> Mapping[str, float]:
        """One gradient step; losses, the mean importance ratio and the share above the clip."""
        self.frames += rollout.done.numel()
        whole = self.policy.unroll(rollout.seen, rollout.memory, rollout.done)
        out, last = _part(whole, slice(None, -1)), _part(whole, -1)
        every = torch.log_softmax(out.logits, -1)
        log_prob = every.gather(-1, rollout.chosen[..., None])[..., 0]
        heard = Heard(rollout, out, last, log_prob - rollout.log_prob, self.frames)
        reward = rollout.reward
        if self.params.normalise_reward:
            reward = reward / max(self._rewards.update(reward), 1e-8)
        traced = self.trace(heard, reward)
        policy = -(traced.advantage * log_prob).sum()
        value = 0.5 * (traced.target - out.value).square().sum()
        entropy = -(every.exp() * every).sum()
        loss = policy + self.params.value_coef * value - self.params.entropy_coef * entropy
        added: Mapping[str, float] = {}
        if self._addition is not None:
            more, added = self._addition.loss(heard)
            loss = loss + more
        self._descend(loss)
        n = rollout.done.numel()
        return {
            "policy": float(policy.detach()) / n,
            "value": float(value.detach()) / n,
            "entropy": float(entropy.detach()) / n,
            "ratio": float(traced.ratio.mean()),
            "clipped": float((traced.ratio > 1).float().mean()),
            **added,
        }

    def trace(self, heard: Heard, reward: Tensor) -> Vtrace:
        """V-trace with both clips at 1."""
        discount = self.params.gamma * (~heard.rollout.done).to(reward.dtype)
        log_ratio, value = heard.log_ratio.detach(), heard.out.value.detach()
        reward = reward + self.params.gamma * value * heard.rollout.cut
        return vtrace(log_ratio, discount, reward, value, heard.last.value.detach())

    def _descend(self, loss: Tensor) -> None:
        done = min(self.frames / self._world.env_steps, 1.0)
        for group in self.optimiser.param_groups:
            group["lr"] = self.params.lr * (1 - done)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._trained, self.params.max_grad_norm)
        self.optimiser.step()
        self.gradient_steps += 1
        if self.params.lag:
            self._old.append(self._vector())
            vector_to_parameters(self._old[0], self._acting.parameters())

    def _vector(self) -> Tensor:
        return parameters_to_vector(self.policy.parameters()).detach().clone()

    def state(self) -> Arrays:
        """See `interface.Learner.state`."""
        arrays = {f"weights:{k}": v for k, v in to_arrays(self.policy).items()}
        arrays |= optimiser_arrays(self.optimiser)
        arrays |= {f"old:{i}": vector.cpu().numpy() for i, vector in enumerate(self._old)}
        arrays |= {"rewards": self._rewards.numbers.numpy()}
        arrays |= {name: np.array(getattr(self, name)) for name in ("frames", "gradient_steps")}
        if self._addition is not None:
            for i, module in enumerate(self._addition.modules):
                arrays |= {f"module{i}:{k}": v for k, v in to_arrays(module).items()}
            arrays |= {f"addition:{k}": v for k, v in self._addition.state().items()}
        return arrays

    def restore(self, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """See `interface.Learner.restore`."""
        load_arrays(self.policy, under(state, "weights:"))
        restore_optimiser(self.optimiser, state)
        self._old.clear()
        for i in range(len(under(state, "old:"))):
            self._old.append(torch.from_numpy(np.array(state[f"old:{i}"])).to(self._world.device))
        if self.params.lag:
            vector_to_parameters(self._old[0], self._acting.parameters())
        self._rewards.numbers = torch.from_numpy(np.array(state["rewards"]))
        self.frames, self.gradient_steps = int(state["frames"]), int(state["gradient_steps"])
        if self._addition is not None:
            for i, module in enumerate(self._addition.modules):
                load_arrays(module, under(state, f"module{i}:"))
            self._addition.restore(under(state, "addition:"))


def under(arrays: Mapping[str, np.ndarray[Any, Any]], mark: str) -> Arrays:
    """The arrays whose names begin with `mark`, without it."""
    return {k.removeprefix(mark): v for k, v in arrays.items() if k.startswith(mark)}


def _part(out: Output, where: Any) -> Output:
    extra = {name: value[where] for name, value in out.extra.items()}
    return Output(out.logits[where], out.value[where], extra, out.hidden[where])
