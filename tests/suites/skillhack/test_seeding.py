"""Seeds of episodes: repeatable, different, and never shared by training and evaluation."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rlbench.suites.skillhack.seeding import episode_seed

NUMBERS = st.integers(0, 2**63)


def test_the_seeds_of_an_episode_do_not_change_between_versions() -> None:
    assert episode_seed(0, "train", 0, 0) == (534660084410664994, 2275037803377340208)


PLACES = st.tuples(NUMBERS, st.integers(0, 999), NUMBERS)


@given(PLACES, PLACES)
def test_no_level_of_evaluation_is_one_of_training(
    one: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    trained = episode_seed(one[0], "train", *one[1:])
    evaluated = episode_seed(other[0], "evaluate", *other[1:])

    assert trained.core != evaluated.core
    assert min(*trained, *evaluated) >= 0
    assert max(*trained, *evaluated) < 2**63


def test_seed_slot_episode_and_attempt_all_matter() -> None:
    places = [(s, i, e, t) for s in range(3) for i in range(3) for e in range(3) for t in range(3)]
    seeds = {episode_seed(s, "train", i, e, t) for s, i, e, t in places}

    assert len(seeds) == len(places)
