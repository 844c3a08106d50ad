"""Packed segments give what stepping through the rollout gives."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rlbench.learn.recurrent import BUCKET_COST, STEP_COST, Kind, Memory, pack, restart

KINDS: tuple[Kind, ...] = ("lstm", "gru", "none")


def memory(kind: Kind, seed: int = 0) -> Memory:
    made = Memory(6, 8, kind)
    made.initialise(torch.Generator().manual_seed(seed))
    return made


@st.composite
def endings(draw: st.DrawFn) -> torch.Tensor:
    steps, n = draw(st.integers(1, 30)), draw(st.integers(1, 6))
    seed, share = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(steps, n, generator=rng) < share


@given(endings())
def test_every_sample_lies_in_exactly_one_place(done: torch.Tensor) -> None:
    packing = pack(done)

    places = packing.index[packing.real]

    assert sorted(places.tolist()) == list(range(done.numel()))


@given(endings())
def test_a_segment_is_one_stretch_of_an_episode(done: torch.Tensor) -> None:
    packing, n = pack(done), done.shape[1]
    for index, real in zip(packing.split(packing.index), packing.split(packing.real), strict=True):
        for segment, inside in zip(index.t(), real.t(), strict=True):
            samples = segment[inside].tolist()
            time, env = [s // n for s in samples], {s % n for s in samples}
            ended = done.flatten()[segment[inside]]
            assert len(env) == 1
            assert time == list(range(time[0], time[0] + len(time)))
            assert time[0] == 0 or done[time[0] - 1, env.pop()]
            assert not ended[:-1].any()
            assert ended[-1] or time[-1] == len(done) - 1


def cost(shapes: Iterable[tuple[int, int]]) -> int:
    return sum(BUCKET_COST + length * (STEP_COST["cpu"] + count) for length, count in shapes)


@given(endings())
def test_no_other_cut_of_the_sorted_segments_into_buckets_is_cheaper(done: torch.Tensor) -> None:
    packing = pack(done)
    lengths = sorted(
        (int(n) for real in packing.split(packing.real) for n in real.sum(0)), reverse=True
    )
    # brute force over where the first `m` segments are cut, the shortest cut last
    best = [0]
    for m in range(1, len(lengths) + 1):
        best.append(min(best[i] + cost([(lengths[i], m - i)]) for i in range(m)))

    assert cost(packing.shapes) == best[-1]


def test_segments_of_very_different_lengths_do_not_share_a_bucket() -> None:
    done = torch.zeros(250, 40, dtype=torch.bool)
    done[9::10, 20:] = True

    assert pack(done).shapes == ((250, 20), (10, 500))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12)
@given(done=endings())
def test_packed_outputs_are_those_of_stepping_with_resets(kind: Kind, done: torch.Tensor) -> None:
    layer, (steps, n) = memory(kind), done.shape
    x = torch.randn(steps, n, 6, generator=torch.Generator().manual_seed(1))
    packing = pack(done)
    with torch.no_grad():
        state, stepped = layer.start(n, x.device), []
        for t in range(steps):
            out, state = layer.step(x[t], state)
            stepped.append(out)
            state = restart(state, done[t])
        packed = layer(x.flatten(0, 1)[packing.index], packing)

    found = packing.scatter(packed, done.numel()).view(steps, n, -1)
    torch.testing.assert_close(found, torch.stack(stepped), atol=1e-6, rtol=0)


def test_gradients_are_those_of_stepping_with_resets() -> None:
    layer = memory("lstm")
    rng = torch.Generator().manual_seed(3)
    x = torch.randn(20, 4, 6, generator=rng)
    done = torch.rand(20, 4, generator=rng) < 0.2
    packing = pack(done)
    weight = torch.randn(20, 4, 8, generator=rng)

    packed = layer(x.flatten(0, 1)[packing.index], packing)
    (packing.scatter(packed, 80).view(20, 4, 8) * weight).sum().backward()  # type: ignore[no-untyped-call]
    fast = [p.grad.clone() for p in layer.parameters() if p.grad is not None]
    layer.zero_grad()
    state, total = layer.start(4, x.device), torch.zeros(())
    for t in range(20):
        out, state = layer.step(x[t], state)
        total = total + (out * weight[t]).sum()
        state = restart(state, done[t])
    total.backward()  # type: ignore[no-untyped-call]
    slow = [p.grad for p in layer.parameters() if p.requires_grad]

    assert len(fast) == len(slow) == 3
    for a, b in zip(fast, slow, strict=True):
        assert b is not None
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
