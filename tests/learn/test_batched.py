"""Several LSTMs as one give what each of them gives alone, over rollouts of different shapes."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rlbench.learn.batched import batched_lstm, pack_together
from rlbench.learn.recurrent import Memory, pack

N_IN, N_OUT = 3, 4


@st.composite
def rollouts(draw: st.DrawFn) -> list[torch.Tensor]:
    """Ends of episodes, bool [T, n] for each network."""
    steps, widths = (
        draw(st.integers(1, 20)),
        draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)),
    )
    share = draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    rng = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    return [torch.rand(steps, n, generator=rng) < share for n in widths]


@given(rollouts())
def test_every_sample_of_every_rollout_lies_in_exactly_one_place(done: list[torch.Tensor]) -> None:
    packed = pack_together(done)

    for ends, index, real in zip(done, packed.index, packed.real, strict=True):
        assert sorted(index[real].tolist()) == list(range(ends.numel()))


@given(rollouts())
def test_segments_drop_out_in_order_as_time_goes_on(done: list[torch.Tensor]) -> None:
    packed = pack_together(done)

    assert sum(packed.counts) == packed.index.shape[1]
    assert list(packed.counts) == sorted(packed.counts, reverse=True)
    for real in packed.real:
        for step in real.split(list(packed.counts)):
            assert (step.int().diff() <= 0).all()  # padding comes last


@settings(max_examples=50)
@given(rollouts(), st.integers(0, 2**32 - 1))
def test_outputs_and_gradients_are_those_of_each_lstm_alone(
    done: list[torch.Tensor], seed: int
) -> None:
    rng = torch.Generator().manual_seed(seed)

    def samples(width: int) -> list[torch.Tensor]:
        shapes = [(*ends.shape, width) for ends in done]
        return [torch.randn(shape, generator=rng, dtype=torch.float64) for shape in shapes]

    layers = [_layer(rng) for _ in done]
    x, slope = [part.requires_grad_() for part in samples(N_IN)], samples(N_OUT)
    names = ("weight_ih_l0", "weight_hh_l0", "bias_hh_l0")
    packed = pack_together(done)
    weights = [torch.stack([getattr(m.layer, name) for m in layers]) for name in names]
    out = batched_lstm(packed.gather(x), *weights, packed.counts)  # type: ignore[call-arg, arg-type]
    found = torch.autograd.grad(
        (out * packed.gather(slope))[packed.real].sum(),
        [*x, *(getattr(m.layer, name) for name in names for m in layers)],
    )

    expected_out, total = [], torch.zeros((), dtype=torch.float64)
    for layer, own, weight, ends in zip(layers, x, slope, done, strict=True):
        packing = pack(ends)
        alone = packing.scatter(layer(own.flatten(0, 1)[packing.index], packing), ends.numel())
        expected_out.append(alone)
        total = total + (alone * weight.flatten(0, 1)).sum()
    expected = torch.autograd.grad(
        total, [*x, *(getattr(m.layer, name) for name in names for m in layers)]
    )
    for part, index, real, alone in zip(out, packed.index, packed.real, expected_out, strict=True):
        torch.testing.assert_close(part[real], alone[index[real]])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def _layer(rng: torch.Generator) -> Memory:
    memory = Memory(N_IN, N_OUT, "lstm").to(torch.float64)
    memory.initialise(rng)
    assert isinstance(memory.layer.bias_hh_l0, torch.Tensor)
    with torch.no_grad():
        memory.layer.bias_hh_l0.normal_(generator=rng)
    return memory
