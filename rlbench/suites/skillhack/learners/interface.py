"""What a learning method is: a class that makes a learner for a world.

    class Mine:
        def __init__(self, **params): ...     # the recipe's parameters
        def begin(self, world): return ...    # a `Learner`, see below

Name it on the command line: `rlbench run skillhack/eat mine.py:Mine`. It needs no base class. A
class with `policy` instead of `begin` learns nothing: its fixed policy is evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from rlbench.core.errors import UsageError
from rlbench.learn.recurrent import State
from rlbench.suites.skillhack.eyes import Seen
from rlbench.suites.skillhack.network import NetworkKind, Policy

if TYPE_CHECKING:
    from rlbench.suites.skillhack.interface import Observation

Arrays = dict[str, np.ndarray[Any, Any]]

STREAMS = ("weights", "actions", "minibatches")
"""The purposes of chance in training, each a generator of its own; the first is the CPU's."""


@dataclass(frozen=True)
class ExpertTraining:
    """How experts are trained; with the skill, the network and the source, their whole identity."""

    expert_method: Literal["ppo", "impala"] = "impala"
    """With the method's own default settings and without memory."""
    expert_steps: int = 10_000_000
    """Environment steps for each of them."""

    def __post_init__(self) -> None:
        if self.expert_steps < 1:
            raise ValueError(f"expert_steps: expected at least 1, found {self.expert_steps}")


@dataclass(frozen=True, eq=False)
class Expert:
    """A trained skill, frozen, that teaches or serves as an option."""

    skill: str
    policy: Policy
    """Without memory, of the world's network kind."""
    frames: int
    """Environment steps that its training took."""
    success: float
    """Share of evaluation episodes that it wins in its own skill."""
    key: str
    """Of its asset: the hash of all that it was made from."""


@dataclass(frozen=True)
class DynamicsTraining(ExpertTraining):
    """How a model of the dynamics is learnt from an expert of the task itself."""

    demonstrations: int = 1_000_000
    """Steps that the expert plays; the model sees them without the actions."""
    dynamics_lr: float = 1e-3
    """Of Adam."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.demonstrations < 1:
            raise ValueError(f"demonstrations: expected at least 1, found {self.demonstrations}")
        if self.dynamics_lr <= 0:
            raise ValueError(f"dynamics_lr: expected above 0, found {self.dynamics_lr}")

    def of_expert(self) -> ExpertTraining:
        """The part that is about the expert."""
        return ExpertTraining(self.expert_method, self.expert_steps)


@dataclass(frozen=True, eq=False)
class Dynamics:
    """What has been learnt about a task's dynamics, frozen."""

    policy: Policy
    """Its eyes and hidden layers predict; its heads are as they were drawn. Without memory."""
    frames: int
    """Steps that were demonstrated."""
    right: tuple[float, float]
    """Share of the next screen's characters that it predicts: of all, of those that change."""
    key: str
    """Of its asset."""


def _no_dynamics(training: DynamicsTraining) -> Dynamics:
    raise UsageError("nobody demonstrates anything in this world")


@dataclass(frozen=True, eq=False)
class World:
    """What a learner may use."""

    network: NetworkKind
    n_actions: int
    environments: int
    """Episodes that are played at once."""
    env_steps: int
    """The budget of training, over all environments."""
    skills: tuple[str, ...]
    """Those that the task needs; empty where the task is a skill itself."""
    task: str
    """The task's name."""
    rngs: Mapping[str, torch.Generator]
    """By the names in `STREAMS`; saved with the trial."""
    device: torch.device
    experts: Callable[[Sequence[str], ExpertTraining], list[Expert]]
    """Experts for skill tasks, by name; trained when nobody has trained them so yet."""
    dynamics: Callable[[DynamicsTraining], Dynamics] = _no_dynamics
    """The task's own, learnt from an expert's play when nobody has learnt it so yet."""


class Turn(NamedTuple):
    """What a learner does in one step."""

    action: Tensor
    """int64 [n], for the environments."""
    chosen: Tensor
    """int64 [n], what its policy chose: the action itself, or an option."""
    log_prob: Tensor
    """float [n], of `chosen`."""
    value: Tensor
    """float [n]."""
    memory: State
    """After the step, [n, ...] each."""


class Rollout(NamedTuple):
    """T steps in n environments; an episode that ends is followed by the next in the same row."""

    seen: Seen
    """Tensors [T + 1, n, ...]: what was seen before each step, and after the last."""
    memory: State
    """Before the first step."""
    chosen: Tensor
    """int64 [T, n]."""
    log_prob: Tensor
    """float [T, n], by the policy that acted."""
    value: Tensor
    """float [T, n], by the policy that acted."""
    reward: Tensor
    """float32 [T, n]."""
    done: Tensor
    """bool [T, n], time-outs included."""
    cut: Tensor
    """bool [T, n], those time-outs after which the task would have gone on; none in published
    tasks, where running out of time is a loss. What lies beyond is worth about as much as V of the
    last observation before, because the one after is not shown."""


class Learner(Protocol):
    """Acts and learns."""

    gradient_steps: int
    """So far."""

    @property
    def unroll(self) -> int:
        """Steps of a rollout; 0 when there is nothing left to learn."""

    def see(self, observation: Observation) -> Seen:
        """What it needs of an observation, copied."""

    def start(self, n: int) -> State:
        """Its memory before an episode's first step."""

    def act(self, seen: Seen, memory: State) -> Turn:
        """One step of training, by whatever policy it explores with."""

    def play(self, seen: Seen, memory: State, rng: torch.Generator) -> Turn:
        """One step of evaluation, by what it has learnt; `rng` is on the world's device."""

    def learn(self, rollout: Rollout) -> Mapping[str, float]:
        """Learn from a rollout; finite numbers for the curve."""

    def state(self) -> Arrays:
        """Everything that changes, the world's generators aside."""

    def restore(self, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Put it back."""


class Method(Protocol):
    """A baseline that learns."""

    def begin(self, world: World) -> Learner:
        """Called once."""


def sample(logits: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw from softmax(logits): int64 [n] and its log-probability, float [n]."""
    noise = torch.empty_like(logits).exponential_(generator=rng).log_().neg_()
    chosen = (logits + noise).argmax(-1)
    log_prob = torch.log_softmax(logits, -1).gather(-1, chosen[..., None])[..., 0]
    return chosen, log_prob


@torch.inference_mode()
def take_turn(policy: Policy, seen: Seen, memory: State, rng: torch.Generator) -> Turn:
    """One step of a policy that samples its actions."""
    out, memory = policy.step(seen, memory)
    action, log_prob = sample(out.logits, rng)
    return Turn(action, action, log_prob, out.value, memory)
