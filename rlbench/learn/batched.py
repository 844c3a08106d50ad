"""An LSTM with a batch dimension over its weights: several networks, each on its own rollout.

The fused LSTMs of cuDNN and oneDNN take one set of weights. Here G networks of one shape go
through time together, so that each step is one batched product instead of G small ones. The
segments of every rollout (see `recurrent`) are sorted by length; the k-th longest ones of all
rollouts run side by side, and fewer and fewer of them as time goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.utils.rnn import pad_sequence


@dataclass(frozen=True, eq=False)
class Packed:
    """How the samples of G rollouts (each numbered `t * n + environment`) lie in one batch."""

    counts: tuple[int, ...]
    """How many segments are in step t of their own, for each t; never rising."""
    index: Tensor
    """int64 [G, m], m the sum of `counts`: the sample at each place, step by step, the longest
    segment first; padding repeats sample 0."""
    real: Tensor
    """bool [G, m]: whether a place is no padding."""

    def gather(self, samples: Sequence[Tensor]) -> Tensor:
        """Per rollout a tensor [T, n, ...], as one: [G, m, ...]."""
        pairs = zip(samples, self.index, strict=True)
        return torch.stack([part.flatten(0, 1).index_select(0, at) for part, at in pairs])


def pack_together(done: Sequence[Tensor]) -> Packed:
    """Cut rollouts at episode ends and line up their segments (waits for the device).

    Args:
        done: per rollout, bool [T, n], whether the step ended an episode; n may differ.
    """
    pairs = [_segments(rollout) for rollout in done]
    first = pad_sequence([first for first, _ in pairs], batch_first=True)
    length = pad_sequence([length for _, length in pairs], batch_first=True)
    widths = torch.tensor([rollout.shape[1] for rollout in done], device=length.device)
    times = torch.arange(int(length.max()), device=length.device)
    present = times[:, None] < length.amax(0)
    time, rank = present.nonzero(as_tuple=True)
    real = time < length[:, rank]
    index = torch.where(real, first[:, rank] + time * widths[:, None], 0)
    return Packed(tuple(present.sum(1).tolist()), index, real)


def _segments(done: Tensor) -> tuple[Tensor, Tensor]:
    """The first sample and the length of each segment, longest first: both int64 [segments]."""
    steps, n = done.shape
    ends = done.clone()
    ends[-1] = True
    # environment by environment, so that a segment begins where the one before it has ended
    last = ends.t().flatten().nonzero()[:, 0]
    begin = torch.cat([torch.zeros_like(last[:1]), last[:-1] + 1])
    length, order = (last - begin + 1).sort(descending=True, stable=True)
    begin = begin[order]
    return begin % steps * n + begin // steps, length


def batched_lstm(
    x: Tensor, w_in: Tensor, w_out: Tensor, bias: Tensor, counts: tuple[int, ...]
) -> Tensor:
    """G LSTMs over packed segments, each segment from the zero state.

    Args:
        x: float [G, m, n_in], in the order of `Packed`.
        w_in: float [G, 4 h, n_in], gates in torch's order: input, forget, cell, output.
        w_out: float [G, 4 h, h], of the state.
        bias: float [G, 4 h].
        counts: see `Packed`.

    Returns:
        float [G, m, h].
    """
    out: Tensor = _Lstm.apply(x, w_in, w_out, bias, counts)  # type: ignore[no-untyped-call]
    return out


class _Lstm(torch.autograd.Function):
    """Written out, because autograd would record some thirty small operations for every step."""

    @staticmethod
    def forward(  # noqa: PLR0917 - autograd passes by position
        ctx: Any, x: Tensor, w_in: Tensor, w_out: Tensor, bias: Tensor, counts: tuple[int, ...]
    ) -> Tensor:
        width = w_out.shape[2]
        gates = torch.baddbmm(bias[:, None], x, w_in.mT)
        cells = gates.new_empty(*gates.shape[:2], width)
        out = torch.empty_like(cells)
        begin, before = 0, 0
        for count in counts:
            now, last = slice(begin, begin + count), slice(before, before + count)
            gate, cell = gates[:, now], cells[:, now]
            if begin:
                gate.baddbmm_(out[:, last], w_out.mT)
            gate[..., : 2 * width].sigmoid_()
            gate[..., 2 * width : 3 * width].tanh_()
            gate[..., 3 * width :].sigmoid_()
            enter, keep, candidate, leave = gate.chunk(4, 2)
            torch.mul(enter, candidate, out=cell)
            if begin:
                cell.addcmul_(keep, cells[:, last])
            torch.mul(leave, cell.tanh(), out=out[:, now])
            begin, before = begin + count, begin
        ctx.counts = counts
        ctx.save_for_backward(x, w_in, w_out, gates, cells, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, w_in, w_out, gates, cells, out = ctx.saved_tensors
        earlier = _step_before(ctx.counts, grad.device)
        slopes = _gate_gradients(grad, (gates, cells, w_out), ctx.counts, earlier)
        later = slopes[:, ctx.counts[0] :]
        grad_w_out = later.mT @ out.index_select(1, earlier)
        return slopes @ w_in, slopes.mT @ x, grad_w_out, slopes.sum(1), None


def _step_before(counts: tuple[int, ...], device: torch.device) -> Tensor:
    """For every place after step 0, where its segment was a step before: int64 [m - counts[0]]."""
    before, now = torch.tensor([counts[:-1], counts[1:]], dtype=torch.int64)
    ahead: Tensor = before.repeat_interleave(now)
    return (torch.arange(counts[0], sum(counts)) - ahead).to(device)


def _gate_gradients(
    grad: Tensor,
    kept: tuple[Tensor, Tensor, Tensor],
    counts: tuple[int, ...],
    earlier: Tensor,
) -> Tensor:
    """Back through time: the gradient of what goes into the gates, float [G, m, 4 h].

    All factors that do not depend on what comes from later steps are made at once before.
    """
    gates, cells, w_out = kept
    width = w_out.shape[2]
    enter, keep, candidate, leave = gates.chunk(4, 2)
    known = torch.zeros_like(cells)
    known[:, counts[0] :] = cells.index_select(1, earlier)
    squashed = cells.tanh()
    entered = candidate * enter * (1 - enter)
    kept_back = known * keep * (1 - keep)
    by_cell = torch.stack([entered, kept_back, enter * (1 - candidate.square())], 2)
    by_out = squashed * leave * (1 - leave)
    through = leave * (1 - squashed.square())
    slopes = torch.empty_like(gates)
    hidden = grad.new_zeros(grad.shape[0], counts[0], width)
    cell = torch.zeros_like(hidden)
    end = grad.shape[1]
    for count in reversed(counts):
        now = slice(end - count, end)
        d_hidden, d_cell, slope = hidden[:, :count], cell[:, :count], slopes[:, now]
        d_hidden += grad[:, now]
        d_cell.addcmul_(d_hidden, through[:, now])
        of_cell = slope[..., : 3 * width].view(-1, count, 3, width)
        torch.mul(by_cell[:, now], d_cell[:, :, None], out=of_cell)
        torch.mul(by_out[:, now], d_hidden, out=slope[..., 3 * width :])
        d_cell.mul_(keep[:, now])
        torch.bmm(slope, w_out, out=d_hidden)
        end -= count
    return slopes
