"""Several students as one network: their weights side by side, every product batched over them.

It computes what each `student.Student` with an LSTM computes, to rounding. Gradients go back to
the students' own parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rlbench.learn.batched import batched_lstm
from rlbench.learn.recurrent import State
from rlbench.suites.ued.student import ActorCritic, Student


class Stack:
    """G students that act or learn together, as their weights are at the moment it is made."""

    def __init__(self, students: Sequence[ActorCritic]) -> None:
        """Copies the weights, so that a stack is to be made anew after every gradient step.

        Raises:
            TypeError: one of them is no `Student`.
        """
        known = [student for student in students if isinstance(student, Student)]
        if len(known) < len(students):
            raise TypeError("students: expected the suite's own with an LSTM")
        self._one, self.size = known[0], len(known)
        named = [dict(student.named_parameters()) for student in known]
        self._weights = {name: torch.stack([own[name] for own in named]) for name in named[0]}
        # the bias of the input is frozen at zero, see `recurrent.Memory`
        names = ("weight_ih_l0", "weight_hh_l0", "bias_hh_l0")
        self._lstm = [self._weights[f"memory.layer.{name}"] for name in names]

    def start(self, n: int, device: torch.device) -> State:
        """The memory before an episode's first step, n environments for each student."""
        return self._one.start(self.size * n, device)

    def act(self, codes: Tensor, direction: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """See `ActorCritic.act`; the rows are all environments of the first student, and so on."""
        apart, rows = (self.size, -1), (len(codes), -1)
        prepared = self._one.prepare(codes)
        seen = self._encode(prepared.view(*apart, *prepared.shape[1:]), direction.view(apart))
        hidden, cell = (part.view(*apart, part.shape[1]) for part in state)
        w_in, w_out, bias = self._lstm
        gates = torch.baddbmm(torch.baddbmm(bias[:, None], seen, w_in.mT), hidden, w_out.mT)
        enter, keep, candidate, leave = gates.chunk(4, 2)
        cell = torch.sigmoid(keep) * cell + torch.sigmoid(enter) * torch.tanh(candidate)
        hidden = torch.sigmoid(leave) * torch.tanh(cell)
        logits, value = self._heads(hidden)
        return logits.view(rows), value.flatten(), (hidden.view(rows), cell.view(rows))

    def unroll(
        self, prepared: Tensor, direction: Tensor, counts: tuple[int, ...]
    ) -> tuple[Tensor, Tensor]:
        """All steps of the students' rollouts, in the order of `batched.Packed`.

        Args:
            prepared: float [G, m, ...], from `Student.prepare`.
            direction: int64 [G, m].
            counts: of the packing.

        Returns:
            logits [G, m, actions] and values [G, m].
        """
        w_in, w_out, bias = self._lstm
        seen = self._encode(prepared, direction)
        return self._heads(batched_lstm(seen, w_in, w_out, bias, counts))

    def _encode(self, prepared: Tensor, direction: Tensor) -> Tensor:
        patches = prepared.flatten(1, 2)
        seen = torch.relu(self._affine("convolution", patches)).view(*direction.shape, -1)
        table = self._weights["direction.weight"]
        first = torch.arange(0, 4 * self.size, 4, device=table.device)
        turned = nn.functional.embedding(direction + first[:, None], table.flatten(0, 1))
        return torch.cat([seen, turned], 2)

    def _heads(self, x: Tensor) -> tuple[Tensor, Tensor]:
        logits, value = (
            self._affine(f"heads.{name}", torch.tanh(self._affine(f"heads.{name}_hidden", x)))
            for name in ("policy", "value")
        )
        return logits, value[..., 0]

    def _affine(self, layer: str, x: Tensor) -> Tensor:
        """One dense layer of every student: float [G, m, n_in] to [G, m, n_out]."""
        weight, bias = (self._weights[f"{layer}.{part}"] for part in ("weight", "bias"))
        return torch.baddbmm(bias[:, None], x, weight.mT)
