"""The level editor: the published rules of designing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlbench.suites.ued.editor import Canvas, Editor, Order
from rlbench.suites.ued.generate import designed
from rlbench.suites.ued.levels import check_levels


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def design(editor: Editor, actions: list[list[int]], seed: int = 0) -> Canvas:
    """One design per column of actions."""
    canvas = editor.start(len(actions[0]), rng(seed))
    for action in actions:
        canvas = editor.step(canvas, torch.tensor(action), rng(seed))
    return canvas


@given(
    seed=st.integers(0, 2**32),
    order=st.sampled_from(["walls-first", "goal-first"]),
    n_walls=st.integers(0, 7),
    budget=st.booleans(),
)
def test_any_design_is_a_playable_level(
    seed: int, order: Order, n_walls: int, budget: bool
) -> None:
    budget = budget and order == "walls-first"
    editor, random = Editor(3, 3, n_walls=n_walls, order=order, budget=budget), rng(seed)
    canvas = editor.start(6, random)
    for step in range(editor.steps):
        seen = editor.observe(canvas, random)
        assert seen.time.tolist() == [step] * 6
        lots = torch.rand(seen.mask.shape, generator=random).masked_fill(~seen.mask, -1)
        canvas = editor.step(canvas, lots.argmax(1), random)
    check_levels(editor.levels(canvas))


def test_walls_first_places_walls_then_goal_then_agent_which_clear_their_tile() -> None:
    editor = Editor(2, 3, n_walls=3)
    canvas = design(editor, [[0, 0], [0, 1], [5, 2], [5, 4], [0, 1]])
    levels = editor.levels(canvas)
    assert levels.goal.tolist() == [5, 4]
    assert levels.agent.tolist() == [0, 1]
    assert levels.walls.flatten(1).nonzero().tolist() == [[1, 0], [1, 2]]


def test_an_agent_on_the_goal_goes_to_a_uniform_free_tile() -> None:
    editor = Editor(2, 3, n_walls=2)
    n = 3000
    canvas = design(editor, [[0] * n, [1] * n, [5] * n, [5] * n])
    share = editor.levels(canvas).agent.bincount(minlength=6) / n
    assert share.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 3, 1 / 3, 0], abs=0.04)


def test_a_uniformly_random_teacher_makes_the_designed_levels() -> None:
    editor, random = Editor(5, 5, n_walls=20), rng(1)
    canvas = editor.start(4000, random)
    for _ in range(editor.steps):
        canvas = editor.step(canvas, torch.randint(25, (4000,), generator=random), random)
    ours = editor.levels(canvas).walls.sum((1, 2)).float()
    theirs = designed(4000, rng(2), height=5, width=5, n_walls=20).walls.sum((1, 2)).float()
    assert ours.mean().item() == pytest.approx(theirs.mean().item(), abs=0.15)
    assert ours.std().item() == pytest.approx(theirs.std().item(), abs=0.1)


def test_a_budget_comes_from_the_first_tile_and_later_steps_do_nothing() -> None:
    editor = Editor(1, 8, n_walls=4, budget=True)
    assert editor.steps == 6
    canvas = design(editor, [[1, 4], [7, 5], [3, 7], [3, 0], [3, 3], [3, 3]])
    levels = editor.levels(canvas)
    # tile 1 of 8 plans no wall: it is the goal; tile 4 of 8 plans two walls: tiles 4 and 5
    assert levels.goal.tolist() == [1, 7]
    assert levels.agent.tolist() == [7, 0]
    assert levels.walls.flatten(1).nonzero().tolist() == [[1, 4], [1, 5]]


def test_goal_first_places_goal_direction_agent_and_then_flips_walls() -> None:
    editor = Editor(2, 3, n_walls=4, order="goal-first")
    canvas = design(editor, [[5], [6], [0], [1], [2], [1], [5]])
    levels = editor.levels(canvas)
    assert (levels.goal.item(), levels.direction.item(), levels.agent.item()) == (5, 2, 0)
    assert levels.walls.flatten().nonzero().flatten().tolist() == [2]


def test_goal_first_masks_what_means_nothing() -> None:
    editor = Editor(2, 3, n_walls=1, order="goal-first")
    canvas, allowed = editor.start(1, rng()), []
    for action in (4, 0, 1, 2):
        allowed.append(editor.observe(canvas, rng()).mask[0].nonzero().flatten().tolist())
        canvas = editor.step(canvas, torch.tensor([action]), rng())
    every = list(range(6))
    assert allowed == [every, [0, 1, 2, 3], [0, 1, 2, 3, 5], every]


def test_the_teacher_sees_the_framed_map_and_fresh_noise() -> None:
    editor, random = Editor(2, 2, n_walls=1, noise=3), rng()
    canvas = editor.start(1, random)
    blank = editor.observe(canvas, random)
    assert blank.image.shape == (1, 3, 4, 4)
    assert blank.image[0, 0, 1:-1, 1:-1].flatten().tolist() == pytest.approx([0.1] * 4)
    for action in (0, 1, 3):
        canvas = editor.step(canvas, torch.tensor([action]), random)
    seen = editor.observe(canvas, random)
    look = canvas.direction.item() / 10
    assert seen.image[0, :, 1, 1].tolist() == pytest.approx([0.2, 0.5, 0])  # wall
    assert seen.image[0, :, 1, 2].tolist() == pytest.approx([0.8, 0.1, 0])  # goal
    assert seen.image[0, :, 2, 2].tolist() == pytest.approx([1.0, 0, look])  # agent
    assert seen.image[0, :, 0, 0].tolist() == pytest.approx([0.2, 0.5, 0])  # frame
    assert seen.noise.shape == (1, 3)
    assert not torch.equal(seen.noise, blank.noise)


def test_unfinished_designs_and_impossible_rules_are_refused() -> None:
    editor = Editor(3, 3, n_walls=2)
    with pytest.raises(ValueError, match="at step 0 of 4"):
        editor.levels(editor.start(1, rng()))
    with pytest.raises(ValueError, match="n_walls: expected 0 to 7"):
        Editor(3, 3, n_walls=8)
    with pytest.raises(ValueError, match="budget: expected order 'walls-first'"):
        Editor(3, 3, n_walls=2, order="goal-first", budget=True)
