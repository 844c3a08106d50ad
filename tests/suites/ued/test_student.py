"""The student's network: size, start, and the same numbers in acting and learning."""

from __future__ import annotations

import math

import pytest
import torch

from rlbench.learn.recurrent import pack
from rlbench.suites.ued.generate import scattered
from rlbench.suites.ued.maze import Maze
from rlbench.suites.ued.rollout import Rollout, play
from rlbench.suites.ued.student import MemoryKind, Student, n_trained
from rlbench.suites.ued.view import features


def make(memory: MemoryKind = "lstm", seed: int = 0) -> Student:
    student = Student(memory=memory)
    student.initialise(torch.Generator().manual_seed(seed))
    return student


def rollout_of(student: Student, *, steps: int = 64, renew: bool = False) -> Rollout:
    rng = torch.Generator().manual_seed(7)
    levels = scattered(200 if renew else 8, rng, height=5, width=5, n_walls=4)
    maze = Maze(5, 5, horizon=20)
    return play(student, maze, levels, environments=8, steps=steps, rng=rng, renew=renew)


@pytest.mark.parametrize(("memory", "expected"), [("lstm", 432_924), ("s5", 451_612)])
def test_it_has_as_many_parameters_as_the_published_student(
    memory: MemoryKind, expected: int
) -> None:
    assert n_trained(make(memory)) == expected


@pytest.mark.parametrize("memory", ["lstm", "gru", "s5", "none"])
def test_learning_sees_the_values_and_probabilities_that_acting_saw(memory: MemoryKind) -> None:
    student = make(memory)
    with torch.no_grad():  # off the symmetric start, where all actions are equally likely
        rng = torch.Generator().manual_seed(1)
        for parameter in student.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=rng))
    rollout = rollout_of(student, renew=True)
    packing = pack(rollout.done)
    prepared = student.prepare(rollout.codes.flatten(0, 1)[packing.index])

    with torch.no_grad():
        logits, value = student.unroll(
            prepared, rollout.direction.flatten()[packing.index], packing
        )
    log_probs = torch.log_softmax(packing.scatter(logits, 512), 1)
    log_prob = log_probs.gather(1, rollout.action.flatten()[:, None])[:, 0]

    assert rollout.done.any()
    found = packing.scatter(value, 512).view_as(rollout.value)
    atol = 5e-6 if memory == "s5" else 1e-6
    torch.testing.assert_close(found, rollout.value, atol=atol, rtol=0)
    torch.testing.assert_close(
        log_prob.view_as(rollout.log_prob), rollout.log_prob, atol=atol, rtol=0
    )


def test_all_actions_are_equally_likely_at_first() -> None:
    rollout = rollout_of(make(), steps=5)

    torch.testing.assert_close(rollout.log_prob, torch.full((5, 8), -math.log(7)))


def test_patches_times_weights_are_the_convolution_of_the_view() -> None:
    student = make()
    codes = torch.tensor([1, 2, 8], dtype=torch.uint8)[
        torch.randint(3, (6, 25), generator=torch.Generator().manual_seed(2))
    ]
    image = features(codes)
    kernel = student.convolution.weight.view(16, 3, 3, 3).permute(0, 3, 1, 2)

    expected = torch.nn.functional.conv2d(image, kernel, student.convolution.bias)

    found = student.convolution(student.prepare(codes))
    torch.testing.assert_close(found.transpose(1, 2).reshape(6, 16, 3, 3), expected)


def test_equal_seeds_give_equal_students_and_others_do_not() -> None:
    one, same, other = make(seed=1), make(seed=1), make(seed=2)

    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.convolution.weight, other.convolution.weight)


def test_replaying_stays_on_the_level_and_renewing_goes_on_to_the_next() -> None:
    """Told apart by the first view after an episode, in levels that look different at once."""
    maze = Maze(1, 2, horizon=1)
    rng = torch.Generator().manual_seed(0)
    one = scattered(4, rng, height=1, width=2, n_walls=0)
    one.direction.copy_(torch.arange(4))

    same = play(make(), maze, one, environments=1, steps=4, rng=rng)
    renewed = play(make(), maze, one, environments=1, steps=6, rng=rng, renew=True)

    assert same.direction[:, 0].tolist() == [0, 0, 0, 0]
    assert renewed.direction[:, 0].tolist() == [0, 1, 2, 3, 0, 1]
