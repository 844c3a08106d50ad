"""The suite object through the harness's own protocol: trials, their evidence, a user's class."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlbench.core.algorithm import own_baseline
from rlbench.core.arrays import pack
from rlbench.core.assets import AssetStore
from rlbench.core.context import Context
from rlbench.core.data import DataStore
from rlbench.core.errors import SpecError, UsageError
from rlbench.core.registry import Registry
from rlbench.core.spec import TaskSpec
from rlbench.core.suite import Outcome
from rlbench.core.trial import Trial, resolve_params
from rlbench.suites.ood.metrics import evidence_names, metric_names
from rlbench.suites.ood.params import Kind
from rlbench.suites.ood.suite import SUITE

REGISTRY = Registry.load()
BASELINES = sorted(spec.name for spec in REGISTRY.baselines.values() if spec.suite == "ood")
TASKS = sorted(spec.id for spec in REGISTRY.tasks.values() if spec.suite == "ood")


SMALLEST = {"epochs": 1, "pairs": 64}
"""Of every budget that a recipe may have."""


def tiny(task: str) -> TaskSpec:
    """The task with a tier that takes a moment."""
    sizes = {"n_train": 200, "n_val": 40, "n_test": 60, "n_ood": 50, "n_shift": 30, "epochs": 1}
    extra = {"n_outliers": 70, "n_unlabelled": 40, "n_ood_unlabelled": 30}
    return replace(REGISTRY.tasks[task], tiers={"smoke": sizes | extra})


def trial_of(task: str, baseline: str, seed: int = 0, **overrides: Any) -> Trial:
    spec, recipe = tiny(task), REGISTRY.baselines[f"ood/{baseline}"]
    overrides |= {name: n for name, n in SMALLEST.items() if name in recipe.params}
    params = resolve_params(spec, recipe, "smoke", overrides)
    return Trial(spec, recipe, params, overrides, "smoke", seed)


def run(root: Path, trial: Trial) -> Outcome:
    ctx = Context(
        trial,
        assets=AssetStore(root, "0" * 64),
        data=DataStore(REGISTRY.data),
        checkpoint=root / "checkpoint.npz",
    )
    return SUITE.run(trial, ctx)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that tests may fill together: assets never depend on who asks."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("task", TASKS)
def test_every_bundled_task_is_valid(task: str) -> None:
    SUITE.check_task(REGISTRY.tasks[task])


def fits(task: str, baseline: str) -> bool:
    """Whether the pair is worth trying; on glyphs, only what the other two tasks do not offer."""
    spec, recipe = REGISTRY.tasks[task], REGISTRY.baselines[f"ood/{baseline}"]
    named = any(fnmatchcase(task, pattern) for pattern in recipe.tasks)
    known = task == "ood/glyph-inverted" and recipe.track == "post-hoc"
    return named and not known and SUITE.misfit(spec, recipe) is None


@pytest.mark.parametrize(
    ("task", "baseline"),
    [
        (task, baseline)
        for task in ("ood/toy-hole", "ood/digits8-6789", "ood/glyph-inverted")
        for baseline in BASELINES
        if fits(task, baseline)
    ],
)
def test_every_bundled_recipe_leaves_whole_evidence(shared: Path, task: str, baseline: str) -> None:
    outcome = run(shared, trial_of(task, baseline))
    found = SUITE.metrics_of(tiny(task), outcome.evidence)

    assert tuple(sorted(outcome.evidence)) == tuple(sorted(evidence_names("pair")))
    assert {len(outcome.evidence[f"id_test_{kind}"]) for kind in ("scores", "labels")} == {60}
    assert len(outcome.evidence["ood_scores"]) == outcome.notes["n_ood"] == 50
    assert all(outcome.evidence[f"{part}_scores"].dtype == np.float64 for part in ("ood", "id_val"))
    assert set(found) == metric_names("pair")


@pytest.mark.parametrize(
    ("task", "kind"),
    [
        ("ood/fs-glyph-letters-upper", "full-spectrum"),
        ("ood/selective-glyph-handwritten", "selective"),
    ],
)
@pytest.mark.parametrize("baseline", ["knn", "pod-l2"])
def test_other_kinds_of_task_leave_their_own_evidence(
    shared: Path, task: str, kind: Kind, baseline: str
) -> None:
    outcome = run(shared, trial_of(task, baseline))
    found = SUITE.metrics_of(tiny(task), outcome.evidence)

    assert tuple(sorted(outcome.evidence)) == tuple(sorted(evidence_names(kind)))
    assert len(outcome.evidence["shift_scores"]) == outcome.notes["n_shift"] == 30
    assert set(found) == metric_names(kind)


def test_confidences_are_the_largest_probabilities_of_the_classifier(shared: Path) -> None:
    outcome = run(shared, trial_of("ood/selective-glyph-handwritten", "msp"))
    odds = outcome.evidence["shift_scores"]

    # The score of msp is the log-odds against the prediction.
    np.testing.assert_allclose(outcome.evidence["shift_confidences"], 1 / (1 + np.exp(odds)))


@pytest.mark.parametrize(
    ("task", "baseline", "reason"),
    [
        ("ood/toy-hole", "logitnorm", "the task's classifier is 'softmax', given"),
        ("ood/openood15-imagenet1k-ninco", "pod-ft", "the task's classifier is 'resnet50', given"),
        ("ood/digits8-6789", "oe", "trains with outliers, of which the task offers none"),
        ("ood/digits8-6789", "dcm-energy", "unlabelled images, of which the task offers none"),
        ("ood/glyph-photos", "dcm-energy", "unlabelled images, of which the task offers none"),
    ],
)
def test_a_method_does_not_fit_where_it_has_nothing_to_train_on(
    task: str, baseline: str, reason: str
) -> None:
    spec = REGISTRY.tasks[task]
    found = SUITE.misfit(spec, REGISTRY.baselines[f"ood/{baseline}"])

    assert found is not None
    assert reason in found
    assert SUITE.misfit(spec, REGISTRY.baselines["ood/msp"]) is None


def test_the_threshold_in_the_notes_keeps_95_percent_of_validation(shared: Path) -> None:
    outcome = run(shared, trial_of("ood/digits8-6789", "knn"))

    kept = outcome.evidence["id_val_scores"] <= outcome.notes["threshold_95"]
    assert kept.mean() == 0.95


def test_a_repeated_trial_gives_the_same_bytes_whatever_ran_before(tmp_path: Path) -> None:
    trial = trial_of("ood/digits8-6789", "vim")
    run(tmp_path / "b", trial_of("ood/digits8-6789", "odin"))
    first, second = run(tmp_path / "a", trial), run(tmp_path / "b", trial)

    assert pack(first.evidence) == pack(second.evidence)
    assert first.notes == second.notes


def test_another_seed_gives_another_classifier(shared: Path) -> None:
    one = run(shared, trial_of("ood/digits8-6789", "msp", seed=0))
    two = run(shared, trial_of("ood/digits8-6789", "msp", seed=1))

    assert not np.array_equal(one.evidence["ood_scores"], two.evidence["ood_scores"])
    assert np.array_equal(one.evidence["id_test_labels"], two.evidence["id_test_labels"])


def test_id_scores_are_the_same_against_every_out_of_distribution_set(shared: Path) -> None:
    one = run(shared, trial_of("ood/glyph-gaussian", "mahalanobis"))
    two = run(shared, trial_of("ood/glyph-inverted", "mahalanobis"))

    for name in evidence_names("pair"):
        same = np.array_equal(one.evidence[name], two.evidence[name])
        assert same is (name != "ood_scores")


def test_detectors_and_sets_share_one_classifier_and_one_pass_over_each_set(
    tmp_path: Path,
) -> None:
    for task in ("ood/glyph-gaussian", "ood/glyph-inverted"):
        for baseline in ("msp", "knn", "pod"):
            run(tmp_path, trial_of(task, baseline))

    assert len(list((tmp_path / "assets/ood-classifier").glob("*/asset.json"))) == 1
    assert len(list((tmp_path / "assets/ood-features").glob("*/asset.json"))) == 5


def test_affinity_joins_trials_on_one_classifier_and_parts_the_others() -> None:
    base = trial_of("ood/glyph-gaussian", "msp")
    alike = trial_of("ood/glyph-letters-upper", "knn")
    alike.task.tiers["smoke"]["n_ood"] = 70
    apart = [
        trial_of("ood/glyph-gaussian", "msp", seed=1),
        trial_of("ood/glyph6-6789", "msp"),
        replace(base, task=REGISTRY.tasks[base.task.id]),
    ]

    assert SUITE.affinity(base) == SUITE.affinity(alike)
    assert len({SUITE.affinity(trial) for trial in [base, *apart]}) == 4


def test_a_task_without_epochs_for_its_network_is_refused() -> None:
    spec = tiny("ood/digits8-6789")
    spec.tiers["smoke"]["epochs"] = 0

    with pytest.raises(ValueError, match=r"tiers.smoke.epochs: expected at least 1"):
        SUITE.check_task(spec)


def test_a_task_with_an_unknown_metric_is_refused() -> None:
    with pytest.raises(ValueError, match=r"primary: expected one of .* found 'fpr95'"):
        SUITE.check_task(replace(tiny("ood/toy-hole"), primary="fpr95"))


def test_a_task_with_an_unknown_source_is_refused() -> None:
    spec = tiny("ood/toy-hole")
    params = {**spec.params, "ood": {"source": "toy-hol"}}

    with pytest.raises(SpecError, match="toy-hol"):
        SUITE.check_task(replace(spec, params=params))


def test_registering_the_suite_imports_nothing_heavy() -> None:
    code = (
        "import sys; from rlbench.suites.ood.suite import SUITE; SUITE.views();"
        "print(*{'torch', 'sklearn', 'PIL', 'scipy', 'pandas'} & set(sys.modules))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert answer.stdout.split() == []


# -- a user's own detector ------------------------------------------------------------------------

GOOD = """
import numpy as np

