"""The training loop: its schedules, that it learns, and that it goes on exactly where it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from rlbench.core.checkpoint import Checkpoint, CheckpointFile
from rlbench.core.errors import RlbenchError
from rlbench.core.seeding import generator
from rlbench.learn.weights import to_arrays
from rlbench.suites.ood import descent
from rlbench.suites.ood.classifiers import initialise
from rlbench.suites.ood.descent import Plan, Recipe, descend
from rlbench.suites.ood.networks import ImageClassifier, ResNet8
from rlbench.suites.ood.resnets import WideResNet

Arrays = Mapping[str, np.ndarray]
Batch = tuple[torch.Tensor, torch.Tensor]
RECIPE = Recipe(batch=32, peak=0.05, schedule="cosine")


class Memory:
    """A keeper that holds nothing at first and, like a file, gives back what it was given."""

    def __init__(self, path: Path, stop_after: int | None = None) -> None:
        self.file, self.stop_after, self.saves = CheckpointFile(path), stop_after, 0

    def load(self) -> Checkpoint | None:
        return self.file.load()

    def save(self, arrays: Arrays, state: Mapping[str, Any]) -> None:
        self.file.save(Checkpoint(arrays, dict(state), {}, []))
        self.saves += 1
        if self.saves == self.stop_after:
            raise KeyboardInterrupt


def stripes(n: int, size: int) -> Batch:
    """Horizontal against vertical stripes under noise."""
    rng = np.random.default_rng(3)
    y = np.arange(n) % 2
    rows = np.broadcast_to(np.arange(size)[:, None] % 4 < 2, (size, size))
    x = np.where(y[:, None, None] == 0, rows, rows.T)[:, None] * 2.0 - 1.0
    x = x + rng.normal(size=(n, 1, size, size)) * 0.5
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


def small_resnet() -> ImageClassifier:
    return ResNet8(1, 2)


def small_wide_resnet() -> ImageClassifier:
    return WideResNet(1, 2, depth=10, widen=1, dropout=0.3)


def train(
    make: Callable[[], ImageClassifier], keeper: Memory, *, epochs: int = 4, seed: int = 0
) -> tuple[ImageClassifier, descent.Progress]:
    x, y = stripes(128, 8)
    model, rng = make(), generator("test", seed)
    initialise(model, rng)

    def epoch() -> Iterator[Batch]:
        for index in torch.split(torch.from_numpy(rng.permutation(128)), RECIPE.batch):
            yield x[index], y[index]

    def loss(batch: Batch) -> torch.Tensor:
        return functional.cross_entropy(model(batch[0]), batch[1])

    done = descend(model, RECIPE, Plan(epochs, 4), epoch, loss, rng=rng, keeper=keeper)
    return model, done


@pytest.mark.parametrize("steps", [7, 40, 333])
def test_one_cycle_is_torchs(steps: int) -> None:
    recipe = Recipe(64, 0.1, "one-cycle")
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 0.1, total_steps=steps, cycle_momentum=False
    )
    expected = []
    for _ in range(steps):
        expected.append(schedule.get_last_lr()[0])
        optimiser.step()
        if len(expected) < steps:
            schedule.step()

    assert [recipe.rate(step, steps) for step in range(steps)] == pytest.approx(expected)


def test_cosine_falls_from_the_peak_to_a_millionth() -> None:
    recipe = Recipe(128, 0.1, "cosine")
    rates = [recipe.rate(step, 1000) for step in range(1001)]

    assert rates[0] == 0.1
    assert rates[500] == pytest.approx((0.1 + 1e-6) / 2)
    assert rates[1000] == pytest.approx(1e-6)
    assert rates == sorted(rates, reverse=True)


def test_training_learns(tmp_path: Path) -> None:
    model, done = train(small_resnet, Memory(tmp_path / "c.npz"), epochs=6)
    x, y = stripes(64, 8)

    assert done.steps == 24
    assert done.losses[-1] < done.losses[0] / 2
    assert (model.eval()(x).argmax(1) == y).float().mean() > 0.95


@pytest.mark.parametrize("make", [small_resnet, small_wide_resnet])
@pytest.mark.parametrize("stop_after", [1, 3])
def test_a_stopped_training_goes_on_to_the_very_same_weights(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[], ImageClassifier],
    stop_after: int,
) -> None:
    monkeypatch.setattr(descent, "SAVE_EVERY", 0.0)
    whole, all_done = train(make, Memory(tmp_path / "whole.npz"))
    with pytest.raises(KeyboardInterrupt):
        train(make, Memory(tmp_path / "c.npz", stop_after))
    torch.rand(3)  # another process would have drawn other things
    resumed, done = train(make, Memory(tmp_path / "c.npz"))

    assert done == all_done
    expected, found = to_arrays(whole), to_arrays(resumed)
    assert all(found[name].tobytes() == expected[name].tobytes() for name in expected)


def test_a_seed_decides_everything(tmp_path: Path) -> None:
    first, again, other = (
        to_arrays(train(small_wide_resnet, Memory(tmp_path / "none.npz"), epochs=1, seed=seed)[0])
        for seed in (0, 0, 1)
    )

    assert all(first[name].tobytes() == again[name].tobytes() for name in first)
    assert not np.array_equal(first["head.weight"], other["head.weight"])


def test_a_training_that_diverges_says_so_and_when(tmp_path: Path) -> None:
    model = ResNet8(1, 2)

    def loss(batch: torch.Tensor) -> torch.Tensor:
        return model.head.weight.sum() * batch

    with pytest.raises(RlbenchError, match=r"the mean loss of epoch 1 is nan"):
        descend(
            model,
            RECIPE,
            Plan(1, 1),
            lambda: [torch.tensor(float("nan"))],
            loss,
            rng=generator("test"),
            keeper=Memory(tmp_path / "c.npz"),
        )
