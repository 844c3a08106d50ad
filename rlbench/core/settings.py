"""What a task and its tiers say in a suite's own words: their tables as the suite's dataclasses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from rlbench.core.decode import decode
from rlbench.core.spec import TaskSpec

T = TypeVar("T")


def decode_params(cls: type[T], task: TaskSpec) -> T:
    """The `params` of a task as dataclass `cls`.

    Raises:
        SpecError: a key is unknown, missing or ill-typed; names the file and the key.
    """
    return decode(cls, task.params, where(task), key="params")


def decode_tier(cls: type[T], task: TaskSpec, tier_table: Mapping[str, Any]) -> T:
    """One of the task's tiers as dataclass `cls` (`tier_table` is `trial.protocol`).

    Raises:
        SpecError: a key is unknown, missing or ill-typed; names the file and the key.
    """
    names = (name for name, table in task.tiers.items() if table == tier_table)
    return decode(cls, tier_table, where(task), key=f"tiers.{next(names, 'custom')}")


def where(task: TaskSpec) -> str:
    """The file and the task, for error messages."""
    return f"{task.file or 'task'} ({task.id})"
