"""Which cells the gate holds: the typed form of `tasks/gate.toml`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from rlbench.core.decode import decode
from rlbench.core.errors import SpecError, UsageError
from rlbench.core.spec import TIERS, Tier, read_toml

Kind = Literal["golden", "statistical"]
MAX_CELLS = 40
"""Of one file: false alarms are measured up to this many (docs/regression-gate.md)."""


@dataclass(frozen=True)
class GateCell:
    """One cell that the gate holds, and what counts as a change in it."""

    task: str
    baseline: str
    tier: Tier
    kind: Kind
    min_effect: float | None = None
    """Statistical cells: the least drop of the primary metric, in its unit, that matters."""
    tolerance: float | None = None
    """Golden cells on another kind of machine: how far any metric may be from the reference's,
    absolute up to 1 and relative above."""
    params: dict[str, Any] = field(default_factory=dict)
    """Overrides of the baseline's parameters."""

    def __post_init__(self) -> None:
        if self.tier not in TIERS:
            raise ValueError(f"tier: expected one of {', '.join(TIERS)}, found '{self.tier}'")
        needed, other = ("tolerance", "min_effect")
        if self.kind == "statistical":
            needed, other = other, needed
        value = getattr(self, needed)
        if value is None or not (math.isfinite(value) and value > 0):
            raise ValueError(f"{needed}: a {self.kind} cell needs a number above 0, found {value}")
        if getattr(self, other) is not None:
            raise ValueError(f"{other}: a {self.kind} cell has no use for it")

    @property
    def label(self) -> str:
        """One line for a person, also what `--cells` is matched against."""
        params = "".join(f" {name}={value}" for name, value in sorted(self.params.items()))
        return f"{self.task} {self.baseline}{params} {self.tier} {self.kind}"


@dataclass(frozen=True)
class _GateFile:
    cells: tuple[GateCell, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.cells) <= MAX_CELLS:
            raise ValueError(f"cells: expected 1 to {MAX_CELLS}, found {len(self.cells)}")


def read_gate(paths: Iterable[Path]) -> tuple[GateCell, ...]:
    """The cells that the gate files declare together.

    Raises:
        SpecError: a file is malformed or has too many cells, or a cell stands twice.
    """
    homes: dict[str, Path] = {}
    cells: list[GateCell] = []
    for path in paths:
        for cell in decode(_GateFile, read_toml(path), path).cells:
            if cell.label in homes:
                raise SpecError(f"{path}: '{cell.label}' stands already in {homes[cell.label]}")
            homes[cell.label] = path
            cells.append(cell)
    return tuple(cells)


def select(cells: Sequence[GateCell], patterns: str) -> tuple[GateCell, ...]:
    """The cells whose label, or its first words, match a glob of a comma-separated list.

    Raises:
        UsageError: a glob matches nothing.
    """
    chosen: set[int] = set()
    for pattern in filter(None, (word.strip() for word in patterns.split(","))):
        found = {i for i, cell in enumerate(cells) if _matches(cell, pattern)}
        if not found:
            raise UsageError(f"--cells: nothing in the gate matches '{pattern}'")
        chosen |= found
    if not chosen:
        raise UsageError("--cells: no cell named")
    return tuple(cells[i] for i in sorted(chosen))


def _matches(cell: GateCell, pattern: str) -> bool:
    words = cell.label.split(" ")
    heads = (" ".join(words[:count]) for count in range(1, len(words) + 1))
    return any(fnmatchcase(head, pattern) for head in heads)
