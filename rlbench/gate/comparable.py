"""Whether two samples can be compared at all, and if not, whose fault that is."""

from __future__ import annotations

from rlbench.core.trial import Trial
from rlbench.gate.sample import Sample
from rlbench.gate.verdict import Judgement

NOT_THE_CODE = ("missing", "disk-full")
"""Kinds of failure that say something about the machine and nothing about the candidate."""


def reference_problem(reference: Sample, trial: Trial) -> Judgement | None:
    """Why a reference cannot judge `trial`'s cell, or None; looked at before anything runs."""
    if not reference.records:
        return Judgement("no reference", "no reference records; --accept makes them")
    if reference.missing:
        lacks = ", ".join(map(str, reference.missing))
        return Judgement("no reference", f"the reference lacks seeds {lacks}; --accept makes them")
    if len({record.source for record in reference.records}) > 1:
        return Judgement("no reference", "the reference mixes sources; --accept makes it anew")
    if reference.nonfinite:
        return Judgement("no reference", f"not finite in the reference: {reference.nonfinite}")
    for record in reference.records:
        same_spec = record.task.spec_sha256 == trial.task.sha256
        if not same_spec or record.protocol != dict(trial.protocol):
            return Judgement(
                "other task", "the task's spec changed since the reference; --accept renews it"
            )
    return None


def candidate_problem(reference: Sample, candidate: Sample) -> Judgement | None:
    """Why fresh runs cannot be compared with a good reference, or None."""
    for seed, failure in candidate.failures.items():
        if failure.kind not in NOT_THE_CODE:
            told = f"seed {seed} failed ({failure.kind}), the reference did not: {failure.error}"
            return Judgement("failed", told)
    for seed, failure in candidate.failures.items():
        return Judgement("not run", f"seed {seed}: {failure.error}")
    if candidate.missing:
        return Judgement("not run", f"no record of seeds {', '.join(map(str, candidate.missing))}")
    old, new = reference.records[0], candidate.records[0]
    if {item.name: item.sha256 for item in old.data} != {i.name: i.sha256 for i in new.data}:
        return Judgement("other task", "other data than the reference's")
    if old.primary != new.primary:
        return Judgement("other task", "the primary metric changed since the reference")
    if candidate.nonfinite:
        seeds = ", ".join(map(str, candidate.nonfinite))
        return Judgement("not finite", f"{new.primary.name} is not finite for seeds {seeds}")
    return None


def recipe_changes(reference: Sample, trial: Trial) -> list[str]:
    """A notice when the baseline's resolved parameters are not the reference's.

    They are compared all the same: a worse default is a regression like any other.
    """
    old, new = reference.records[0].baseline.params, dict(trial.params)
    changed = [
        f"{name} {old.get(name, 'absent')} -> {new.get(name, 'absent')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    return [f"the recipe changed since the reference: {', '.join(changed)}"] if changed else []
