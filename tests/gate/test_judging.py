"""From samples to a verdict: what is a regression, what is not known, what is confirmed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rlbench.core.errors import ExitCode
from rlbench.core.store import FAILURE_SCHEMA, Failure
from rlbench.gate.judging import Case, to_confirm, verdict_of
from rlbench.gate.sample import Sample

SAME = [0.49, 0.495, 0.5, 0.505, 0.51]
WORSE = [value - 0.05 for value in SAME]


def failed(seed: int, kind: str) -> Sample:
    return Sample((seed,), {}, {seed: Failure(FAILURE_SCHEMA, "i", "l", kind, "why", 1, [])})


def finding(case: Case) -> tuple[str, str]:
    [cell] = verdict_of([case]).cells
    return cell.judgement.finding, cell.judgement.status


def test_only_flagged_cells_are_confirmed(case: Any, sample: Any) -> None:
    fine, fell = case(sample(SAME, 100)), case(sample(WORSE, 100))

    assert to_confirm([fine]) == []
    assert to_confirm([fell]) == [fell]


def test_a_drop_on_both_sets_of_seeds_is_a_regression(case: Any, sample: Any) -> None:
    verdict = verdict_of([case(sample(WORSE, 100), sample(WORSE, 200))])

    assert verdict.status == "regression"
    assert verdict.exit_code == ExitCode.NEGATIVE


def test_a_drop_that_fresh_seeds_do_not_show_passes(case: Any, sample: Any) -> None:
    verdict = verdict_of([case(sample(WORSE, 100), sample(SAME, 200))])

    assert verdict.cells[0].judgement.finding == "drop not confirmed"
    assert verdict.exit_code == ExitCode.OK


@pytest.mark.parametrize("kind", ["error", "crash", "timeout", "out-of-memory"])
def test_a_trial_that_fails_where_the_reference_did_not_is_a_regression(
    case: Any, kind: str
) -> None:
    assert finding(case(failed(100, kind))) == ("failed", "regression")


@pytest.mark.parametrize("kind", ["missing", "disk-full"])
def test_a_machine_without_data_or_space_is_inconclusive(case: Any, kind: str) -> None:
    found = verdict_of([case(failed(100, kind))])

    assert found.cells[0].judgement.status == "inconclusive"
    assert found.exit_code == ExitCode.OK
    assert found.status == "inconclusive"


def test_a_crash_of_the_confirmation_is_a_regression_too(case: Any, sample: Any) -> None:
    assert finding(case(sample(SAME, 100), failed(200, "crash"))) == ("failed", "regression")


def test_a_metric_that_is_no_number_any_more_is_a_regression(case: Any, sample: Any) -> None:
    assert finding(case(sample([*SAME[:4], None], 100))) == ("not finite", "regression")


def test_without_a_whole_reference_nothing_is_judged_and_nothing_is_run(
    case: Any, sample: Any
) -> None:
    part = case(sample(WORSE, 100))
    part.reference = replace(part.reference, seeds=(*part.reference.seeds, 10))
    none = replace(part, reference=Sample(part.reference.seeds, {}, {}))

    for lacking in (part, none):
        assert finding(lacking) == ("no reference", "inconclusive")
        assert not lacking.runnable
    assert "lacks seeds 10" in verdict_of([part]).cells[0].judgement.detail


def test_a_reference_from_two_sources_judges_nothing(case: Any, sample: Any, stored: Any) -> None:
    mixed = case(sample(WORSE, 100))
    odd = stored(9, 0.5, source="1" * 64)
    mixed.reference = replace(mixed.reference, stored={**mixed.reference.stored, 9: odd})

    assert finding(mixed) == ("no reference", "inconclusive")


def test_a_changed_task_is_another_question_and_a_changed_recipe_is_not(
    case: Any, sample: Any
) -> None:
    asked = case(sample(WORSE, 100), sample(WORSE, 200))
    longer = replace(asked.trial.task, params={"length": 9})
    recipe = replace(asked.trial, params={"steps": 7})

    assert finding(replace(asked, trial=replace(asked.trial, task=longer))) == (
        "other task",
        "inconclusive",
    )
    found = verdict_of([replace(asked, trial=recipe)])
    assert found.status == "regression"
    assert "steps 2000 -> 7" in found.cells[0].notices[0]


def test_where_lower_is_better_a_rise_is_the_regression(case: Any, sample: Any) -> None:
    lower = {"primary": {"direction": "lower", "low": 1.0, "high": 0.0}}
    judged = case(sample(WORSE, 100, **lower))
    old = {s: replace(r, record=replace(r.record, primary=judged.candidate.records[0].primary))
           for s, r in judged.reference.stored.items()}  # fmt: skip
    judged.reference = replace(judged.reference, stored=old)
    rose = replace(judged, candidate=sample([v + 0.05 for v in SAME], 100, **lower))

    assert to_confirm([judged]) == []
    assert to_confirm([rose]) == [rose]


def test_one_blocked_cell_does_not_hide_a_regression_in_another(case: Any, sample: Any) -> None:
    blocked = replace(case(None), blocked="put the data there")
    fell = case(sample(WORSE, 100), sample(WORSE, 200))
    verdict = verdict_of([blocked, fell])

    assert [cell.judgement.status for cell in verdict.cells] == ["inconclusive", "regression"]
    assert verdict.status == "regression"


def test_a_suite_of_cells_falls_together_when_each_falls_too_little_alone(
    case: Any, sample: Any
) -> None:
    slightly = [0.5 - 0.0085 + 0.001 * i for i in range(5)]
    cases = [case(sample(slightly, 100), min_effect=0.004) for _ in range(8)]
    alone = [to_confirm([one]) for one in cases]

    assert alone == [[]] * 8
    assert to_confirm(cases) == cases
    for one in cases:
        one.fresh = sample(slightly, 200)
    verdict = verdict_of(cases)
    assert verdict.count("regression") == 0
    assert verdict.suites[0].judgement.finding == "drop"
    assert verdict.exit_code == ExitCode.NEGATIVE


def test_slower_trials_are_a_notice_on_like_hardware_only(case: Any, sample: Any) -> None:
    like = verdict_of([case(sample(SAME, 100, wall=1.5))])
    other = verdict_of([case(sample(SAME, 100, wall=1.5, environment={"cpu": "another"}))])
    hardly = verdict_of([case(sample(SAME, 100, wall=1.05))])

    assert "slower: 1.50 s a trial, reference 1.00 s (1.50 x)" in like.cells[0].notices
    assert like.exit_code == ExitCode.OK
    assert not other.cells[0].notices
    assert not hardly.cells[0].notices
