"""Methods that train a network of their own: what they see, share, learn and leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from rlbench.core.arrays import pack
from rlbench.core.assets import AssetStore
from rlbench.core.context import Context
from rlbench.core.data import DataStore
from rlbench.core.errors import UsageError
from rlbench.core.registry import Registry
from rlbench.core.suite import Outcome
from rlbench.core.trial import Trial, resolve_params
from rlbench.suites.ood import descent
from rlbench.suites.ood.params import Protocol, task_params
from rlbench.suites.ood.sets import Sets
from rlbench.suites.ood.suite import SUITE
from rlbench.suites.ood.trained.exposure import EnergyTraining
from rlbench.suites.ood.trained.plain import LogitNormTraining
from rlbench.suites.ood.trained.tuning import Schedule, to_uniform

REGISTRY = Registry.load()
TASK = "ood/glyph-inverted"
SIZES = {
    "n_train": 320, "n_val": 50, "n_test": 100, "n_ood": 100, "n_outliers": 70,
    "n_unlabelled": 100, "n_ood_unlabelled": 50, "epochs": 2,
}  # fmt: skip
NAMES = sorted(b.name for b in REGISTRY.baselines.values() if ".ood.trained." in b.algorithm)


def trial(baseline: str, *, task: str = TASK, seed: int = 0, **overrides: Any) -> Trial:
    spec = replace(REGISTRY.tasks[task], tiers={"smoke": SIZES})
    recipe = REGISTRY.baselines[f"ood/{baseline}"]
    overrides = {"epochs": 2, "pairs": 128} | overrides
    overrides = {name: value for name, value in overrides.items() if name in recipe.params}
    params = resolve_params(spec, recipe, "smoke", overrides)
    return Trial(spec, recipe, params, overrides, "smoke", seed)


def context(root: Path, of: Trial) -> Context:
    assets, data = AssetStore(root, "0" * 64), DataStore(REGISTRY.data)
    return Context(of, assets=assets, data=data, checkpoint=root / "checkpoint.npz")


def run(root: Path, of: Trial) -> Outcome:
    return SUITE.run(of, context(root, of))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def assets(root: Path, kind: str) -> int:
    return len(list((root / "assets" / kind).glob("*/asset.json")))


def auroc(outcome: Outcome) -> float:
    return SUITE.metrics_of(REGISTRY.tasks[TASK], outcome.evidence)["auroc"]


# -- the harness's promises -----------------------------------------------------------------------


@pytest.mark.parametrize("baseline", ["dcm-energy", "pod-cosine", "logitnorm"])
def test_a_repeated_trial_gives_the_same_bytes_and_the_same_curve(
    tmp_path: Path, baseline: str
) -> None:
    torch.manual_seed(1)
    of = trial(baseline)
    contexts = [context(tmp_path / name, of) for name in ("a", "b")]
    outcomes = [SUITE.run(of, ctx) for ctx in contexts]

    assert pack(outcomes[0].evidence) == pack(outcomes[1].evidence)
    assert outcomes[0].notes == outcomes[1].notes
    assert contexts[0].curve.csv() == contexts[1].curve.csv()
    assert len(contexts[0].curve.rows) == 2


def test_the_curve_is_the_same_whoever_trained_the_network(tmp_path: Path) -> None:
    contexts = []
    for _ in range(2):
        of = trial("dcm-softmax")
        contexts.append(context(tmp_path, of))
        SUITE.run(of, contexts[-1])

    assert contexts[0].curve.rows == contexts[1].curve.rows


def test_a_killed_training_goes_on_in_the_next_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descent, "SAVE_EVERY", 0.0)
    of = trial("pod-l2", epochs=4)
    whole = run(tmp_path / "whole", of)
    passes = []
    plain_pass = descent._Descent.run_epoch

    def fragile(self: Any, batches: Any, loss: Any) -> None:
        passes.append(len(self.done.losses))
        if passes == [0, 1, 2]:
            raise KeyboardInterrupt
        plain_pass(self, batches, loss)

    monkeypatch.setattr(descent._Descent, "run_epoch", fragile)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", of)
    resumed = run(tmp_path / "killed", of)

    # The pair network: two epochs, killed in the third, then the last two; then the classifier,
    # which must not take the pair network's checkpoint for its own.
    assert passes == [0, 1, 2, 2, 3, 0, 1]
    assert pack(resumed.evidence) == pack(whole.evidence)


def test_another_trial_finishes_the_training_that_a_killed_one_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descent, "SAVE_EVERY", 0.0)
    first, second = trial("msp", epochs=4), trial("energy", epochs=4)
    whole = run(tmp_path / "whole", second)
    plain_pass = descent._Descent.run_epoch
    passes = []

    def fragile(self: Any, batches: Any, loss: Any) -> None:
        passes.append(len(self.done.losses))
        if passes == [0, 1]:
            raise KeyboardInterrupt
        plain_pass(self, batches, loss)

    monkeypatch.setattr(descent._Descent, "run_epoch", fragile)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", first)
    found = run(tmp_path / "killed", second)

    assert passes == [0, 1, 1]
    assert pack(found.evidence) == pack(whole.evidence)
    assert not list((tmp_path / "killed").glob("assets/ood-classifier/*.npz"))


# -- what is shared, and what is seen -------------------------------------------------------------


def test_the_three_scores_of_dcm_share_one_network_which_another_weight_does_not(
    tmp_path: Path,
) -> None:
    for name in ("dcm-softmax", "dcm-maxlogit", "dcm-energy"):
        run(tmp_path, trial(name))
    assert assets(tmp_path, "ood-network") == assets(tmp_path, "ood-classifier") == 1

    run(tmp_path, trial("dcm-energy", weight=0.25))
    assert assets(tmp_path, "ood-network") == 2


def test_only_transductive_networks_depend_on_the_tested_out_of_distribution_set(
    tmp_path: Path,
) -> None:
    for task in ("ood/glyph-inverted", "ood/glyph-gaussian"):
        for name in ("oe", "logitnorm", "dcm-energy"):
            run(tmp_path, trial(name, task=task))

    assert assets(tmp_path, "ood-network") == 4


@pytest.mark.parametrize("baseline", NAMES)
def test_predictions_are_the_networks_own_unless_it_compares_pairs(
    shared: Path, baseline: str
) -> None:
    plain = run(shared, trial("msp")).evidence["id_test_predictions"]
    found = run(shared, trial(baseline)).evidence["id_test_predictions"]

    assert np.array_equal(found, plain) is baseline.startswith("pod-")


def test_what_is_trained_on_is_never_tested(tmp_path: Path) -> None:
    of = trial("msp")
    task = task_params(of.task)
    sets = Sets(context(tmp_path, of), task, Protocol(**SIZES))
    seen = [sets.examples(task.id, "train")["x"]]
    seen += [sets.examples(ref, split)["x"] for split, ref in sets.extras.items()]
    tested = [sets.examples(ref, split)["x"] for split, ref in task.scored.items()]
    trained_on = {image.tobytes() for images in seen for image in images}

    assert len(seen) == 4
    assert not any(image.tobytes() in trained_on for images in tested for image in images)


def test_a_training_is_refused_what_the_task_does_not_offer(tmp_path: Path) -> None:
    spec = replace(REGISTRY.tasks["ood/digits8-6789"], tiers={"smoke": {**SIZES, "n_test": 50}})
    of = replace(trial("dcm-energy"), task=spec)

    with pytest.raises(UsageError, match=r"ood/digits8-6789: offers no 'unlabelled' examples"):
        run(tmp_path, of)


# -- what is learnt -------------------------------------------------------------------------------


def test_dcm_notes_that_epochs_end_with_the_mixture(shared: Path) -> None:
    notes = run(shared, trial("dcm-energy", mixture_batch=50, epochs=3)).notes

    # Three passes over 150 images in batches of 50, against 320 // 32 batches of ID train.
    assert (notes["train_steps"], notes["planned_steps"]) == (3 * 9, 3 * 10)


def test_dcm_finds_what_the_plain_classifier_misses(shared: Path) -> None:
    plain = auroc(run(shared, trial("energy")))
    longer = trial("dcm-energy", epochs=8, batch=64, rate=0.01)

    assert auroc(run(shared, longer)) > plain + 0.2


def test_confidence_is_least_at_the_uniform_distribution() -> None:
    logits = torch.zeros(3, 5, requires_grad=True)
    loss = to_uniform(logits)
    (gradient,) = torch.autograd.grad(loss, logits)

    assert loss.item() == pytest.approx(np.log(5))
    torch.testing.assert_close(gradient, torch.zeros(3, 5))
    sure = 4 * torch.eye(5)
    uniform = torch.full((5, 5), 0.2)
    assert float(to_uniform(sure)) == pytest.approx(float(functional.cross_entropy(sure, uniform)))


def test_logitnorm_does_not_see_the_length_of_logits() -> None:
    logits, y = torch.tensor([[1.0, 2.0, 0.5]]), torch.tensor([0])
    training = LogitNormTraining(tau=0.04)
    unit = logits / logits.norm() / 0.04

    assert float(training.loss(logits, y)) == pytest.approx(
        float(functional.cross_entropy(unit, y)), rel=1e-5
    )
    torch.testing.assert_close(training.loss(7 * logits, y), training.loss(logits, y))


def test_energies_beyond_their_margins_are_not_penalised() -> None:
    training = EnergyTraining(Schedule(1, 0.1, 2, 2), weight=0.1, m_in=-23.0, m_out=-5.0)
    low, high = torch.full((2, 4), 30.0), torch.full((2, 4), 1.0)
    e_low, e_high = (-30 - np.log(4)), (-1 - np.log(4))

    assert float(training.term(low, high)) == 0.0
    expected = 0.1 * ((e_high + 23) ** 2 + (-5 - e_low) ** 2)
    assert float(training.term(high, low)) == pytest.approx(expected, rel=1e-5)


def test_every_trained_recipe_says_what_it_may_see() -> None:
    tracks: Mapping[str, str] = {name: REGISTRY.baselines[f"ood/{name}"].track for name in NAMES}

    assert {name for name, track in tracks.items() if track == "transductive"} == {
        "dcm-softmax", "dcm-maxlogit", "dcm-energy"
    }  # fmt: skip
    assert {name for name, track in tracks.items() if track == "uses outliers"} == {
        "oe", "energy-ft"
    }  # fmt: skip
    assert len(tracks) == 11
