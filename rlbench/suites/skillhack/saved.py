"""Trained students, kept: found again by the record of their trial, or by their asset's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from torch import nn

from rlbench.core.errors import CorruptError
from rlbench.core.kept import find_kept
from rlbench.learn.weights import load_arrays, to_arrays
from rlbench.suites.skillhack.network import NetworkKind, Policy

if TYPE_CHECKING:
    from rlbench.core.context import Context

KIND = "skillhack-student"


@dataclass(frozen=True, eq=False)
class Student:
    """What a trial has learnt."""

    policy: Policy
    """Frozen, on the CPU; of frozen options it chooses the expert, not the action."""
    task: str
    """The id of the task that it has learnt."""


def keep_student(policy: Policy, network: NetworkKind, ctx: Context) -> str:
    """Store a trial's policy as an asset; its key."""
    about = {
        "trial": ctx.trial.identity,
        "task": ctx.trial.task.id,
        "network": network,
        "choices": policy.policy.out_features,
        "memory": "none" if policy.memory is None else "lstm",
        "extra": {name: _outputs(head) for name, head in policy.extra.items()},
    }
    return ctx.asset(KIND, about, lambda: to_arrays(policy), seed=ctx.trial.seed).key


def _outputs(head: nn.Module) -> int:
    assert isinstance(head, nn.Linear)
    return head.out_features


def load_student(path: Path) -> Student:
    """A trained student.

    Args:
        path: a record of this suite (`seed-0.json`), or the folder of an asset of kind
            `skillhack-student`.

    Raises:
        UsageError: neither of them, or a trial without training.
        MissingError: the record's student is not in the cache.
        CorruptError: the asset does not fit together.
    """
    kept = find_kept(path, "skillhack", KIND)
    try:
        params = kept.about["params"]
        if params["network"] not in get_args(NetworkKind):
            raise ValueError(f"network '{params['network']}'")
        choices, extra = int(params["choices"]), {k: int(n) for k, n in params["extra"].items()}
        policy = Policy(params["network"], choices, memory=params["memory"], extra=extra)
        arrays = kept.arrays(policy.state_dict())
        student = Student(policy.requires_grad_(False), str(params["task"]))
    except (AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        raise CorruptError(f"{kept.folder}: not a whole student: {error}") from error
    load_arrays(policy, arrays)
    return student
