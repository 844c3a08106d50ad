"""A curriculum over time, as pictures of the levels that it chose.

Reads a record's evidence; imports no torch, and Pillow only to draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rlbench.suites.ued.draw import Picture, captioned, draw_level, sheet, stack

Arrays = Mapping[str, np.ndarray[Any, Any]]

_PARTS = ("walls", "agent", "direction", "goal")


def pictures(evidence: Arrays, mark: str, *, tile: int) -> list[Picture]:
    """The levels that evidence keeps under `mark` (`seen`, `found`), drawn; none without any."""
    if f"{mark}_walls" not in evidence:
        return []
    levels = zip(*(evidence[f"{mark}_{part}"] for part in _PARTS), strict=True)
    return [
        draw_level(walls, int(agent), int(look), int(goal), tile)
        for walls, agent, look, goal in levels
    ]


def snapshots(evidence: Arrays, *, tile: int) -> dict[int, list[Picture]]:
    """The levels that the student learnt from, by the number of its updates so far."""
    drawn = pictures(evidence, "seen", tile=tile)
    if not drawn:
        return {}
    updates = evidence["seen_update"].tolist()
    each = len(drawn) // len(updates)
    return {now: drawn[i * each : (i + 1) * each] for i, now in enumerate(updates)}


def by_rows(evidence: Arrays, *, tile: int = 8) -> Picture | None:
    """Every level of every snapshot: a row for each, under the number of updates."""
    seen = snapshots(evidence, tile=tile)
    rows = [
        captioned(sheet(levels, columns=len(levels)), f"update {now:,}")
        for now, levels in seen.items()
    ]
    return stack(rows) if rows else None


def by_columns(evidence: Arrays, *, levels: int = 3, tile: int = 5) -> Picture | None:
    """A few levels of each snapshot below one another, time going to the right."""
    seen = snapshots(evidence, tile=tile)
    if not seen:
        return None
    shown = [found[:levels] for found in seen.values()]
    line = [column[i] for i in range(len(shown[0])) for column in shown]
    return sheet(line, columns=len(shown))
