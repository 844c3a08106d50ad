"""From samples to a verdict: which cells need a second look, and what all looks come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rlbench.core.trial import Trial
from rlbench.gate.cells import GateCell
from rlbench.gate.comparable import candidate_problem, recipe_changes, reference_problem
from rlbench.gate.golden import judge_golden
from rlbench.gate.sample import Sample
from rlbench.gate.speed import slowdown
from rlbench.gate.statistical import Look, first_look, judge, second_look, suite_look
from rlbench.gate.verdict import CellVerdict, Judgement, SuiteVerdict, Verdict


@dataclass
class Case:
    """A gate cell on its way to a verdict."""

    wanted: GateCell
    trial: Trial
    """Any of its trials, for what they share."""
    reference: Sample
    blocked: str = ""
    """What is missing on this machine to run it."""
    candidate: Sample | None = None
    fresh: Sample | None = None
    """Runs of the confirmation seeds, if they were needed."""

    @property
    def runnable(self) -> bool:
        """Whether running it can lead to a comparison."""
        return not self.blocked and reference_problem(self.reference, self.trial) is None

    @property
    def min_effect(self) -> float:
        """The least drop that matters (statistical cells only)."""
        if self.wanted.min_effect is None:
            raise ValueError(f"{self.wanted.label}: not a statistical cell")
        return self.wanted.min_effect

    def problem(self, runs: Sample | None) -> Judgement | None:
        """Why its runs cannot be compared, or None."""
        if found := reference_problem(self.reference, self.trial):
            return found
        if self.blocked:
            return Judgement("not run", self.blocked)
        if runs is None:
            return Judgement("not run", "the check ended before it ran")
        return candidate_problem(self.reference, runs)


Group = tuple[str, str]
"""Suite and origin: self-made and real tasks are never averaged together."""


def to_confirm(cases: Sequence[Case]) -> list[Case]:
    """The cases whose confirmation seeds must run: flagged alone, or with their whole suite."""
    chosen = {id(case) for case in _comparable(cases) if _first(case).fell}
    for group in _groups(cases).values():
        if _suite_look(group, [case.candidate for case in group]).fell:
            chosen |= {id(case) for case in group}
    return [case for case in cases if id(case) in chosen]


def verdict_of(cases: Sequence[Case]) -> Verdict:
    """The verdict on cases whose samples, and whose confirmations where needed, are in."""
    compared = len(_comparable(cases))
    cells = tuple(_cell_verdict(case, compared) for case in cases)
    suites = tuple(_suite_verdict(name, group) for name, group in _groups(cases).items())
    return Verdict(cells, suites)


def _comparable(cases: Sequence[Case]) -> list[Case]:
    """The statistical cases with whole samples on both sides."""
    return [
        case
        for case in cases
        if case.wanted.kind == "statistical" and case.problem(case.candidate) is None
    ]


def _groups(cases: Sequence[Case]) -> dict[Group, list[Case]]:
    """The comparable cases that are judged together; a single one is judged as a cell already."""
    groups: dict[Group, list[Case]] = {}
    for case in _comparable(cases):
        groups.setdefault((case.trial.task.suite, case.trial.task.origin), []).append(case)
    return {name: group for name, group in groups.items() if len(group) > 1}


def _first(case: Case) -> Look:
    assert case.candidate is not None
    return first_look(case.reference.values, case.candidate.values, case.min_effect)


def _cell_verdict(case: Case, compared: int) -> CellVerdict:
    runs = case.candidate
    problem = case.problem(runs)
    if problem is not None or runs is None:
        judgement = problem or Judgement("not run", "no runs")
        return CellVerdict(case.wanted.label, case.wanted.kind, judgement)
    notices = recipe_changes(case.reference, case.trial)
    if case.wanted.tolerance is not None:
        [seed] = runs.seeds
        judgement = judge_golden(
            case.reference.stored[seed], runs.stored[seed], case.wanted.tolerance
        )
    else:
        judgement = _statistical(case, compared)
        if (slower := slowdown(case.reference, runs)) is not None:
            notices.append(slower)
    seconds = float(np.nansum(runs.seconds))
    if case.fresh is not None:
        seconds += float(np.nansum(case.fresh.seconds))
    return CellVerdict(case.wanted.label, case.wanted.kind, judgement, seconds, tuple(notices))


def _statistical(case: Case, compared: int) -> Judgement:
    first, second = _first(case), None
    if case.fresh is not None:
        if problem := candidate_problem(case.reference, case.fresh):
            return problem
        second = second_look(
            case.reference.values, case.fresh.values, case.min_effect, cells=compared
        )
    primary = case.reference.records[0].primary
    turned = "" if primary.direction == "higher" else " (turned round)"
    return judge(first, second, f"{primary.name}{turned}")


def _suite_verdict(name: Group, group: Sequence[Case]) -> SuiteVerdict:
    first, second = _suite_look(group, [case.candidate for case in group]), None
    confirmed = [case.fresh for case in group]
    whole = all(
        fresh is not None and candidate_problem(case.reference, fresh) is None
        for case, fresh in zip(group, confirmed, strict=True)
    )
    if first.fell and whole:
        second = _suite_look(group, confirmed)
    return SuiteVerdict(*name, len(group), judge(first, second, "IQM of normalised scores"))


def _suite_look(group: Sequence[Case], runs: Sequence[Sample | None]) -> Look:
    reference = np.stack([case.reference.normalised for case in group], axis=1)
    new = np.stack([sample.normalised for sample in runs if sample is not None], axis=1)
    spans = [abs(p.high - p.low) for p in (c.reference.records[0].primary for c in group)]
    effects = [case.min_effect / span for case, span in zip(group, spans, strict=True)]
    return suite_look(reference, new, float(np.mean(effects)))
