"""From a task to a network: the task's own classifier, or what a method makes of the same sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from rlbench.core.assets import Asset
from rlbench.core.errors import UsageError
from rlbench.core.seeding import generator
from rlbench.learn.weights import load_arrays, to_arrays
from rlbench.suites.ood.classifiers import Softmax, build, train_softmax
from rlbench.suites.ood.inputs import IMAGENET, Normaliser, channels
from rlbench.suites.ood.material import Extra, Images, Material, Trained, Training
from rlbench.suites.ood.params import SetRef, Split
from rlbench.suites.ood.safetensors import read_safetensors
from rlbench.suites.ood.sets import Sets
from rlbench.suites.ood.trained.plain import train_classifier

Array = np.ndarray[Any, Any]
_WEIGHT = "net."


@dataclass(frozen=True)
class Trainer:
    """One network of a task at one tier and seed, as an asset; made when first asked for."""

    sets: Sets
    training: Training | None = None
    """The method's own; None for the task's classifier."""
    member: int = 0
    """Which classifier of an ensemble: 0 is the task's own, others differ in their chance."""

    @property
    def plain(self) -> Trainer:
        """Of the task's own classifier."""
        return replace(self, training=None)

    @cached_property
    def about(self) -> dict[str, Any]:
        """What decides the weights; what is out of distribution is no part of it, unless used.

        The kind of device is, so that a result never depends on where an asset was made.
        """
        task, ctx = self.sets.task, self.sets.ctx
        about: dict[str, Any] = {
            "classifier": task.classifier,
            "train": self.sets.identity(task.id, "train"),
            "member": self.member,
            "device": torch.device(ctx.device).type,
        }
        if task.weights:
            about["weights"] = ctx.data(task.weights).sha256
        elif task.classifier != "softmax":
            about |= {"epochs": self.sets.sizes.epochs, "augment": task.augment}
        if self.training is not None:
            uses = {name: self.sets.extra(name) for name in self.training.uses}
            about["training"] = dict(self.training.about)
            about["uses"] = {name: self.sets.identity(ref, name) for name, ref in uses.items()}
            about["own"] = ctx.trial.algorithm_sha256 or ""
        return about

    @cached_property
    def asset(self) -> Asset:
        """Weights as `net.*`, `input_mean` and `input_std`, and how the training went.

        That is `train_loss`, the mean of each epoch, and `train_steps`, those made and those that
        the schedule was laid out for; all empty or 0 where nothing was trained by descent.
        """
        return self.sets.ctx.asset(self._kind, self.about, self._make, seed=self.sets.seed)

    @property
    def _kind(self) -> str:
        return "ood-classifier" if self.training is None else "ood-network"

    @cached_property
    def normaliser(self) -> Normaliser:
        """Fitted on ID train, or what comes with published weights."""
        return Normaliser(np.array(self.asset["input_mean"]), np.array(self.asset["input_std"]))

    @cached_property
    def network(self) -> nn.Module:
        """Frozen, in evaluation mode, on the trial's device."""
        network = self._empty()
        load_arrays(network, self.weights())
        return network.to(self.sets.ctx.device).eval().requires_grad_(False)

    def weights(self) -> dict[str, Array]:
        """Parameters and buffers by their dotted names."""
        return {
            name.removeprefix(_WEIGHT): array
            for name, array in self.asset.arrays.items()
            if name.startswith(_WEIGHT)
        }

    def _empty(self) -> nn.Module:
        if self.training is not None:
            return self.training.empty(self._material(self.normaliser))
        x = self.sets.examples(self.sets.task.id, "train")["x"]
        return build(self.sets.task.classifier, channels(x), self.sets.n_classes, x.shape[1])

    def _make(self) -> dict[str, Array]:
        task = self.sets.task
        if task.weights:
            if self.training is not None:
                raise UsageError(f"{task.classifier} is given with its weights; nothing is trained")
            return self._published()
        x = self.sets.train()["x"]
        normaliser = Normaliser.of(x)
        if task.classifier == "softmax":
            return _arrays(self._fitted(), normaliser)
        train = train_classifier if self.training is None else self.training.train
        return _arrays(train(self._material(normaliser)), normaliser)

    def _published(self) -> dict[str, Array]:
        path = self.sets.ctx.data(self.sets.task.weights).files["weights"]
        network = self._empty()
        names = {"fc.weight": "head.weight", "fc.bias": "head.bias"}
        found = {names.get(name, name): array for name, array in read_safetensors(path).items()}
        # Some writers leave these counters out; nothing reads them in evaluation.
        counters = (name for name in network.state_dict() if name.endswith("num_batches_tracked"))
        load_arrays(network, {**dict.fromkeys(counters, np.array(0)), **found})
        return _arrays(Trained(network, [], 0, 0), IMAGENET)

    def _fitted(self) -> Trained:
        train, device = self.sets.train(), self.sets.ctx.device
        model = build("softmax", channels(train["x"]), self.sets.n_classes)
        if self.training is not None or not isinstance(model, Softmax):
            raise UsageError("softmax regression is fitted exactly; no method can train it anew")
        x, y = (torch.from_numpy(np.array(train[name])) for name in ("x", "y"))
        model.to(device)
        train_softmax(model, x.to(device), y.to(device))
        return Trained(model, [], 0, 0)

    def _material(self, normaliser: Normaliser) -> Material:
        sets, task = self.sets, self.sets.task
        # The chance is the same for every method, so that comparisons are paired.
        chance = ("member", self.member) if self.member else ()
        images = self._images(normaliser)
        return Material(
            task=task,
            n_classes=sets.n_classes,
            epochs=sets.sizes.epochs,
            train=images(task.id, "train"),
            rng=generator("ood-classifier", task.classifier, sets.seed, *chance),
            keeper=sets.ctx.asset_checkpoint(self._kind, self.about, seed=sets.seed),
            plain=self.plain.weights,
            extra=lambda name: images(self._used(name), name),
        )

    def _used(self, name: Extra) -> SetRef:
        if self.training is None or name not in self.training.uses:
            raise UsageError(f"Material.extra: '{name}' is not in the training's uses")
        return self.sets.extra(name)

    def _images(self, normaliser: Normaliser) -> Callable[[SetRef, Split], Images]:
        augmented = self.sets.task.augment == "crop-flip"
        device = torch.device(self.sets.ctx.device)

        def images(ref: SetRef, split: Split) -> Images:
            found = self.sets.examples(ref, split)
            return Images(found["x"], found["y"], normaliser, augmented, device)

        return images


def _arrays(trained: Trained, normaliser: Normaliser) -> dict[str, Array]:
    return {
        **{_WEIGHT + name: array for name, array in to_arrays(trained.network).items()},
        "input_mean": normaliser.mean,
        "input_std": normaliser.std,
        "train_loss": np.array(trained.losses, dtype=np.float64),
        "train_steps": np.array([trained.steps, trained.planned], dtype=np.int64),
    }
