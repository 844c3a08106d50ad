"""The same AUROC as pytorch-ood's, from the same features in double precision.

Its detectors are held to float64 by making that the default type and `Tensor.float` mean double.
What it computes otherwise, and how each test meets it:

* `MaxSoftmax` and `ODIN` score - max softmax, which ties where it rounds to 1; ours are log-odds.
  Here the logits are moderate, so that nothing ties; `test_its_softmax_ties...` shows the case.
* `TemperatureScaling` stops after 50 steps, before the likelihood is at its maximum: it is given
  our temperature.
* `GEN` clamps probabilities to [1e-7, 1 - 1e-7]; none here is outside.
* `Mahalanobis` and `RMD` add 1e-6 to the diagonal of the unnormalised scatter, we a millionth of
  the mean diagonal to the covariance: ours is set to 0 and theirs is too small to show.
* `MultiMahalanobis` sums distances with given weights and without input steps: ours is given
  weights of 1 and a step of 0.
* `Gram` holds out a random tenth of the training set, ours takes ID validation: it is given the
  very tenth. Labels are the predictions, as one or the other is used to judge that tenth.
* `MCD` thins other layers and each example otherwise: not comparable.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import peer
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from rlbench.suites.ood.detection import Ranking, auroc
from rlbench.suites.ood.detectors import gaussian
from rlbench.suites.ood.detectors.dice import Dice
from rlbench.suites.ood.detectors.fdbd import Fdbd
from rlbench.suites.ood.detectors.gradnorm import GradNorm
from rlbench.suites.ood.detectors.gram import Gram
from rlbench.suites.ood.detectors.klm import KlMatching
from rlbench.suites.ood.detectors.knn import Knn
from rlbench.suites.ood.detectors.logit import Energy, Gen, MaxLogit, Msp
from rlbench.suites.ood.detectors.mahalanobis import Mahalanobis, RelativeMahalanobis
from rlbench.suites.ood.detectors.mahalanobis_ensemble import MahalanobisEnsemble
from rlbench.suites.ood.detectors.nnguide import NnGuide
from rlbench.suites.ood.detectors.odin import Odin
from rlbench.suites.ood.detectors.react import React
from rlbench.suites.ood.detectors.shaping import Ash, Scale
from rlbench.suites.ood.detectors.she import She
from rlbench.suites.ood.detectors.tempscale import TempScale
from rlbench.suites.ood.detectors.vim import Vim
from rlbench.suites.ood.splits import NEEDS, Detector, Head, Split

pytestmark = pytest.mark.filterwarnings("ignore")

C, D, SIDE = 5, 36, 6
N_TRAIN, N_TEST = 1500, 1000


class Data:
    """Rectified features around class centres, a linear layer on them, and faint ones outside."""

    def __init__(self) -> None:
        rng = np.random.default_rng(11)
        centres = np.abs(rng.normal(size=(C, D))) * 1.2
        spread = np.linspace(0.3, 1.2, D)

        def drawn(n: int, shift: float) -> Tensor:
            y = rng.permutation(np.arange(n) % C)
            noise = rng.normal(size=(n, D)) * spread
            return torch.tensor(np.abs(centres[y] * (1 - shift) + noise * (1 + shift)))

        self.train, self.id, self.ood = drawn(N_TRAIN, 0), drawn(N_TEST, 0), drawn(N_TEST, 0.25)
        self.layer = nn.Linear(D, C).requires_grad_(False)
        weight = centres - centres.mean(0)
        state = {"weight": weight / 4, "bias": -np.square(centres).sum(1) / 12 + 2}
        self.layer.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
        self.head = nn.Sequential(nn.Flatten(), self.layer)
        right = self.layer(self.train).argmax(1)
        self.y = torch.where(torch.tensor(rng.random(N_TRAIN) < 0.1), (right + 1) % C, right)
        self.stages = [stage(rng, 1, 4), stage(rng, 4, 6)]

    def maps_of(self, x: Tensor) -> list[Tensor]:
        maps = [self.stages[0](image(x))]
        maps.append(self.stages[1](maps[0]))
        return maps

    def split(self, z: Tensor, y: Tensor | None = None) -> Split:
        f = self.layer(z)
        fields: dict[str, Any] = {
            "logits": f, "predictions": f.argmax(1), "features": z, "model": self.layer,
            "inputs": z, "input_std": torch.ones(1), "maps": self.maps_of(z),
            "maps_of": self.maps_of, "head": Head(self.layer.weight, self.layer.bias),
        }  # fmt: skip
        if y is not None:
            fields |= {"labels": y, "ood": self.split(z * 0.8)}
        lazy = {name: (lambda value=value: value) for name, value in fields.items()}
        return Split(len(z), C, lazy, frozenset(NEEDS))

    def ours(self, detector: Detector) -> float:
        """AUROC."""
        detector.fit(self.split(self.train, self.y), self.split(self.train, self.y))
        return self.auroc(lambda z: detector.score(self.split(z)))

    def auroc(self, score: Callable[[Tensor], Tensor]) -> float:
        return auroc(Ranking.of(score(self.id).numpy(), score(self.ood).numpy()))


def image(x: Tensor) -> Tensor:
    return x.view(len(x), 1, SIDE, SIDE)


def stage(rng: np.random.Generator, before: int, width: int) -> nn.Sequential:
    layer = nn.Conv2d(before, width, 3, bias=False).requires_grad_(False)
    layer.weight.copy_(torch.tensor(rng.normal(size=layer.weight.shape)) / before)
    return nn.Sequential(layer, nn.ReLU())


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Any:
    module = peer.detectors()
    monkeypatch.setattr(gaussian, "RIDGE", 0.0)
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    torch.set_default_dtype(torch.float64)
    yield module
    torch.set_default_dtype(torch.float32)


Score = Callable[[Tensor], Tensor]


def on_logits(detector: Any, data: Data) -> Score:
    detector.fit_logits(data.layer(data.train), data.y)
    return lambda z: detector.predict_logits(data.layer(z))


def on_features(detector: Any, data: Data) -> Score:
    detector.fit_features(data.train, data.y)
    return detector.predict_features  # type: ignore[no-any-return]


def on_maps(detector: Any, data: Data) -> Score:
    if hasattr(detector, "fit_feature_maps"):
        detector.fit_feature_maps(data.train[:, :, None, None], data.y)
    return lambda z: detector.predict_feature_maps(z[:, :, None, None])


def tempered(module: ModuleType, data: Data) -> Score:
    detector = module.TemperatureScaling(None)
    score = on_logits(detector, data)
    ours = TempScale()
    ours.fit(data.split(data.train, data.y), data.split(data.train, data.y))
    detector.t = ours.temperature
    return score


def shaped(variant: str, module: ModuleType, data: Data) -> Score:
    return on_maps(module.ASH(None, data.head, f"ash-{variant}", 0.65), data)


def gradients(module: ModuleType, data: Data) -> Score:
    model = nn.Linear(D, C)
    model.load_state_dict(data.layer.state_dict())
    return module.GradNorm(model, param_filter=lambda name: name == "weight").predict  # type: ignore[no-any-return]


CASES: dict[str, tuple[Detector, Callable[[ModuleType, Data], Score]]] = {
    "msp": (Msp(), lambda m, d: on_logits(m.MaxSoftmax(None), d)),
    "maxlogit": (MaxLogit(), lambda m, d: on_logits(m.MaxLogit(None), d)),
    "energy": (Energy(2.0), lambda m, d: on_logits(m.EnergyBased(None, t=2.0), d)),
    "gen": (Gen(0.1, 3), lambda m, d: on_logits(m.GEN(None, gamma=0.1, M=3), d)),
    "tempscale": (TempScale(), tempered),
    "klm": (KlMatching(), lambda m, d: on_logits(m.KLMatching(None), d)),
    "mahalanobis": (Mahalanobis(), lambda m, d: on_features(m.Mahalanobis(None), d)),
    "rmds": (RelativeMahalanobis(), lambda m, d: on_features(m.RMD(None), d)),
    "knn": (Knn(50, unit=True), lambda m, d: on_features(m.KNN(None, k=50), d)),
    "vim": (
        Vim(0.5),
        lambda m, d: on_features(m.ViM(None, D // 2, d.layer.weight, d.layer.bias), d),
    ),
    "dice": (
        Dice(0.7),
        lambda m, d: on_features(m.DICE(None, d.layer.weight, d.layer.bias, 0.7), d),
    ),
    "she": (She(), lambda m, d: on_features(m.SHE(None, d.layer), d)),
    "fdbd": (Fdbd(), lambda m, d: on_features(m.fDBD(None, d.layer), d)),
    "nnguide": (NnGuide(10), lambda m, d: on_features(m.NNGuide(None, d.layer, k=10), d)),
    "react": (React(0.9), lambda m, d: on_maps(m.ReAct(None, d.head, percentile=0.9), d)),
    "scale": (Scale(0.85), lambda m, d: on_maps(m.SCALE(None, d.head, percentile=0.85), d)),
    "gradnorm": (GradNorm(1.0), gradients),
    "odin": (
        Odin(10.0, 0.02),
        lambda m, d: m.ODIN(d.layer, eps=0.02, temperature=10.0).predict,
    ),
    **{f"ash-{variant}": (Ash(variant, 0.65), partial(shaped, variant)) for variant in "pbs"},
}


@pytest.mark.parametrize("name", CASES)
def test_the_auroc_is_pytorch_oods(theirs: ModuleType, name: str) -> None:
    data = Data()
    ours, make = CASES[name]
    expected = data.auroc(make(theirs, data))

    assert 0.02 < expected < 0.98
    assert data.ours(ours) == pytest.approx(expected, abs=1e-6)


def test_the_auroc_of_mahalanobis_at_all_stages_is_pytorch_oods(theirs: ModuleType) -> None:
    data = Data()
    detector = theirs.MultiMahalanobis(data.stages)
    detector.fit(DataLoader(TensorDataset(image(data.train), data.y), batch_size=100))
    expected = data.auroc(lambda z: detector.predict(image(z)))
    ours = MahalanobisEnsemble(magnitude=0.0)
    ours.fit(data.split(data.train, data.y), data.split(data.train, data.y))
    ours.weights = torch.ones(2)

    assert 0.02 < expected < 0.98
    assert data.auroc(lambda z: ours.score(data.split(z))) == pytest.approx(expected, abs=1e-6)


def test_the_auroc_of_gram_is_pytorch_oods(
    theirs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Data()
    layer = nn.Linear(24, C).requires_grad_(False)
    layer.weight.copy_(torch.tensor(np.random.default_rng(2).normal(size=(C, 24))))
    head = nn.Sequential(nn.Flatten(), layer)
    last = data.maps_of(data.train)[-1]
    # So that every class is predicted of some.
    layer.bias.copy_(layer.bias - head(last).mean(0))
    data.y = head(last).argmax(1)

    def split(z: Tensor, y: Tensor | None = None) -> Split:
        maps = data.maps_of(z)
        fields: dict[str, Any] = {
            "maps": maps,
            "predictions": head(maps[-1]).argmax(1),
            "labels": y,
        }
        lazy = {name: (lambda value=value: value) for name, value in fields.items()}
        return Split(len(z), C, lazy, frozenset({"maps", "logits"}))

    monkeypatch.setattr(torch, "randperm", torch.arange)
    detector = theirs.Gram(head, data.stages, C, [1, 2, 3])
    detector.fit(DataLoader(TensorDataset(image(data.train), data.y), batch_size=100))
    kept, held_out = [], []
    for c in range(C):
        order = torch.nonzero(data.y == c).flatten()
        tenth = int(0.1 * len(order))
        held_out.append(order[:tenth])
        kept.append(order[tenth:])
    train, val = torch.cat(kept), torch.cat(held_out)
    ours = Gram(powers=3)
    ours.fit(split(data.train[train], data.y[train]), split(data.train[val], data.y[val]))
    expected = data.auroc(lambda z: detector.predict(image(z)))

    assert 0.02 < expected < 0.98
    assert data.auroc(lambda z: ours.score(split(z))) == pytest.approx(expected, abs=1e-6)


def test_its_softmax_ties_in_single_precision_where_log_odds_do_not() -> None:
    module = peer.detectors()
    rng = np.random.default_rng(0)
    logits = torch.tensor(rng.normal(size=(2000, 10)) * 12, dtype=torch.float32)
    fields = {"logits": lambda: logits}
    ours = Msp().score(Split(2000, 10, fields, frozenset({"logits"}))).numpy()
    theirs = module.MaxSoftmax(None).predict_logits(logits).numpy()

    assert len(np.unique(theirs)) < 1900 < len(np.unique(ours))
    assert (np.diff(theirs[np.argsort(ours)]) >= -1e-6).all()
