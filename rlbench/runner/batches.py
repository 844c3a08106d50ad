"""A plan cut into batches: the trials that one worker runs one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rlbench.core.registry import Registry
from rlbench.runner.plan import Item

BATCHES_PER_SLOT = 4
"""Enough that the last ones end at about the same time."""


@dataclass
class Batch:
    """Trials for one worker, and whether they must have the machine to themselves."""

    items: list[Item]
    alone: bool = False

    @property
    def expected_seconds(self) -> float:
        """Sum over its trials."""
        return sum(item.expected_seconds for item in self.items)


def make_batches(items: Sequence[Item], jobs: int, registry: Registry) -> list[Batch]:
    """Cut items into batches for one worker each, the longest first.

    Trials of one affinity share assets and stay together, unless that would leave slots idle; small
    groups of one suite are put together, because starting a worker costs an import of torch.
    """
    groups: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        suite = registry.suite(item.trial.task.suite)
        groups.setdefault((suite.name, suite.affinity(item.trial)), []).append(item)
    few = len(groups) < 2 * jobs
    most = max(1, -(-len(items) // (2 * jobs))) if few else len(items)
    enough = sum(item.expected_seconds for item in items) / (BATCHES_PER_SLOT * jobs)
    open_batches: dict[str, Batch] = {}
    batches = []
    for (suite_name, _), group in groups.items():
        for start in range(0, len(group), most):
            batch = open_batches.setdefault(suite_name, Batch([]))
            batch.items += group[start : start + most]
            if few or batch.expected_seconds >= enough:
                batches.append(open_batches.pop(suite_name))
    batches += open_batches.values()
    return sorted(batches, key=lambda batch: -batch.expected_seconds)
