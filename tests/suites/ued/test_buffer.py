"""The level buffer: minimax's worked example, its rules of eviction, and long-run frequencies."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlbench.suites.ued.buffer import LevelBuffer, replay_distribution
from rlbench.suites.ued.generate import scattered
from rlbench.suites.ued.levels import Levels


def make(
    capacity: int = 6, *, temperature: float = 0.3, staleness: float = 0.3, unique: bool = True
) -> LevelBuffer:
    return LevelBuffer(
        capacity, 3, 3,
        temperature=temperature, staleness=staleness, unique=unique, device="cpu",
    )  # fmt: skip


def levels(n: int) -> Levels:
    """Different levels: agent in one corner, walls that count in binary."""
    walls = torch.zeros(n, 9, dtype=torch.bool)
    for i in range(n):
        walls[i, 1:8] = torch.tensor([bool(i >> bit & 1) for bit in range(7)])
    zero = torch.zeros(n, dtype=torch.int64)
    return Levels(walls.view(n, 3, 3), zero, zero.clone(), zero + 8)


def insert(buffer: LevelBuffer, batch: Levels, scores: list[float]) -> None:
    score = torch.tensor(scores)
    buffer.insert(batch, score, score + 1, torch.zeros(len(scores), dtype=torch.int64))


def test_the_distribution_of_minimax_on_its_own_example() -> None:
    found = replay_distribution(
        torch.tensor([0.5, 0.1, 0.3, 0.3, -math.inf, -math.inf], dtype=torch.float64),
        torch.tensor([3, 0, 5, 1, 0, 0]),
        torch.tensor([True] * 4 + [False] * 2),
        temperature=0.3,
        staleness=0.3,
    )

    expected = torch.tensor([0.716884, 0.006072, 0.227869, 0.049175, 0, 0], dtype=torch.float64)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@given(
    st.lists(st.sampled_from([0.0, 0.5, 1.0, -math.inf]), min_size=1, max_size=8),
    st.floats(0.1, 3),
    st.floats(0, 1),
    st.integers(0, 2**32 - 1),
)
def test_the_distribution_is_the_formula_slot_by_slot(
    scores: list[float], temperature: float, staleness: float, seed: int
) -> None:
    ages = np.random.default_rng(seed).integers(0, 9, len(scores)).tolist()
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    by_score = [(1 / (order.index(i) + 1)) ** (1 / temperature) for i in range(len(scores))]
    by_score = [w / sum(by_score) for w in by_score]
    by_age = [a / sum(ages) for a in ages] if sum(ages) else by_score
    expected = [(1 - staleness) * s + staleness * a for s, a in zip(by_score, by_age, strict=True)]

    found = replay_distribution(
        torch.tensor(scores, dtype=torch.float64),
        torch.tensor(ages),
        torch.ones(len(scores), dtype=torch.bool),
        temperature=temperature,
        staleness=staleness,
    )

    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def test_empty_slots_fill_in_order_and_then_the_least_likely_level_goes() -> None:
    buffer = make(3, staleness=0.0)
    insert(buffer, levels(3), [0.3, 0.1, 0.2])
    insert(buffer, levels(5)[3:], [0.15, 0.05])

    assert len(buffer) == 3
    assert buffer.score.tolist() == pytest.approx([0.3, 0.15, 0.2])
    assert torch.equal(buffer.levels[torch.tensor([1])].keys(), levels(4)[3:].keys())


def test_of_equal_scores_the_newcomer_is_kept() -> None:
    buffer = make(1)
    insert(buffer, levels(1), [0.5])
    insert(buffer, levels(2)[1:], [0.5])

    assert torch.equal(buffer.levels.keys(), levels(2)[1:].keys())


def test_a_level_that_is_here_only_gets_its_new_score_even_a_lower_one() -> None:
    buffer = make()
    insert(buffer, levels(3), [0.3, 0.1, 0.2])
    insert(buffer, levels(1), [0.0])

    assert len(buffer) == 3
    assert buffer.score[:3].tolist() == pytest.approx([0.0, 0.1, 0.2])


def test_levels_that_differ_only_in_direction_count_as_equal_and_the_first_is_kept() -> None:
    buffer, twice = make(), levels(1).repeat(2)
    twice.direction[1] = 3
    insert(buffer, twice, [0.3, 0.9])

    assert len(buffer) == 1
    assert float(buffer.score[0]) == pytest.approx(0.3)
    assert int(buffer.levels.direction[0]) == 0


def test_without_uniqueness_repeats_are_kept() -> None:
    buffer = make(unique=False)
    insert(buffer, levels(1).repeat(2), [0.3, 0.9])

    assert len(buffer) == 2


def test_a_level_evicted_within_a_call_does_not_hand_its_slot_to_its_twin() -> None:
    """The second newcomer equals the level that the first one has just replaced."""
    buffer = make(1)
    insert(buffer, levels(1), [0.1])
    insert(buffer, levels(2)[torch.tensor([1, 0])], [0.5, 0.2])

    assert torch.equal(buffer.levels.keys(), levels(2)[1:].keys())
    assert float(buffer.score[0]) == pytest.approx(0.5)


def test_a_draw_ages_all_levels_but_the_drawn_one() -> None:
    buffer = make(4, staleness=1.0)
    insert(buffer, levels(3), [0.1, 0.2, 0.3])
    slots = buffer.draw(5, torch.Generator().manual_seed(0))

    expected = [0, 0, 0]
    for slot in slots.tolist():
        expected = [0 if i == slot else age + 1 for i, age in enumerate(expected)]
    assert buffer.age.tolist() == [*expected, 0]


def test_levels_are_drawn_as_often_as_the_distribution_says() -> None:
    buffer = make(staleness=0.0)
    insert(buffer, levels(3), [0.1, 0.3, 0.2])
    chance = buffer.distribution()

    slots = buffer.draw(4000, torch.Generator().manual_seed(0))

    share = torch.bincount(slots, minlength=6) / 4000
    assert (share - chance).abs().max() < 4 * (0.25 / 4000) ** 0.5


def test_a_slot_that_is_drawn_twice_gets_the_score_of_its_first_play() -> None:
    buffer = make()
    insert(buffer, levels(2), [0.1, 0.2])
    buffer.update(torch.tensor([1, 1]), torch.tensor([0.7, 0.9]), torch.tensor([1.0, 2.0]))

    assert buffer.score[:2].tolist() == pytest.approx([0.1, 0.7])
    assert float(buffer.best[1]) == 1


def test_a_restored_buffer_goes_on_the_same() -> None:
    buffer, other = make(), make()
    rng = torch.Generator().manual_seed(0)
    batch = scattered(12, rng, height=3, width=3, n_walls=3)
    insert(buffer, batch, torch.rand(12, generator=rng).tolist())
    buffer.draw(3, rng)
    other.restore({name: tensor.clone() for name, tensor in buffer.state().items()})

    for each in (buffer, other):
        insert(each, levels(4), [0.3, 0.8, 0.1, 0.9])
        each.draw(6, torch.Generator().manual_seed(1))

    assert all(torch.equal(a, other.state()[name]) for name, a in buffer.state().items())


@pytest.mark.parametrize(
    ("capacity", "temperature", "staleness"), [(0, 0.3, 0.3), (2, 0.0, 0.3), (2, 0.3, 1.5)]
)
def test_settings_that_make_no_distribution_are_refused(
    capacity: int, temperature: float, staleness: float
) -> None:
    with pytest.raises(ValueError, match="expected capacity"):
        make(capacity, temperature=temperature, staleness=staleness)


def test_drawing_from_an_empty_buffer_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        make().draw(1, torch.Generator())
