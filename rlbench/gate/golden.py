"""Golden cells: the same trial again gives the same evidence, bit for bit, on the same machine."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlbench.core.arrays import unpack
from rlbench.core.record import Environment, Record
from rlbench.core.store import Stored
from rlbench.gate.verdict import Judgement


def unlike(old: Record, new: Record) -> list[str]:
    """What differs between two records' platforms; only where nothing does are bits asked for.

    A package that one of them lacks was not needed there, and is not looked at.
    """
    before, after = (_platform(record.environment) for record in (old, new))
    found = [name for name, value in before.items() if after[name] != value]
    packages = old.environment.packages, new.environment.packages
    shared = packages[0].keys() & packages[1].keys()
    if any(packages[0][name] != packages[1][name] for name in shared):
        found.append("packages")
    return sorted(found)


def _platform(found: Environment) -> dict[str, object]:
    return {
        "python": ".".join(found.python.split(".")[:2]),
        "platform": found.platform,
        "cpu": found.cpu,
        "device": found.device,
        "gpu": found.gpu,
        "threads": found.threads,
    }


def judge_golden(reference: Stored, candidate: Stored, tolerance: float) -> Judgement:
    """Exact on the same platform; elsewhere every metric within `tolerance`."""
    old, new = reference.record, candidate.record
    if same_evidence(reference, candidate):
        return Judgement("equal", "the evidence is the same, bit for bit")
    name, change = _largest_change(old, new)
    numbers: dict[str, float | int | None] = {"change": change, "tolerance": tolerance}
    shown = _shown(name, change)
    other = unlike(old, new)
    if not other:
        return Judgement("differs", f"other evidence on the same platform; {shown}", numbers)
    where = f"on another platform ({', '.join(other)})"
    if change is not None and change <= tolerance:
        return Judgement("within tolerance", f"{shown}, at most {tolerance:g} {where}", numbers)
    return Judgement("differs", f"{shown}, more than {tolerance:g} {where}", numbers)


def _shown(name: str, change: float | None) -> str:
    if change is None:
        return f"{name} changed"
    return f"largest change {name} by {change:.3g}" if change else "no metric changed"


def same_evidence(reference: Stored, candidate: Stored) -> bool:
    """Whether two records have the same evidence, array by array.

    Another zlib packs equal arrays into other bytes, so unequal hashes are looked into where the
    reference's evidence is at hand.
    """
    if reference.record.evidence.sha256 == candidate.record.evidence.sha256:
        return True
    paths = [one.path.parent / one.record.evidence.file for one in (reference, candidate)]
    if not all(path.exists() for path in paths):
        return False
    old, new = map(unpack, paths)
    return old.keys() == new.keys() and all(_same(old[name], new[name]) for name in old)


def _same(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> bool:
    same_form = x.dtype == y.dtype and x.shape == y.shape
    return same_form and x.tobytes() == y.tobytes()


def _largest_change(old: Record, new: Record) -> tuple[str, float | None]:
    """The metric that moved most, in units of max(1, |reference|); None when it cannot be told."""
    if old.metrics.keys() != new.metrics.keys():
        return "the set of metrics", None
    worst: tuple[str, float] = ("", 0.0)
    for name, before in old.metrics.items():
        after = new.metrics[name]
        if before is None or after is None:
            if old.nonfinite.get(name) != new.nonfinite.get(name):
                return name, None
            continue
        worst = max(worst, (name, abs(after - before) / max(1.0, abs(before))), key=lambda w: w[1])
    return worst
