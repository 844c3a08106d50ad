"""The losses of kickstarting against slow versions, and whom the experts are."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlbench.core.errors import UsageError
from rlbench.core.registry import Registry
from rlbench.suites.skillhack.learners.kickstart import (
    divergence,
    falling,
    from_uniform,
    mixture,
)
from rlbench.suites.skillhack.learners.teachers import (
    ALL_SKILLS,
    IRRELEVANT,
    teacher_names,
)
from rlbench.suites.skillhack.settings import task_settings

Array = np.ndarray[Any, Any]
SEEDS = st.integers(0, 2**32 - 1)


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


@given(seed=SEEDS, direction=st.sampled_from(["reverse", "forward"]))
def test_divergences_are_sums_over_actions(
    seed: int, direction: Literal["reverse", "forward"]
) -> None:
    rng = np.random.default_rng(seed)
    logits, guide = rng.normal(size=(2, 3, 5)), softmax(rng.normal(size=(2, 3, 5)))

    found = divergence(torch.from_numpy(logits), torch.from_numpy(guide), direction)

    student = softmax(logits)
    for t in range(2):
        for b in range(3):
            p, q = (student, guide) if direction == "reverse" else (guide, student)
            slow = sum(p[t, b, a] * (math.log(p[t, b, a]) - math.log(q[t, b, a])) for a in range(5))
            assert found[t, b].item() == pytest.approx(slow, abs=1e-9)


def test_an_action_that_no_teacher_takes_gives_a_finite_loss() -> None:
    guide = torch.tensor([1.0, 0.0])

    for direction in ("reverse", "forward"):
        assert torch.isfinite(divergence(torch.zeros(2), guide, direction))


@given(seed=SEEDS)
def test_the_regulariser_is_the_divergence_from_uniform(seed: int) -> None:
    logits = np.random.default_rng(seed).normal(size=(3, 4))

    found = from_uniform(torch.from_numpy(logits))

    w = softmax(logits)
    slow = [sum(0.25 * math.log(0.25 / w[i, k]) for k in range(4)) for i in range(3)]
    np.testing.assert_allclose(found, slow, atol=1e-6)


def test_the_teachers_are_mixed_by_their_weights() -> None:
    each = torch.tensor([[[0.5, 0.5], [1.0, 0.0]]])

    torch.testing.assert_close(
        mixture(torch.tensor([[0.25, 0.75]]), each), torch.tensor([[0.875, 0.125]])
    )


def test_schedules_are_the_published_ones_in_shares_of_the_budget() -> None:
    """10 max(1 - t/2e7, 0.05) over 2.5e8 frames."""
    for frames in (0, 1e7, 1.9e7, 1e8, 2.5e8):
        published = 10 * max(1 - frames / 2e7, 0.05)
        assert falling(10, frames / 2.5e8, 0.08, 0.05) == pytest.approx(published)


def test_every_task_of_several_skills_has_teachers_of_every_choice() -> None:
    tasks = {
        spec.name: task_settings(spec)
        for spec in Registry.load().tasks.values()
        if spec.suite == "skillhack"
    }
    taught = {name: settings for name, settings in tasks.items() if settings.skills}
    assert set(IRRELEVANT) == {name.removesuffix("-published") for name in taught}

    for name, settings in taught.items():
        own = teacher_names(name, settings.skills, "own")
        assert teacher_names(name, settings.skills, "missing") == own[:-1]
        more = teacher_names(name, settings.skills, "irrelevant")
        assert more[:-1] == own
        assert more[-1] not in own
        every = teacher_names(name, settings.skills, "all")
        assert len(every) == len(ALL_SKILLS) == 16
        assert set(more) <= set(every) <= set(tasks)


def test_a_skill_has_no_teachers() -> None:
    with pytest.raises(UsageError, match="skill itself"):
        teacher_names("eat", (), "own")
