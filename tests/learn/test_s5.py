"""S5: the scan, the packed form, and the start that the paper gives."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rlbench.learn.recurrent import pack, restart
from rlbench.learn.s5 import S5, hippo, scan


@settings(max_examples=30)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_the_scan_is_the_recurrence_step_by_step(steps: int, seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    drive = torch.randn(steps, 3, 2, generator=rng, dtype=torch.complex128)
    log_a = torch.complex(-torch.rand(2, generator=rng), torch.randn(2, generator=rng))
    log_a = log_a.to(torch.complex128)
    x, expected = torch.zeros(3, 2, dtype=torch.complex128), []
    for t in range(steps):
        x = log_a.exp() * x + drive[t]
        expected.append(x)

    torch.testing.assert_close(scan(drive, log_a), torch.stack(expected))


def test_packed_outputs_are_those_of_stepping_with_resets() -> None:
    rng = torch.Generator().manual_seed(0)
    layer = S5(6, 16)
    layer.initialise(rng)
    x = torch.randn(30, 4, 6, generator=rng)
    done = torch.rand(30, 4, generator=rng) < 0.1
    packing = pack(done)
    with torch.no_grad():
        state, stepped = layer.start(4, x.device), []
        for t in range(30):
            out, state = layer.step(x[t], state)
            stepped.append(out)
            state = restart(state, done[t])
        packed = layer(x.flatten(0, 1)[packing.index], packing)

    found = packing.scatter(packed, 120).view(30, 4, 16)
    torch.testing.assert_close(found, torch.stack(stepped), atol=1e-5, rtol=1e-5)


def test_the_start_is_hippo_and_stable() -> None:
    """A is -1/2 plus a skew-symmetric matrix: real parts are -1/2, imaginary parts pair up."""
    values, vectors = hippo(8)

    torch.testing.assert_close(values.real, torch.full((8,), -0.5, dtype=torch.float64))
    torch.testing.assert_close(values.imag, -values.imag.flip(0))
    torch.testing.assert_close(
        vectors.mH @ vectors, torch.eye(8, dtype=torch.complex128), atol=1e-9, rtol=0
    )
    n = torch.arange(8, dtype=torch.float64)
    root = (2 * n + 1).sqrt()
    skew = torch.triu(root[:, None] * root, 1) / 2
    normal = (vectors * values) @ vectors.mH
    expected = skew - skew.t() - 0.5 * torch.eye(8, dtype=torch.float64)
    torch.testing.assert_close(normal.real, expected, atol=1e-9, rtol=0)
