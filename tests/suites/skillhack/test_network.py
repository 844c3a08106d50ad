"""The two networks: their sizes, what they look at, and that unrolling is stepping."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlbench.suites.skillhack.eyes import BEYOND, PaperEyes, SmallEyes
from rlbench.suites.skillhack.glyphs import glyph_table
from rlbench.suites.skillhack.interface import ACTIONS, Observation
from rlbench.suites.skillhack.network import MemoryKind, NetworkKind, Policy, n_parameters


def looks(n: int, seed: int = 0) -> Observation:
    """Something to look at; the hero may stand anywhere."""
    rng = np.random.default_rng(seed)
    stats = rng.integers(0, 20, (n, 27))
    stats[:, 0], stats[:, 1] = rng.integers(0, 79, n), rng.integers(0, 21, n)
    return Observation(
        rng.integers(0, 5976, (n, 21, 79)).astype(np.int16),
        rng.integers(0, 256, (n, 21, 79)).astype(np.uint8),
        rng.integers(0, 16, (n, 21, 79)).astype(np.uint8),
        rng.integers(0, 256, (n, 21, 79)).astype(np.uint8),
        stats,
        rng.integers(0, 256, (n, 256)).astype(np.uint8),
        rng.random((n, 3)) < 0.5,
    )


def policy(kind: NetworkKind, memory: MemoryKind = "none") -> Policy:
    made = Policy(kind, len(ACTIONS), memory=memory)
    made.initialise(torch.Generator().manual_seed(0))
    return made


def test_the_published_network_is_as_large_as_published() -> None:
    network = policy("paper", "lstm")

    assert isinstance(network.eyes, PaperEyes)
    assert n_parameters(network.eyes.whole) == n_parameters(network.eyes.crop) == 17_352
    assert network.eyes.width == 13_984
    assert n_parameters(network.hidden) == 3_645_952
    assert n_parameters(network) == pytest.approx(4.2e6, rel=0.02)


def test_the_small_network_is_as_large_as_measured() -> None:
    network = policy("small")

    assert isinstance(network.eyes, SmallEyes)
    assert n_parameters(network.eyes) == 29_376
    assert n_parameters(network.hidden) == 41_088


def test_the_small_network_tells_all_glyphs_and_all_bytes_apart() -> None:
    """Their codes are not trained, so they have to differ as they are drawn."""
    eyes = policy("small").eyes
    assert isinstance(eyes, SmallEyes)

    for codes in (eyes.glyph.weight, eyes.byte.weight):
        assert not codes.requires_grad
        assert len(np.unique(codes.numpy(), axis=0)) == len(codes)


@given(x=st.integers(0, 78), y=st.integers(0, 20))
def test_the_crop_is_the_map_around_the_hero(x: int, y: int) -> None:
    seen = looks(1)
    seen.blstats[0, :2] = x, y

    crop = SmallEyes().see(seen)[0].view(9, 9)

    for row in range(9):
        for column in range(9):
            i, j = y + row - 4, x + column - 4
            inside = 0 <= i < 21 and 0 <= j < 79
            assert crop[row, column] == (seen.glyphs[0, i, j] if inside else BEYOND)


@given(x=st.integers(0, 78), y=st.integers(0, 20))
def test_the_published_crop_is_zero_beyond_the_map(x: int, y: int) -> None:
    grid = torch.arange(1, 21 * 79 + 1).view(1, 21, 79)
    eyes = PaperEyes()

    crop = eyes._around(grid, eyes._cells[None] + y * 87 + x)[0]

    for row in range(9):
        for column in range(9):
            i, j = y + row - 4, x + column - 4
            inside = 0 <= i < 21 and 0 <= j < 79
            assert crop[row, column] == (grid[0, i, j] if inside else 0)


def test_what_was_seen_does_not_change_with_the_buffers() -> None:
    """Environments write every observation into the same arrays."""
    for kind in ("small", "paper"):
        observation = looks(2)
        seen = policy(kind).see(observation)
        before = [part.clone() for part in seen]
        for array in observation:
            array[...] = 0

        for part, old in zip(seen, before, strict=True):
            torch.testing.assert_close(part, old)


@pytest.mark.parametrize("kind", ["small", "paper"])
@pytest.mark.parametrize("memory", ["none", "lstm"])
def test_unrolling_is_stepping_with_forgetting_at_ends(
    kind: NetworkKind, memory: MemoryKind
) -> None:
    network, steps = policy(kind, memory), 4
    seen = [network.see(looks(3, seed)) for seed in range(steps)]
    done = torch.tensor([[True, False, False], [False, True, False], [False, False, False]])
    state = start = tuple(part + 0.5 for part in network.start(3))
    each = []
    for t in range(steps):
        out, state = network.step(seen[t], state)
        each.append(out)
        if t < steps - 1:
            state = tuple(part.masked_fill(done[t][:, None], 0) for part in state)

    whole = network.unroll(tuple(torch.stack(p) for p in zip(*seen, strict=True)), start, done)

    torch.testing.assert_close(whole.logits, torch.stack([out.logits for out in each]))
    torch.testing.assert_close(whole.value, torch.stack([out.value for out in each]))


def test_a_pet_is_the_same_kind_as_the_wild_monster_and_another_group() -> None:
    """Names from NLE itself: glyph 381 + m is monster m as a pet."""
    from nle import nethack

    table = glyph_table()
    jackal, pet = table[12], table[nethack.GLYPH_PET_OFF + 12]

    assert jackal[0] == pet[0]
    assert jackal[1] != pet[1]
    objects = table[nethack.GLYPH_OBJ_OFF : nethack.GLYPH_CMAP_OFF]
    assert len(np.unique(objects[:, 0])) == len(objects)
    assert not set(objects[:, 0]) & set(table[: nethack.NUMMONS, 0])


def test_weights_come_from_the_given_chance_only() -> None:
    torch.manual_seed(1)
    one = policy("small")
    torch.manual_seed(2)
    two = policy("small")

    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
