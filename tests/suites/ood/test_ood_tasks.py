"""The declared tasks of the suite: each one decodes, fits and can be built."""

from __future__ import annotations

from collections import Counter

import pytest

from rlbench.core.bundled import bundled
from rlbench.core.data import DataSet, read_data_specs
from rlbench.core.files import file_digest
from rlbench.core.spec import TaskSpec, read_tasks
from rlbench.suites.ood import sources
from rlbench.suites.ood.glyph import ATLAS_SHA256
from rlbench.suites.ood.params import protocol, task_params

FOLDER = bundled("tasks") / "ood"
TASKS = {
    task.name: task
    for path in sorted(FOLDER.glob("*.toml"))
    if path.name != "data.toml"
    for task in read_tasks(path, f"ood/{path.name}")
}
DATA = read_data_specs(FOLDER / "data.toml", "ood/data.toml")
NOT_AT_HAND = {
    name
    for name, spec in DATA.items()
    if spec.folders or not all(file.sha256 for file in spec.files.values())
}
each_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def no_files(name: str) -> DataSet:
    raise AssertionError(f"'{name}' needs no files")


def test_the_families_are_complete() -> None:
    counts = Counter(task.family for task in TASKS.values())
    assert counts == {
        "toy": 5,
        "digits8": 2,
        "glyph": 12,
        "glyph6": 2,
        "lowdata-glyph": 4,
        "fs-glyph": 2,
        "selective-glyph": 1,
        "mnist": 4,
        "cifar10-jpeg": 4,
        "cifar10-jpeg-r18": 4,
        "lowdata-cifar10": 4,
        "fs-cifar10": 2,
        "selective-cifar10": 1,
        "pod16": 16,
        "dcm8": 8,
        "dcm-selective": 1,
        "openood15-cifar10": 6,
        "openood15-cifar10-fs": 6,
        "openood15-cifar100": 6,
        "openood15-imagenet200": 5,
        "openood15-imagenet200-fs": 5,
        "openood15-imagenet1k": 5,
        "openood15-imagenet1k-fs": 5,
    }


@each_task
def test_sources_sizes_and_atlas_fit(task: TaskSpec) -> None:
    sources.check(task)


@each_task
def test_the_card_says_what_a_reader_needs(task: TaskSpec) -> None:
    selective = task_params(task).kind == "selective"
    assert (task.suite, task.primary) == ("ood", "selective_auc" if selective else "auroc")
    assert task.id == f"ood/{task.family}-{task.name.removeprefix(task.family + '-')}"
    assert task.group in {"near", "far", "shift"}
    assert len(task.card) > 100
    chance = 0.0 if selective else 0.5
    assert (task.reference.low.value, task.reference.high.value) == (chance, 1.0)
    assert "smoke" in task.tiers
    assert {"small", "medium", "paper"} & set(task.tiers)
    assert ("Not run" in " ".join(task.card.split())) == bool(set(task.data) & NOT_AT_HAND)
    assert ("RECONSTRUCTED" in task.card) == (task.family == "pod16")


def test_titles_tell_tasks_apart() -> None:
    assert len({task.title for task in TASKS.values()}) == len(TASKS)


def test_sets_for_choosing_hyperparameters_and_for_training_are_never_tested_on() -> None:
    params = [task_params(task) for task in TASKS.values()]
    tested = {ref.source for one in params for ref in one.scored.values()}
    helpers = {ref.source for one in params for ref in (one.val_ood, one.outliers) if ref}
    assert len(helpers) > 5
    assert not tested & helpers


def test_a_family_asks_one_classifier_about_one_set_with_one_set_of_helpers() -> None:
    shared: dict[str, set[object]] = {}
    for task in TASKS.values():
        if task.family not in ("toy", "digits8", "glyph6", "pod16", "dcm8"):
            one = task_params(task)
            facts = (one.id, one.classifier, one.kind, one.shift, one.val_ood, one.outliers)
            shared.setdefault(task.family, set()).add(facts)
    assert {family for family, facts in shared.items() if len(facts) > 1} == set()


@each_task
def test_data_sets_are_declared_with_licence_and_upstream(task: TaskSpec) -> None:
    for name in task.data:
        assert DATA[name].licence
        assert "http" in DATA[name].upstream


OFFLINE = [task for task in TASKS.values() if not task.data and task_params(task).ood]


@pytest.mark.parametrize("tier", ["smoke", "small"])
@pytest.mark.parametrize("task", OFFLINE, ids=lambda t: t.name)
def test_a_tier_gives_as_many_out_of_distribution_examples_as_it_says(
    task: TaskSpec, tier: str
) -> None:
    ood, sizes = task_params(task).ood, protocol(task, task.tiers[tier])
    assert ood is not None
    found = sources.load(ood, "ood", sizes.n_ood, seed=0, data=no_files).whole()
    assert len(found.x) == len(found.y) == (sizes.n_ood or len(found.x))
    assert len(found.x) >= 200


def test_digits8_uses_every_image_once_at_small() -> None:
    for name in ("digits8-6789", "digits8-0123"):
        params = task_params(TASKS[name])
        assert params.ood is not None
        parts = [
            sources.load(params.id, split, 0, seed=0, data=no_files)
            for split in ("train", "val", "test")
        ]
        outside = sources.load(params.ood, "ood", 0, seed=0, data=no_files)
        assert sum(len(part.y) for part in [*parts, outside]) == 1797


def test_the_atlas_in_the_repository_is_the_pinned_one_and_small() -> None:
    path = FOLDER / "glyph_atlas.npz"
    assert file_digest(path) == ATLAS_SHA256
    assert path.stat().st_size < 2**20


def test_published_figures_are_group_means_of_openood_and_stand_once_in_their_group() -> None:
    seen = Counter(
        (task.family, task.group, one.baseline) for task in TASKS.values() for one in task.published
    )
    assert max(seen.values()) == 1
    assert len({family for family, _, _ in seen}) == 6  # all but full-spectrum CIFAR-10
    for task in TASKS.values():
        for one in task.published:
            assert one.metric == f"auroc ({task.group} mean)"
            assert 0 < one.value < 1


@pytest.mark.parametrize(
    ("task", "baseline", "value"),  # table 2 of arXiv 2306.09301
    [
        ("openood15-cifar10-cifar100", "knn", 0.9064),
        ("openood15-cifar10-mnist", "vim", 0.9348),
        ("openood15-cifar100-cifar10", "energy", 0.8091),
        ("openood15-imagenet200-inaturalist", "ash", 0.9390),
        ("openood15-imagenet1k-ssb-hard", "msp", 0.7602),
        ("openood15-imagenet1k-fs-inaturalist", "gradnorm", 0.8349),
    ],
)
def test_published_figures_are_those_of_the_paper(task: str, baseline: str, value: float) -> None:
    assert [one.value for one in TASKS[task].published if one.baseline == baseline] == [value]
