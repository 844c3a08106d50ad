"""Which records count: only the official seeds of a cell, each once, with finite values.

A cell that has all of them, from one recipe, is complete, and only a complete cell may be ranked.
What is missing stays missing: it is never 0 and never filled in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rlbench.core.curves import usable

Line = dict[str, Any]
"""One row of the frame as plain Python."""

_CELL = ("suite", "tier", "family", "origin", "version", "source", "protocol", "row", "where")


@dataclass(frozen=True)
class Coverage:
    """What counts of one cell."""

    counted: tuple[Line, ...]
    """The record of each official seed (all seeds, in tier `custom`) that is finite, by seed."""
    complete: bool
    notes: tuple[str, ...]
    """What a reader must know of it, for a person."""


def cover(lines: Sequence[Line]) -> Coverage:
    """Judge one cell from its records (lines of the frame, one or more)."""
    official = tuple(lines[0]["official_seeds"])
    used: dict[int, Line] = {}
    notes: list[str] = []
    extra = []
    for line in lines:
        seed = int(line["seed"])
        if official and seed not in official:
            extra.append(seed)
        elif seed in used:
            notes.append(f"seed {seed} is there twice, the first counts")
        else:
            used[seed] = line
    if extra:
        notes.append(f"{_seeds(extra)} not official, left out")
    finite = [seed for seed in sorted(used) if _finite(used[seed])]
    if len(finite) < len(used):
        notes.append(f"{_seeds(sorted(set(used) - set(finite)))} without a finite value")
    recipes = Counter(used[seed]["recipe"] for seed in finite)
    if len(recipes) > 1:
        notes.append(f"mixes {len(recipes)} recipes, so it is not ranked")
    return Coverage(
        counted=tuple(used[seed] for seed in finite),
        complete=bool(official) and set(finite) == set(official) and len(recipes) == 1,
        notes=tuple(notes),
    )


def complete_marks(lines: Sequence[Line]) -> list[bool]:
    """For each record, whether it is what counts for its seed in a cell that is complete."""
    cells: dict[tuple[Any, ...], list[Line]] = {}
    for line in lines:
        cells.setdefault(tuple(line[name] for name in _CELL), []).append(line)
    judged = [cover(cell) for cell in cells.values()]
    counted = {id(line) for cell in judged if cell.complete for line in cell.counted}
    return [id(line) in counted for line in lines]


def _finite(line: Line) -> bool:
    return usable(line["value"]) and usable(line["normalised"])


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
