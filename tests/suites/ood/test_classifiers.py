"""The two classifiers: what they are, that they learn, that chance comes from the seed alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from rlbench.core.seeding import generator
from rlbench.learn.weights import to_arrays
from rlbench.suites.ood.classifiers import (
    ResNet8,
    Softmax,
    build,
    initialise,
    train_resnet,
    train_softmax,
)

Arrays = dict[str, np.ndarray]


def stripes(n: int, size: int, channels: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Horizontal against vertical stripes under noise."""
    rng = np.random.default_rng(3)
    y = np.arange(n) % 2
    rows = np.broadcast_to(np.arange(size)[:, None] % 4 < 2, (size, size))
    x = np.where(y[:, None, None] == 0, rows, rows.T)[:, None] * 2.0 - 1.0
    x = x + rng.normal(size=(n, channels, size, size)) * 0.5
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


def trained(seed: int, size: int = 8, channels: int = 1) -> ResNet8:
    model = build("resnet8", channels, 2)
    assert isinstance(model, ResNet8)
    rng = generator("test", seed)
    initialise(model, rng)
    x, y = stripes(256, size, channels)
    train_resnet(model, x, y, rng, epochs=3)
    return model.eval()


def test_resnet8_has_the_documented_size() -> None:
    model = build("resnet8", 1, 10)

    assert sum(p.numel() for p in model.parameters()) == 77_562
    assert build("resnet8", 3, 10)(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (28, 1), (32, 3)])
def test_resnet8_learns_images_of_every_size_in_use(size: int, channels: int) -> None:
    model = trained(0, size, channels)
    x, y = stripes(64, size, channels)

    assert model.embed(x).shape == (64, 64)
    assert (model(x).argmax(1) == y).float().mean() > 0.95


def test_resnet8_logits_are_its_head_on_the_mean_of_its_last_maps() -> None:
    model = trained(0)
    x, _ = stripes(4, 8, 1)
    maps = model.maps(x)

    assert [m.shape[1] for m in maps] == [16, 32, 64]
    torch.testing.assert_close(model(x), model.head(maps[-1].mean((2, 3))))


def test_training_repeats_bit_for_bit_and_follows_the_seed() -> None:
    torch.manual_seed(1)
    first = to_arrays(trained(0))
    torch.manual_seed(2)
    again, other = to_arrays(trained(0)), to_arrays(trained(1))

    assert all(first[name].tobytes() == again[name].tobytes() for name in first)
    assert not np.array_equal(first["head.weight"], other["head.weight"])


def test_training_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    trained(0)

    assert torch.equal(torch.get_rng_state(), before)


def test_softmax_reaches_the_optimum_that_scikit_learn_finds() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    x = rng.normal(size=(300, 4)) + np.eye(4)[y] * 2
    model = build("softmax", 4, 3)
    assert isinstance(model, Softmax)
    train_softmax(model, torch.tensor(x), torch.tensor(y), l2=1e-2)
    peer = LogisticRegression(C=1 / (300 * 1e-2), tol=1e-10, max_iter=10_000).fit(x, y)

    mine = model(torch.tensor(x)).softmax(1).detach().numpy()
    np.testing.assert_allclose(mine, peer.predict_proba(x), atol=1e-5)


def test_softmax_stays_finite_on_separable_classes() -> None:
    x = torch.tensor([[-1.0], [-2.0], [1.0], [2.0]], dtype=torch.float64)
    model = build("softmax", 1, 2)
    assert isinstance(model, Softmax)
    train_softmax(model, x, torch.tensor([0, 0, 1, 1]))

    assert model.head.weight.abs().max() < 20
    assert torch.equal(model(x).argmax(1), torch.tensor([0, 0, 1, 1]))
