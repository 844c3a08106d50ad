"""Speed of the out-of-distribution detectors beside pytorch-ood 0.4.0, as ratios in one run.

pytorch-ood imports torchvision, whose wheels for CUDA do not load on torch's CPU build; declaring
one operator is enough, since nothing here calls it. From the root of the checkout:

    python -m venv ood-env
    ood-env/bin/pip install -e '.[ood]' pytest scipy
    ood-env/bin/pip install --no-deps pytorch-ood==0.4.0 torchvision==0.28.0   # for torch 2.13
    ood-env/bin/python benchmarks/ood.py              # seven minutes; or one of: scoring sweep
    ood-env/bin/python -m pytest tests/suites/ood/test_parity.py

Everything is in CPU seconds of one thread, so that a busy machine does not matter much.

* scoring: 100 classes, 512 features, 20,000 training examples, 6,000 scored; both sides are
  fitted on the same features. Ours read the classifier's stored outputs, logits too. Their
  GradNorm knows no stored outputs; its model is the last layer alone, on stored features, 2,000.
* sweep: 20 detectors that score a classifier's outputs, on 4 OOD sets; everything from images to
  metrics, but for the training of the classifier, a ResNet-18 as the protocols for CIFAR have it;
  sets are small, since their way takes each image through it forty times. (A network as small as
  ResNet-8 weighs little beside the detectors: 5.3x and 2.2x at tier `small` of glyphs.) Ours are
  80 trials as `rlbench run` makes them.
  Theirs is one `evaluate` a detector, each fitted from images; or one for all with its cache, each
  fitted on outputs that were computed once for all (by hand: its cache is for scoring only).

Memory is measured by `ood_bank.py`.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is imported: one thread each

import importlib
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import ConcatDataset, DataLoader, TensorDataset

from rlbench.core.assets import AssetStore
from rlbench.core.context import Context
from rlbench.core.data import DataStore
from rlbench.core.registry import Registry
from rlbench.core.trial import Trial, resolve_params
from rlbench.suites.ood.detectors.dice import Dice
from rlbench.suites.ood.detectors.gradnorm import GradNorm
from rlbench.suites.ood.detectors.mahalanobis import Mahalanobis, RelativeMahalanobis
from rlbench.suites.ood.features import Pipeline
from rlbench.suites.ood.networks import ImageClassifier
from rlbench.suites.ood.params import protocol, task_params
from rlbench.suites.ood.splits import NEEDS, Detector, Head, Split
from rlbench.suites.ood.suite import SUITE

SCORING = {"Mahalanobis": 20.0, "RMDS": 20.0, "DICE": 20.0, "GradNorm": 50.0}
"""Times faster, at least."""
UNCACHED, CACHED = 10.0, 2.0
SEED = 0
DECLARED: list[object] = []
"""What was declared to torch is so as long as the object that declared it."""


def peer() -> tuple[ModuleType, ModuleType]:
    """`pytorch_ood.detector` and `pytorch_ood.benchmark`.

    Raises:
        ImportError: it is not installed.
    """
    library: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    DECLARED.append(library)
    detector = importlib.import_module("pytorch_ood.detector")
    return detector, importlib.import_module("pytorch_ood.benchmark")


def cpu_seconds(work: Callable[[], object], repeats: int = 1) -> float:
    """The least of some measurements."""
    measured = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        measured.append(time.process_time() - began)
    return min(measured)


def row(name: str, theirs: float, ours: float, target: float) -> bool:
    """Print a line; whether the target is met."""
    ratio = theirs / ours
    print(f"{name:44}{theirs:10.3f} s{ours:10.4f} s{ratio:9.1f}x{target:7.0f}x", flush=True)
    return ratio >= target


# -- scoring --------------------------------------------------------------------------------------


def scoring(theirs: ModuleType) -> bool:
    """Seconds to score, after fitting on the same features."""
    rng = np.random.default_rng(SEED)
    n_classes, width = 100, 512
    y = torch.from_numpy(rng.permutation(20_000) % n_classes)
    centres = rng.normal(size=(n_classes, width))
    noise = rng.normal(size=(20_000, width))
    z = torch.from_numpy(np.maximum(centres[y] + noise, 0)).float()
    test = torch.from_numpy(np.maximum(rng.normal(size=(6_000, width)) * 1.5, 0)).float()
    layer = nn.Linear(width, n_classes)
    layer.weight.data = torch.from_numpy(centres / 20).float()
    layer.bias.data = torch.zeros(n_classes)

    def split(z: Tensor, labels: Tensor | None = None) -> Split:
        logits = layer(z).detach()  # stored beside the features
        fields: dict[str, Callable[[], Any]] = {
            "features": lambda: z,
            "logits": lambda: logits,
            "head": lambda: Head(layer.weight.detach(), layer.bias.detach()),
        }
        if labels is not None:
            fields["labels"] = lambda: labels
        return Split(len(z), n_classes, fields, frozenset(NEEDS))

    last = theirs.GradNorm(layer, param_filter=lambda name: name == "weight")
    pairs: list[tuple[str, Any, Detector, Tensor]] = [
        ("Mahalanobis", theirs.Mahalanobis(None), Mahalanobis(), test),
        ("RMDS", theirs.RMD(None), RelativeMahalanobis(), test),
        ("DICE", theirs.DICE(None, layer.weight, layer.bias, 0.9), Dice(0.9), test),
    ]
    good = True
    for _, their, our, _ in pairs:
        their.fit_features(z, y)
        our.fit(split(z, y), split(z, y))
    pairs.append(("GradNorm", last, GradNorm(1.0), test[:2000]))
    for name, their, our, x in pairs:
        predict = their.predict if name == "GradNorm" else their.predict_features
        seconds = cpu_seconds(partial(in_batches, predict, x))
        ours = cpu_seconds(partial(our.score, split(x)), repeats=3)
        good &= row(f"score {name}, {len(x):,} examples", seconds, ours, SCORING[name])
    return good


def in_batches(predict: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """As from a loader: all at once, DICE would take gigabytes."""
    return torch.cat([predict(part) for part in torch.split(x, 200)])


# -- sweep ----------------------------------------------------------------------------------------

TASKS = ("letters-upper", "inverted", "textures", "gaussian")
BASELINES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("msp", {}), ("tempscale", {}), ("maxlogit", {}), ("energy", {}), ("gen", {}), ("klm", {}),
    ("mahalanobis", {}), ("rmds", {}), ("knn", {}), ("vim", {}), ("react", {}), ("dice", {}),
    ("ash", {"variant": "p"}), ("ash", {"variant": "b"}), ("ash", {"variant": "s"}), ("scale", {}),
    ("she", {}), ("gradnorm", {}), ("fdbd", {}), ("nnguide", {}),
)  # fmt: skip


PARAMS = {"classifier": "resnet18", "id": {"source": "glyph-digits", "classes": [0, 1]}}
SIZES = {"n_train": 600, "n_val": 100, "n_test": 100, "n_ood": 100, "epochs": 3}


class Sweep:
    """Four tasks on glyphs: data and classifier made, nothing yet computed of them."""

    def __init__(self, folder: Path) -> None:
        self.registry = Registry.load()
        self.folder = folder
        for task in TASKS:
            pipeline = self.pipeline(self.trial(task, "msp", {}))
            ood = pipeline.task.ood
            assert ood is not None
            assert pipeline.network is not None
            for split in ("train", "val", "test"):
                pipeline.sets.examples(pipeline.task.id, split)
            pipeline.sets.examples(ood, "ood")

    def trial(self, task: str, baseline: str, overrides: dict[str, Any]) -> Trial:
        """One of ours."""
        spec = self.registry.tasks[f"ood/glyph-{task}"]
        spec = replace(spec, params={**spec.params, **PARAMS}, tiers={"small": SIZES})
        recipe = self.registry.baselines[f"ood/{baseline}"]
        params = resolve_params(spec, recipe, "small", overrides)
        return Trial(spec, recipe, params, overrides, "small", SEED)

    def context(self, trial: Trial) -> Context:
        """With the shared cache; assets are read anew, as by another process."""
        assets = AssetStore(self.folder, "0" * 64)
        data = DataStore(self.registry.data)
        return Context(trial, assets=assets, data=data, checkpoint=self.folder / "none.npz")

    def pipeline(self, trial: Trial) -> Pipeline:
        """The trial's assets."""
        sizes = protocol(trial.task, trial.protocol)
        return Pipeline(self.context(trial), task_params(trial.task), sizes)

    def ours(self) -> None:
        """80 trials and their metrics."""
        for task in TASKS:
            for baseline, overrides in BASELINES:
                trial = self.trial(task, baseline, overrides)
                outcome = SUITE.run(trial, self.context(trial))
                SUITE.metrics_of(trial.task, outcome.evidence)


