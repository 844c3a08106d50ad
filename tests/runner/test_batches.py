"""How a plan is cut into batches."""

from __future__ import annotations

from bench import Bench

from rlbench.core.registry import Registry
from rlbench.runner.batches import Batch, make_batches
from rlbench.runner.plan import Wish
from rlbench.runner.sweep import plan_sweep


def batches(bench: Bench, seeds: int, jobs: int) -> list[Batch]:
    wish = Wish("walk/*", "chance,q-learning", "smoke", tuple(range(seeds)))
    return make_batches(plan_sweep(wish, bench.results).items, jobs, Registry.load())


def sizes(found: list[Batch]) -> list[int]:
    return [len(batch.items) for batch in found]


def test_every_trial_is_in_exactly_one_batch(bench: Bench) -> None:
    for seeds in (1, 2, 7, 40):
        for jobs in (1, 2, 5):
            found = batches(bench, seeds, jobs)
            labels = [item.trial.label for batch in found for item in batch.items]
            assert len(labels) == len(set(labels)) == 4 * seeds


def test_many_small_groups_share_workers(bench: Bench) -> None:
    assert len(batches(bench, 40, jobs=2)) == 8


def test_few_large_groups_are_cut_so_that_no_slot_is_idle(bench: Bench) -> None:
    assert len(batches(bench, 1, jobs=4)) >= 4


def test_trials_that_share_assets_stay_together(bench: Bench) -> None:
    for batch in batches(bench, 40, jobs=2):
        groups = [(item.trial.task.name, item.trial.seed) for item in batch.items]
        assert all(groups.count(group) == 2 for group in groups)


def test_the_longest_batch_comes_first(bench: Bench) -> None:
    found = [batch.expected_seconds for batch in batches(bench, 7, jobs=2)]
    assert found == sorted(found, reverse=True)
