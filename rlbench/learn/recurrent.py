"""Recurrent layers over many short episodes: cut at episode ends, packed by length.

A rollout of T steps in n environments holds many episodes, each of which starts from a zero
state. Running a layer over all T steps with resets in between would forbid the fused kernels of
cuDNN and oneDNN; instead the rollout is cut into segments, these are sorted by length and put
into buckets, and each bucket is one call of the fused layer. Few buckets mean much padding, many
buckets mean many steps; the cut that costs least is found by dynamic programming.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

Kind = Literal["lstm", "gru", "none"]
State = tuple[Tensor, ...]
"""What a layer carries from step to step, each [n, features]; empty without recurrence."""

STEP_COST = {"cpu": 1, "cuda": 32}
"""What a step of a bucket costs beside its samples, in samples. Measured on a CPU (oneDNN, 256
units); a GPU's is an estimate: there a step takes as long for one segment as for dozens."""
BUCKET_COST = 50
"""What a bucket costs beside its steps, in samples: the weights are laid out for the kernel."""


@dataclass(frozen=True, eq=False)
class Packing:
    """How the flat samples of a rollout (index `t * n + environment`) lie in padded buckets."""

    shapes: tuple[tuple[int, int], ...]
    """Per bucket: its length and its number of segments."""
    index: Tensor
    """int64 [m]: the sample at each place of the buckets, one bucket after another, each of them
    time-major; padding repeats sample 0."""
    real: Tensor
    """bool [m]: whether a place is no padding."""

    def split(self, places: Tensor) -> list[Tensor]:
        """Per bucket, its part of a tensor over all places: [length, segments, ...]."""
        parts = torch.split(places, [length * count for length, count in self.shapes])
        return [
            part.view(*shape, *places.shape[1:])
            for part, shape in zip(parts, self.shapes, strict=True)
        ]

    def scatter(self, places: Tensor, samples: int) -> Tensor:
        """A tensor over places as one over the `samples` flat samples: [samples, ...]."""
        flat = places.new_zeros(samples, *places.shape[1:])
        flat[self.index[self.real]] = places[self.real]
        return flat


