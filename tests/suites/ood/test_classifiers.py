"""The classifiers: what they are, and that nothing but their generator decides how they start."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from rlbench.core.seeding import generator
from rlbench.learn.weights import to_arrays
from rlbench.suites.ood.classifiers import Softmax, build, initialise, train_softmax
from rlbench.suites.ood.networks import Dropout, ImageClassifier, reseed
from rlbench.suites.ood.params import ClassifierName
from rlbench.suites.ood.resnets import WideResNet

# ResNets on ImageNet as torchvision prints them, on CIFAR as the papers that use them do.
SIZES: list[tuple[ClassifierName, int, int, int, int]] = [
    ("resnet8", 1, 10, 28, 77_562),
    ("resnet18", 3, 10, 32, 11_173_962),
    ("resnet34", 3, 10, 32, 21_282_122),
    ("wrn40-2", 3, 10, 32, 2_243_546),
    ("resnet18", 3, 1000, 224, 11_689_512),
    ("resnet50", 3, 1000, 224, 25_557_032),
]
IMAGES: list[tuple[ClassifierName, int, int]] = [
    ("resnet8", 8, 1), ("resnet8", 32, 3), ("resnet18", 32, 3), ("wrn40-2", 16, 3)
]  # fmt: skip


def started(name: ClassifierName, channels: int, side: int) -> ImageClassifier:
    model = build(name, channels, 3, side)
    assert isinstance(model, ImageClassifier)
    initialise(model, generator("test"))
    return model.eval()


@pytest.mark.parametrize(("name", "channels", "n_classes", "side", "size"), SIZES)
def test_classifiers_have_their_published_sizes(
    name: ClassifierName, channels: int, n_classes: int, side: int, size: int
) -> None:
    model = build(name, channels, n_classes, side)

    assert sum(p.numel() for p in model.parameters()) == size


@pytest.mark.parametrize(("name", "side", "channels"), IMAGES)
def test_logits_are_the_head_on_the_mean_of_the_last_maps(
    name: ClassifierName, side: int, channels: int
) -> None:
    model = started(name, channels, side)
    x = torch.from_numpy(generator("x").normal(size=(2, channels, side, side))).float()
    with torch.no_grad():
        maps = model.maps(x)
        widths = [m.shape[1] for m in maps]

        assert len(maps) in (3, 4)
        assert widths == sorted(widths)
        assert model(x).shape == (2, 3)
        assert torch.isfinite(model(x)).all()
        torch.testing.assert_close(model(x), model.head(maps[-1].mean((2, 3))))


def test_small_images_are_read_without_loss_of_size_and_large_ones_by_a_quarter() -> None:
    with torch.no_grad():
        small = started("resnet18", 3, 32).maps(torch.zeros(1, 3, 32, 32))
        large = started("resnet18", 3, 128).maps(torch.zeros(1, 3, 128, 128))

    assert [m.shape[-1] for m in small] == [32, 16, 8, 4]
    assert [m.shape[-1] for m in large] == [32, 16, 8, 4]


def test_a_start_follows_its_generator_and_leaves_the_global_one_alone() -> None:
    before = torch.get_rng_state()
    first, again = (to_arrays(started("wrn40-2", 3, 16)) for _ in range(2))

    assert torch.equal(torch.get_rng_state(), before)
    assert all(first[name].tobytes() == again[name].tobytes() for name in first)


def test_dropout_scales_what_it_keeps_and_rests_in_evaluation() -> None:
    layer, x = Dropout(0.3), torch.ones(20_000)
    layer.stream.manual_seed(0)
    y = layer(x)

    assert y.unique().tolist() == pytest.approx([0.0, 1 / 0.7])
    assert float(y.mean()) == pytest.approx(1.0, abs=0.02)
    assert torch.equal(layer.eval()(x), x)


def test_dropout_draws_from_streams_that_reseed_decides() -> None:
    model = WideResNet(1, 2, depth=10, widen=1, dropout=0.5)
    initialise(model, generator("test"))
    x = torch.ones(4, 1, 8, 8)
    before = torch.get_rng_state()
    outputs = []
    for seed in (1, 1, 2):
        reseed(model, seed)
        outputs.append(model.train()(x))

    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])
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
