"""A trial: task x baseline x variant x tier x seed, and the hash that says what was asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from rlbench.core.errors import UsageError, closest
from rlbench.core.files import canonical, digest
from rlbench.core.spec import BaselineSpec, TaskSpec

IDENTITY_VERSION = 1
"""Raised, never reused, when the meaning of the identity changes (golden test)."""

MAX_VARIANT = 48
VARIANT = re.compile(rf"[A-Za-z0-9._=,-]{{0,{MAX_VARIANT + 9}}}")
"""What the name of a variant may be: readable up to a length, then a dash and eight digits."""
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Cell:
    """A place in a table: the trials of one task, baseline, variant and tier, over seeds."""

    suite: str
    task: str
    version: int
    baseline: str
    variant: str
    tier: str

    @property
    def row(self) -> str:
        """The baseline with its variant, as tables and folders name it."""
        return f"{self.baseline}+{self.variant}" if self.variant else self.baseline


@dataclass(frozen=True)
class Trial:
    """The unit of work, of resume and of failure."""

    task: TaskSpec
    baseline: BaselineSpec
    params: Mapping[str, Any]
    """Every hyperparameter, resolved."""
    overrides: Mapping[str, Any]
    """What the user changed, as given."""
    base_tier: str
    """The tier that was asked for; `tier` is `custom` when a budget was overridden."""
    seed: int
    algorithm_sha256: str | None = None
    """Source hash of an algorithm that lives outside the suite's own package."""

    @property
    def tier(self) -> str:
        """The tier as shown: `custom` when an override changed the budget."""
        budget = any(n in self.overrides and p.budget for n, p in self.baseline.params.items())
        return "custom" if budget else self.base_tier

    @property
    def protocol(self) -> Mapping[str, Any]:
        """The task's settings at the tier that was asked for."""
        return self.task.tiers[self.base_tier]

    @property
    def variant(self) -> str:
        """The recipe's variant and what was overridden; empty for the default recipe itself.

        Only the recipe's variant comes first and has no `=`.
        """
        words = [self.baseline.variant] if self.baseline.variant else []
        words += [f"{name}={value}" for name, value in sorted(self.overrides.items())]
        if self.tier != self.base_tier:
            words.append(f"from-{self.base_tier}")
        text = ",".join(words)
        safe = re.sub(r"[^A-Za-z0-9._=,-]", "-", text)
        if safe == text and len(text) <= MAX_VARIANT and all(map(_tells, self.overrides.values())):
            return text
        return f"{safe[:MAX_VARIANT]}-{digest([text, dict(self.overrides)])[:8]}"

    @property
    def cell(self) -> Cell:
        """The cell that this trial is one seed of."""
        return Cell(
            self.task.suite,
            self.task.name,
            self.task.version,
            self.baseline.name,
            self.variant,
            self.tier,
        )

    @property
    def label(self) -> str:
        """One line for a person."""
        return f"{self.task.id} {self.cell.row} {self.tier} seed {self.seed}"

    @cached_property
    def asked(self) -> dict[str, Any]:
        """Everything that decides the result, in plain JSON; paths and devices do not."""
        return {
            "identity_version": IDENTITY_VERSION,
            "task": {
                "id": self.task.id,
                "version": self.task.version,
                "spec_sha256": self.task.sha256,
            },
            "baseline": {
                "id": self.baseline.method,
                "version": self.baseline.version,
                "algorithm": self.baseline.algorithm.rpartition(":")[2],
                "params": dict(self.params),
                "algorithm_sha256": self.algorithm_sha256,
            },
            "seed": self.seed,
            "tier": self.tier,
            "protocol": dict(self.protocol),
        }

    @cached_property
    def identity(self) -> str:
        """sha256 (hex) of `asked`."""
        return digest(self.asked)


def _tells(value: Any) -> bool:
    """Whether a value's text stands for no other value: the number 1 and the text '1' share one."""
    if not isinstance(value, str):
        return True
    return bool(_WORD.fullmatch(value)) and value not in ("True", "False", "None")


def resolve_params(
    task: TaskSpec, baseline: BaselineSpec, tier: str, overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """A baseline's hyperparameters on a task: recipe, then tier, then task family, then the user.

    Raises:
        UsageError: an override names no parameter or does not fit it.
    """
    params = {name: param.value for name, param in baseline.params.items()}
    params |= baseline.tiers.get(tier, {})
    for item in baseline.overrides:
        if fnmatchcase(task.id, item.tasks):
            params |= item.params
    for name, value in overrides.items():
        if baseline.own:
            params[name] = value
            continue
        if name not in baseline.params:
            known = ", ".join(sorted(baseline.params)) or "none"
            hint = closest(name, baseline.params)
            raise UsageError(f"{baseline.id} has no parameter '{name}'{hint} (known: {known})")
        try:
            params[name] = baseline.params[name].check(name, value)
        except ValueError as error:
            raise UsageError(f"{baseline.id}: {error}") from error
    try:
        canonical(params)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{baseline.id}: expected plain finite values: {error}") from error
    return params
