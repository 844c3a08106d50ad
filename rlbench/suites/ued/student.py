"""The student: a small convolution over the view, a memory, and heads for policy and value.

The network of minimax's `default_student_cnn` (Jiang et al. 2023, arXiv:2311.12716): 3x3
convolution with 16 filters, an embedding of the direction, LSTM of 256 units, heads of 32 units;
432,924 trained parameters with a view of 5.
"""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from rlbench.learn.recurrent import Kind, Memory, Packing, State
from rlbench.learn.s5 import S5
from rlbench.suites.ued.maze import N_ACTIONS
from rlbench.suites.ued.view import feature_table

FILTERS = 16
HIDDEN = 256
MemoryKind = Kind | Literal["s5"]
HEAD = 32


class ActorCritic(Protocol):
    """What the training loop and the evaluation need of a network; an `nn.Module` besides."""

    def initialise(self, rng: torch.Generator) -> None:
        """Draw all weights from `rng`."""

    def start(self, n: int, device: torch.device) -> State:
        """The memory before an episode's first step."""

    def act(self, codes: Tensor, direction: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """One step: codes uint8 [n, view²], direction int64 [n] to logits, value and memory."""

    def prepare(self, codes: Tensor) -> Tensor:
        """What of the views can be computed once for all epochs: uint8 [m, view²] to [m, ...]."""

    def unroll(
        self, prepared: Tensor, direction: Tensor, packing: Packing
    ) -> tuple[Tensor, Tensor]:
        """All steps of a rollout, packed: logits [m, actions] and values [m]."""


class Heads(nn.Module):
    """Policy and value from the memory's output."""

    def __init__(self, n_in: int, n_actions: int) -> None:
        super().__init__()
        self.policy_hidden, self.policy = nn.Linear(n_in, HEAD), nn.Linear(HEAD, n_actions)
        self.value_hidden, self.value = nn.Linear(n_in, HEAD), nn.Linear(HEAD, 1)

    def initialise(self, rng: torch.Generator) -> None:
        """Orthogonal; the last policy layer is 0.01 throughout: all actions equally likely."""
        for layer in (self.policy_hidden, self.value_hidden):
            orthogonal(layer, 2**0.5, rng)
        orthogonal(self.value, 1.0, rng)
        nn.init.constant_(self.policy.weight, 0.01)
        nn.init.zeros_(self.policy.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Float [..., n_in] to logits [..., actions] and value [...]."""
        logits = self.policy(torch.tanh(self.policy_hidden(x)))
        return logits, self.value(torch.tanh(self.value_hidden(x)))[..., 0]


class Student(nn.Module):
    """Implements `ActorCritic`."""

    _patch: Tensor
    _features: Tensor

    def __init__(self, *, view: int = 5, memory: MemoryKind = "lstm") -> None:
        """Weights are undefined before `initialise` or loading."""
        super().__init__()
        side = view - 2
        self.convolution = nn.Linear(27, FILTERS)
        self.direction = nn.Embedding(4, 5)
        n_in = side * side * FILTERS + 5
        self.memory = S5(n_in, HIDDEN) if memory == "s5" else Memory(n_in, HIDDEN, memory)
        self.heads = Heads(HIDDEN, N_ACTIONS)
        self.register_buffer("_patch", patches(view, view), persistent=False)
        self.register_buffer("_features", feature_table("cpu"), persistent=False)

    def initialise(self, rng: torch.Generator) -> None:
        """See `ActorCritic.initialise`; `rng` must be the CPU's."""
        orthogonal(self.convolution, 2**0.5, rng)
        nn.init.normal_(self.direction.weight, std=5**-0.5, generator=rng)
        self.memory.initialise(rng)
        self.heads.initialise(rng)

    def start(self, n: int, device: torch.device) -> State:
        """See `ActorCritic.start`."""
        return self.memory.start(n, device)

    def prepare(self, codes: Tensor) -> Tensor:
        """Every 3x3 patch of the view, so that the convolution is one product of matrices.

        Returns:
            float32 [m, patches, 27].
        """
        seen = codes.index_select(1, self._patch).to(torch.int64)
        picture = self._features.index_select(0, seen.flatten())
        return picture.view(codes.shape[0], -1, 27)

    def act(self, codes: Tensor, direction: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """See `ActorCritic.act`."""
        out, after = self.memory.step(self._encode(self.prepare(codes), direction), state)
        logits, value = self.heads(out)
        return logits, value, after

    def unroll(
        self, prepared: Tensor, direction: Tensor, packing: Packing
    ) -> tuple[Tensor, Tensor]:
        """See `ActorCritic.unroll`."""
        out = self.memory(self._encode(prepared, direction), packing)
        logits, value = self.heads(out)
        return logits, value

    def _encode(self, prepared: Tensor, direction: Tensor) -> Tensor:
        seen = torch.relu(self.convolution(prepared)).flatten(1)
        return torch.cat([seen, self.direction(direction)], 1)


def patches(height: int, width: int) -> Tensor:
    """The cells of each 3x3 patch of a picture, without padding: int64 [patches * 9]."""
    cell = torch.arange(height * width).view(height, width)
    return cell.unfold(0, 3, 1).unfold(1, 3, 1).reshape(-1)


def orthogonal(layer: nn.Linear, gain: float, rng: torch.Generator) -> None:
    """Orthogonal weights, no bias."""
    nn.init.orthogonal_(layer.weight, gain, generator=rng)
    nn.init.zeros_(layer.bias)


def n_trained(module: nn.Module) -> int:
    """How many numbers training changes."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