class Theirs:
    """The same network, images and detectors in pytorch-ood's terms."""

    def __init__(self, detectors: ModuleType, benchmark: ModuleType, sweep: Sweep) -> None:
        pipelines = [sweep.pipeline(sweep.trial(task, "msp", {})) for task in TASKS]
        self.module, first = detectors, pipelines[0]
        self.network = cast(ImageClassifier, first.network)
        self.head = nn.Sequential(nn.Flatten(), self.network.head)

        def images(
            pipeline: Pipeline, ref: Any, split: Any, *, known: bool = True
        ) -> TensorDataset:
            found = pipeline.sets.examples(ref, split)
            labels = np.array(found["y"]) if known else np.full(len(found["y"]), -1)
            return TensorDataset(
                pipeline.trainer.normaliser.inputs(found["x"]), torch.from_numpy(labels)
            )

        self.train = images(first, first.task.id, "train")
        self.val = images(first, first.task.id, "val")
        inside = images(first, first.task.id, "test")
        tests: list[ConcatDataset[Any]] = [
            ConcatDataset([inside, images(pipeline, pipeline.task.ood, "ood", known=False)])
            for pipeline in pipelines
        ]

        class Glyphs(benchmark.Benchmark):  # type: ignore[name-defined, misc]
            ood_names = TASKS

            def train_set(self) -> TensorDataset:
                raise AssertionError("fitted by hand")

            def test_sets(self, known: bool = True, unknown: bool = True) -> list[Any]:
                return tests

        self.benchmark: Any = Glyphs()

    def pooled(self, x: Tensor) -> Tensor:
        """Features as maps of one pixel, for the detectors that work on maps."""
        z: Tensor = self.network.embed(x)[:, :, None, None]
        return z

    def make(self) -> list[tuple[Any, str]]:
        """The detectors of `BASELINES` in order, and what each is fitted on."""
        m, net, encode, head = self.module, self.network, self.network.embed, self.head
        w, b = net.head.weight, net.head.bias
        shaped = [(m.ASH(self.pooled, head, f"ash-{v}", 0.65), "") for v in "pbs"]
        return [
            (m.MaxSoftmax(net), ""), (m.TemperatureScaling(net), "val"), (m.MaxLogit(net), ""),
            (m.EnergyBased(net), ""), (m.GEN(net, gamma=0.1), ""), (m.KLMatching(net), "val"),
            (m.Mahalanobis(encode), "train"), (m.RMD(encode), "train"),
            (m.KNN(encode, k=50), "train"), (m.ViM(encode, w.shape[1] // 2, w, b), "train"),
            (m.ReAct(self.pooled, head), "maps"), (m.DICE(encode, w, b, 0.9), "train"), *shaped,
            (m.SCALE(self.pooled, head, 0.85), ""), (m.SHE(encode, net.head), "train"),
            (m.GradNorm(net, param_filter=lambda name: name == "head.weight"), ""),
            (m.fDBD(encode, net.head), "train"), (m.NNGuide(encode, net.head, k=10), "train"),
        ]  # fmt: skip

    def one_at_a_time(self) -> None:
        """Each detector fitted and evaluated from images."""
        for detector, kind in self.make():
            if kind:
                data = self.val if kind == "val" else self.train
                detector.fit(DataLoader(data, batch_size=500))
            self.benchmark.evaluate(detector, loader_kwargs={"batch_size": 500})

    def cached(self) -> None:
        """Fitted on outputs that are computed once; evaluated together with the cache."""
        z, y = self.outputs(self.network.embed, self.train)
        f, y_val = self.outputs(self.network, self.val)
        made = self.make()
        for detector, kind in made:
            if kind == "train":
                detector.fit_features(z, y)
            elif kind == "maps":
                detector.fit_feature_maps(z[:, :, None, None], y)
            elif kind == "val":
                detector.fit_logits(f, y_val)
        every = [detector for detector, _ in made]
        self.benchmark.evaluate(every, loader_kwargs={"batch_size": 500}, cache=True)

    @staticmethod
    def outputs(function: Callable[[Tensor], Tensor], data: TensorDataset) -> tuple[Tensor, Tensor]:
        """What a part of the network makes of a set, and its labels."""
        with torch.no_grad():
            parts = [function(x) for x, _ in DataLoader(data, batch_size=500)]
        return torch.cat(parts), data.tensors[1]


def sweep(detectors: ModuleType, benchmark: ModuleType) -> bool:
    """20 detectors, 4 OOD sets."""
    with tempfile.TemporaryDirectory() as folder:
        made = Sweep(Path(folder))
        theirs = Theirs(detectors, benchmark, made)
        ours = cpu_seconds(made.ours)
        cached = cpu_seconds(theirs.cached)
        good = row("20 detectors, 4 OOD sets, its cached way", cached, ours, CACHED)
        uncached = cpu_seconds(theirs.one_at_a_time)
        return row("20 detectors, 4 OOD sets, one at a time", uncached, ours, UNCACHED) and good


def main(words: list[str]) -> int:
    """Run the parts that are named; 1 when a target is missed, 2 without pytorch-ood."""
    torch.set_num_threads(1)
    parts = words or ["scoring", "sweep"]
    try:
        detectors, benchmark = peer()
    except ImportError as error:
        print(f"pytorch-ood does not import ({error}).\n\n{__doc__}", file=sys.stderr)
        return 2
    print(f"{'CPU seconds, one thread':44}{'theirs':>12}{'ours':>12}{'ratio':>10}{'target':>8}")
    good = True
    if "scoring" in parts:
        good &= scoring(detectors)
    if "sweep" in parts:
        good &= sweep(detectors, benchmark)
    if not good:
        print("a target is missed", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    sys.exit(main(sys.argv[1:]))
