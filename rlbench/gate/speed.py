"""Throughput, compared only on like hardware; a notice, never a failure.

A shared runner's neighbours slow a trial down as easily as a commit does, so a slow-down is shown
to a person and left to them.
"""

from __future__ import annotations

import numpy as np

from rlbench.core.record import Record
from rlbench.core.stats import Array, mean, permutation_test
from rlbench.gate.sample import Sample

LEAST_RATIO = 1.10
ALPHA = 0.01
LEAST_SECONDS = 0.1
"""Shorter trials are mostly the operating system's business."""
PERMUTATIONS = 2_000


def hardware_key(record: Record) -> tuple[str, str, str | None, int]:
    """What must agree before seconds are compared."""
    found = record.environment
    return found.cpu, found.device, found.gpu, found.threads


def slowdown(reference: Sample, candidate: Sample) -> str | None:
    """A notice when trials take longer than the reference's, or None.

    Longer is: the median by 10 % or more, and Mann-Whitney's rank test below 1 %, its p value by
    permutation.
    """
    keys = {hardware_key(record) for record in (*reference.records, *candidate.records)}
    before, after = reference.seconds, candidate.seconds
    if len(keys) > 1 or not (np.isfinite(before).all() and np.isfinite(after).all()):
        return None
    old, new = float(np.median(before)), float(np.median(after))
    if old < LEAST_SECONDS or new < LEAST_RATIO * old:
        return None
    if rank_test(before, after) >= ALPHA:
        return None
    return f"slower: {new:.2f} s a trial, reference {old:.2f} s ({new / old:.2f} x)"


def rank_test(reference: Array, candidate: Array) -> float:
    """One-sided p value of Mann-Whitney's test that the candidate's values are larger."""
    pooled = np.concatenate([reference, candidate])
    ordered = np.sort(pooled)
    ranks = np.searchsorted(ordered, pooled, "left") + np.searchsorted(ordered, pooled, "right")
    old, new = ranks[: len(reference), None], ranks[len(reference) :, None]
    return permutation_test(new, old, mean, alternative="greater", reps=PERMUTATIONS).p
