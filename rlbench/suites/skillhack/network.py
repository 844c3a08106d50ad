"""Two networks for NetHack: the published one, and a small one that learns in minutes on one core.

`paper` is SkillHack's BaseNet (Matthews et al. 2022, arXiv:2207.11584, settings of its repository):
it sees the map, a crop of it and the bottom line, but no message. `small` sees the crop, the
message and which prompt is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Tensor, nn

from rlbench.learn.recurrent import State, restart
from rlbench.suites.skillhack.eyes import PaperEyes, Seen, SmallEyes

if TYPE_CHECKING:
    from rlbench.suites.skillhack.interface import Observation

NetworkKind = Literal["small", "paper"]
MemoryKind = Literal["none", "lstm"]


class Output(NamedTuple):
    """What a policy says of its observations."""

    logits: Tensor
    """float [..., choices]."""
    value: Tensor
    """float [...]."""
    extra: dict[str, Tensor]
    """Further heads by name: float [..., outputs]."""
    hidden: Tensor
    """float [..., width], the last layer before the memory."""


HIDDEN: Mapping[NetworkKind, tuple[int, ...]] = {"small": (128,), "paper": (256, 256)}
"""Widths of the layers between eyes and heads."""


def make_eyes(kind: NetworkKind) -> PaperEyes | SmallEyes:
    """Eyes whose weights are undefined until they are drawn or loaded."""
    return PaperEyes() if kind == "paper" else SmallEyes()


class Policy(nn.Module):
    """Eyes, hidden layers, a memory if wanted, heads for policy, value and what a method adds."""

    def __init__(
        self,
        kind: NetworkKind,
        n_choices: int,
        *,
        memory: MemoryKind = "none",
        extra: Mapping[str, int] | None = None,
    ) -> None:
        """Weights are undefined until they are drawn or loaded.

        Args:
            kind: which eyes and widths.
            n_choices: logits of the policy: actions, or options.
            memory: an LSTM of the last hidden layer's width, or nothing.
            extra: outputs of further heads, by name.
        """
        super().__init__()
        self.eyes = make_eyes(kind)
        layers: list[nn.Module] = []
        width = self.eyes.width
        for n_out in HIDDEN[kind]:
            layers += [nn.Linear(width, n_out), nn.ReLU()]
            width = n_out
        self.hidden = nn.Sequential(*layers)
        self.memory = nn.LSTMCell(width, width) if memory == "lstm" else None
        self.policy = nn.Linear(width, n_choices)
        self.value = nn.Linear(width, 1)
        self.extra = nn.ModuleDict({k: nn.Linear(width, n) for k, n in (extra or {}).items()})

    def initialise(self, rng: torch.Generator) -> None:
        """Draw all weights as torch does by default, but from `rng` (the CPU's)."""
        torch_defaults(self, rng)

    def see(self, observation: Observation) -> Seen:
        """What the eyes need of an observation, copied to the network's device: [n, ...] each."""
        device = self.value.weight.device
        return tuple(part.to(device) for part in self.eyes.see(observation))

    def start(self, n: int) -> State:
        """The memory before an episode's first step."""
        if self.memory is None:
            return ()
        zeros = self.value.weight.new_zeros(n, self.value.in_features)
        return zeros, zeros

    def step(self, seen: Seen, memory: State) -> tuple[Output, State]:
        """One step: tensors [n, ...] and the memory to outputs [n, ...] and the memory after."""
        core = hidden = self.hidden(self.eyes(seen))
        if self.memory is not None:
            memory = self.memory(core, memory)
            core = memory[0]
        return self._heads(core, hidden), memory

    def unroll(self, seen: Seen, memory: State, done: Tensor) -> Output:
        """Many steps in a row.

        Args:
            seen: tensors [T, n, ...].
            memory: before the first step.
            done: bool [T - 1 or more, n], whether an episode ended between steps t and t + 1.

        Returns:
            Outputs [T, n, ...].
        """
        steps, n = seen[0].shape[:2]
        flat = tuple(part.flatten(0, 1) for part in seen)
        core = hidden = self.hidden(self.eyes(flat)).view(steps, n, -1)
        if self.memory is not None:
            outs = []
            for t in range(steps):
                memory = self.memory(core[t], memory)
                outs.append(memory[0])
                if t + 1 < steps:
                    memory = restart(memory, done[t])
            core = torch.stack(outs)
        return self._heads(core, hidden)

    def _heads(self, core: Tensor, hidden: Tensor) -> Output:
        extra = {name: head(core) for name, head in self.extra.items()}
        return Output(self.policy(core), self.value(core)[..., 0], extra, hidden)


def torch_defaults(module: nn.Module, rng: torch.Generator) -> None:
    """Draw weights from torch's default distributions with a generator of our own."""
    for part in module.modules():
        if isinstance(part, (nn.Linear, nn.Conv2d)):
            bound = part.weight[0].numel() ** -0.5
        elif isinstance(part, nn.LSTMCell):
            bound = part.hidden_size**-0.5
        elif isinstance(part, nn.Embedding):
            nn.init.normal_(part.weight, generator=rng)
            continue
        else:
            continue
        for parameter in part.parameters(recurse=False):
            nn.init.uniform_(parameter, -bound, bound, generator=rng)


def n_parameters(module: nn.Module) -> int:
    """How many numbers training changes."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