class Own:
    needs = frozenset({"features"})

    def __init__(self, power=2.0):
        self.power = power

    def fit(self, train, val):
        self.mean = train.features[train.labels == 0].double().mean(0)

    def score(self, test):
        return (test.features - self.mean).abs().pow(self.power).sum(1).numpy()
"""


def own(tmp_path: Path, source: str, **params: Any) -> Trial:
    path = tmp_path / "own.py"
    path.write_text(source)
    spec = own_baseline(f"{path}:Own", "ood", [])
    return Trial(tiny("ood/toy-hole"), spec, params, params, "smoke", 0)


def test_a_users_own_class_needs_no_registration(tmp_path: Path, shared: Path) -> None:
    plain = run(shared, own(tmp_path, GOOD))
    changed = run(shared, own(tmp_path, GOOD, power=1.0))

    assert plain.evidence["ood_scores"].shape == (50,)
    assert not np.array_equal(plain.evidence["ood_scores"], changed.evidence["ood_scores"])


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("def score(", "def rate(", "Own: no method 'score'"),
        ("def fit(", "def learn(", "Own: no method 'fit'"),
        ('{"features"}', '{"pixels"}', "Own: needs: expected a non-empty set of .*'pixels'"),
        ("    needs =", "    wants =", "Own: needs: expected .* found None"),
        (".sum(1)", "", r"Own.score: expected numbers \(60,\)|\(40,\), found float64"),
        (".sum(1).numpy()", ".sum(1).numpy() * np.nan", "Own.score: 40 of 40 scores are NaN"),
        ("train.labels", "train.logits", "Split.logits: add 'logits' to the detector's needs"),
        ("test.features -", "test.labels -", "Split.labels: kept from a detector"),
    ],
)
def test_a_class_that_is_no_detector_gives_one_clear_line(
    tmp_path: Path, shared: Path, old: str, new: str, line: str
) -> None:
    assert old in GOOD

    with pytest.raises(UsageError, match=line) as caught:
        run(shared, own(tmp_path, GOOD.replace(old, new)))
    assert "\n" not in str(caught.value)


def test_a_parameter_that_the_constructor_lacks_is_named(tmp_path: Path, shared: Path) -> None:
    with pytest.raises(UsageError, match=r"Own: parameters \['powr'\] do not fit: .*'powr'"):
        run(shared, own(tmp_path, GOOD, powr=1.0))
