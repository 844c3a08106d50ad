"""The teacher's network: size, and the incremental product against the whole one."""

from __future__ import annotations

import pytest
import torch

from rlbench.learn.ppo import PpoSettings
from rlbench.suites.ued.editor import Editor, Order
from rlbench.suites.ued.student import n_trained
from rlbench.suites.ued.teacher import Design, Teacher, TeacherLearner, design


def make(editor: Editor) -> Teacher:
    teacher = Teacher(editor)
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in teacher.parameters():
            parameter.copy_(0.05 * torch.randn(parameter.shape, generator=rng))
    return teacher


def small(order: Order = "walls-first") -> tuple[Editor, Teacher]:
    editor = Editor(4, 5, n_walls=6, noise=3, order=order)
    return editor, make(editor)


def whole_products(teacher: Teacher, image: torch.Tensor) -> torch.Tensor:
    """The product with the LSTM's input weights, in full for every map."""
    kernel = teacher.convolution.weight.view(128, 3, 3, 3).permute(0, 3, 1, 2)
    flat = image.flatten(0, 1)
    seen = torch.relu(torch.nn.functional.conv2d(flat, kernel, teacher.convolution.bias))
    inputs = seen.flatten(2).transpose(1, 2).flatten(1)
    return (inputs @ teacher.map_weight.flatten(0, 1)).view(*image.shape[:2], -1)


def test_it_has_as_many_parameters_as_the_published_teacher() -> None:
    with torch.device("meta"):
        teacher = Teacher(Editor(13, 13, n_walls=60))

    assert n_trained(teacher) == 22_502_038


@pytest.mark.parametrize("order", ["walls-first", "goal-first"])
def test_the_incremental_product_is_the_whole_one_and_so_are_its_gradients(order: Order) -> None:
    editor, teacher = small(order)
    _, made = design(teacher, editor, 7, torch.Generator().manual_seed(1))
    weight = torch.randn(editor.steps, 7, 1024, generator=torch.Generator().manual_seed(2))

    gradients = []
    for product in (
        teacher.products(teacher.prepare(made.image)),
        whole_products(teacher, made.image),
    ):
        teacher.zero_grad()
        (product * weight).sum().backward()  # type: ignore[no-untyped-call]
        kept = (teacher.map_weight, teacher.convolution.weight, teacher.convolution.bias)
        gradients.append([product.detach(), *(p.grad.clone() for p in kept if p.grad is not None)])

    assert len(gradients[0]) == 4
    for fast, slow in zip(*gradients, strict=True):
        torch.testing.assert_close(fast, slow, atol=2e-4, rtol=1e-4)


def test_learning_sees_the_values_and_probabilities_that_designing_saw() -> None:
    editor, teacher = small("goal-first")
    _, made = design(teacher, editor, 5, torch.Generator().manual_seed(1))

    logits, value = teacher.unroll(made, teacher.prepare(made.image))

    log_prob = torch.log_softmax(logits, 2).gather(2, made.action[..., None])[..., 0]
    torch.testing.assert_close(value, made.value, atol=1e-5, rtol=0)
    torch.testing.assert_close(log_prob, made.log_prob, atol=1e-5, rtol=0)
    assert made.mask.gather(2, made.action[..., None]).all()


def test_it_learns_to_place_the_goal_where_it_is_paid_for() -> None:
    editor = Editor(2, 5, n_walls=1, noise=3)
    teacher, rng = make(editor), torch.Generator().manual_seed(3)
    learner = TeacherLearner(teacher, PpoSettings(lr=3e-3, entropy_coef=0.0))

    def share() -> tuple[float, Design, torch.Tensor]:
        levels, made = design(teacher, editor, 128, rng)
        paid = (levels.goal < 3).to(torch.float32)
        return float(paid.mean()), made, paid

    before = share()[0]
    for _ in range(12):
        _, made, paid = share()
        learner.update(made, paid)

    assert before < 0.5
    assert share()[0] > 0.8
