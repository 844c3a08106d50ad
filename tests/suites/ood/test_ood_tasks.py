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
each_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def no_files(name: str) -> DataSet:
    raise AssertionError(f"'{name}' needs no files")


def test_the_families_are_complete() -> None:
    counts = Counter(task.family for task in TASKS.values())
    assert counts == {"toy": 5, "digits8": 2, "glyph": 12, "glyph6": 2, "mnist": 4}


@each_task
def test_sources_sizes_and_atlas_fit(task: TaskSpec) -> None:
    sources.check(task)


@each_task
def test_the_card_says_what_a_reader_needs(task: TaskSpec) -> None:
    assert (task.suite, task.primary) == ("ood", "auroc")
    assert task.id == f"ood/{task.family}-{task.name.removeprefix(task.family + '-')}"
    assert task.group in {"near", "far", "shift"}
    assert len(task.card) > 100
    assert (task.reference.low.value, task.reference.high.value) == (0.5, 1.0)
    assert {"smoke", "small"} <= set(task.tiers)


def test_titles_tell_tasks_apart() -> None:
    assert len({task.title for task in TASKS.values()}) == len(TASKS)


@each_task
def test_the_set_for_choosing_hyperparameters_is_never_tested_on(task: TaskSpec) -> None:
    tested = {task_params(other).ood.source for other in TASKS.values()}
    chosen = task_params(task).val_ood
    assert chosen is None or chosen.source not in tested


@each_task
def test_data_sets_are_declared_with_licence_and_upstream(task: TaskSpec) -> None:
    for name in task.data:
        assert DATA[name].licence
        assert "http" in DATA[name].upstream
    assert bool(task.data) == (task.family == "mnist")


@pytest.mark.parametrize("tier", ["smoke", "small"])
@pytest.mark.parametrize("task", [t for t in TASKS.values() if not t.data], ids=lambda t: t.name)
def test_a_tier_gives_as_many_out_of_distribution_examples_as_it_says(
    task: TaskSpec, tier: str
) -> None:
    params, sizes = task_params(task), protocol(task, task.tiers[tier])
    found = sources.load(params.ood, "ood", sizes.n_ood, seed=0, data=no_files)
    assert len(found.x) == len(found.y) == (sizes.n_ood or len(found.x))
    assert len(found.x) >= 200


def test_digits8_uses_every_image_once_at_small() -> None:
    for name in ("digits8-6789", "digits8-0123"):
        params = task_params(TASKS[name])
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