def pack(done: Tensor) -> Packing:
    """Cut a rollout at episode ends and pack the segments by length (waits for the device once).

    Args:
        done: bool [T, n], whether the step ended an episode.
    """
    steps, n = done.shape
    ends = done.clone()
    ends[-1] = True
    begins = torch.ones_like(ends)
    begins[1:] = done[:-1]
    # column by column, so that the k-th beginning belongs to the k-th end
    where = torch.arange(steps * n, device=done.device).view(steps, n).t().flatten()
    first = where[begins.t().flatten()]
    last = where[ends.t().flatten()]
    length, order = ((last - first) // n + 1).sort(descending=True, stable=True)
    first = first[order]
    shapes, index, real = [], [], []
    position = 0
    step_cost = STEP_COST.get(done.device.type, 1)
    for longest, count in _bucket_sizes(length.tolist(), step_cost):
        chosen = slice(position, position + count)
        time = torch.arange(longest, device=done.device)[:, None]
        inside = time < length[chosen]
        index.append(torch.where(inside, first[chosen] + time * n, 0).flatten())
        real.append(inside.flatten())
        shapes.append((longest, count))
        position += count
    return Packing(tuple(shapes), torch.cat(index), torch.cat(real))


def _bucket_sizes(lengths: list[int], step_cost: int) -> list[tuple[int, int]]:
    """The cheapest cut of lengths in falling order into buckets: (longest, how many) of each.

    A bucket of c segments, the longest of L steps, costs `BUCKET_COST + L * (step_cost + c)`.
    """
    negative, counts = np.unique(np.negative(lengths), return_counts=True)
    longest, before = -negative, np.concatenate([[0], np.cumsum(counts)])
    # cost[i, j]: of one bucket with the i-th to (j - 1)-th of the different lengths
    cost = BUCKET_COST + longest[:, None] * (step_cost + before - before[:-1, None])
    least, begin = np.zeros(len(before)), np.zeros(len(before), np.int64)
    for j in range(1, len(before)):
        total = least[:j] + cost[:j, j]
        begin[j] = total.argmin()
        least[j] = total[begin[j]]
    buckets, j = [], len(before) - 1
    while j:
        i = int(begin[j])
        buckets.append((int(longest[i]), int(before[j] - before[i])))
        j = i
    return buckets[::-1]


class Memory(nn.Module):
    """An LSTM, a GRU or nothing, stepwise for acting and over packed segments for learning.

    The LSTM has one bias per gate, as in the published students: torch's second one is frozen at
    zero. Weights are orthogonal gate by gate, biases zero, the forget gate's too.
    """

    def __init__(self, n_in: int, n_out: int, kind: Kind) -> None:
        """`kind` "none" is a dense layer with tanh of the same width."""
        super().__init__()
        self.kind, self.n_in, self.n_out = kind, n_in, n_out
        if kind == "none":
            self.layer: nn.Module = nn.Linear(n_in, n_out)
        else:
            self.layer = (nn.LSTM if kind == "lstm" else nn.GRU)(n_in, n_out)
            if kind == "lstm":
                self.layer.bias_ih_l0.requires_grad_(False)

    def initialise(self, rng: torch.Generator) -> None:
        """Draw the weights anew."""
        for name, parameter in self.layer.named_parameters():
            with torch.no_grad():
                if "bias" in name:
                    parameter.zero_()
                    continue
                for gate in torch.split(parameter, self.n_out):
                    nn.init.orthogonal_(gate, generator=rng)

    def start(self, n: int, device: torch.device) -> State:
        """The state before an episode's first step."""
        count = {"lstm": 2, "gru": 1, "none": 0}[self.kind]
        return tuple(torch.zeros(n, self.n_out, device=device) for _ in range(count))

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: float [n, n_in] and the state to float [n, n_out] and the state after."""
        if isinstance(self.layer, nn.LSTM):
            return _lstm_step(self.layer, x, state)
        if isinstance(self.layer, nn.GRU):
            return _gru_step(self.layer, x, state)
        return torch.tanh(self.layer(x)), ()

    def forward(self, x: Tensor, packing: Packing) -> Tensor:
        """All segments of a rollout, each from the zero state: float [m, n_in] to [m, n_out]."""
        if self.kind == "none":
            return torch.tanh(self.layer(x))
        outputs = [self.layer(part)[0].flatten(0, 1) for part in packing.split(x)]
        return torch.cat(outputs)


def _weights(layer: nn.Module) -> list[Tensor]:
    """Input weights, state weights, input bias, state bias."""
    return [
        getattr(layer, f"{name}_l0") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]


def _lstm_step(layer: nn.LSTM, x: Tensor, state: State) -> tuple[Tensor, State]:
    w_in, w_out, _, bias = _weights(layer)
    hidden, cell = state
    gates = torch.addmm(bias, x, w_in.t()).addmm_(hidden, w_out.t())
    n = cell.shape[1]
    i, f = torch.sigmoid(gates[:, : 2 * n]).chunk(2, 1)
    cell = torch.addcmul(f * cell, i, torch.tanh(gates[:, 2 * n : 3 * n]))
    hidden = torch.sigmoid(gates[:, 3 * n :]) * torch.tanh(cell)
    return hidden, (hidden, cell)


def _gru_step(layer: nn.GRU, x: Tensor, state: State) -> tuple[Tensor, State]:
    w_in, w_out, b_in, b_out = _weights(layer)
    out = torch.gru_cell(x, state[0], w_in, w_out, b_in, b_out)
    return out, (out,)


def restart(state: State, done: Tensor) -> State:
    """The zero state where `done` (bool [n])."""
    return tuple(part.masked_fill(done[:, None], 0) for part in state)
