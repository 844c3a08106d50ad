"""The JUnit file is XML whatever a trial printed, and counts what the verdict counts."""

from __future__ import annotations

from typing import get_args
from xml.etree import ElementTree as Xml

from hypothesis import given
from hypothesis import strategies as st

from rlbench.gate.junit import junit_xml
from rlbench.gate.verdict import CellVerdict, Finding, Judgement, SuiteVerdict, Verdict

judgements = st.builds(
    Judgement,
    finding=st.sampled_from(get_args(Finding)),
    detail=st.text(),
    numbers=st.dictionaries(st.sampled_from(["drop", "p"]), st.floats(0, 1)),
)
cells = st.builds(
    CellVerdict,
    cell=st.text(),
    kind=st.just("statistical"),
    judgement=judgements,
    seconds=st.floats(0, 1e4),
    notices=st.lists(st.text()).map(tuple),
)
suites = st.builds(
    SuiteVerdict,
    suite=st.text(),
    origin=st.just("real"),
    cells=st.just(2),
    judgement=judgements,
)


@given(st.builds(Verdict, st.lists(cells).map(tuple), st.lists(suites).map(tuple)))
def test_any_verdict_is_valid_xml_with_its_own_counts(verdict: Verdict) -> None:
    root = Xml.fromstring(junit_xml(verdict))
    cases = root.findall("./testsuite/testcase")
    every = [one.judgement.status for one in (*verdict.cells, *verdict.suites)]  # type: ignore[attr-defined]

    assert len(cases) == int(root.attrib["tests"]) == len(every)
    assert len(root.findall(".//failure")) == int(root.attrib["failures"])
    assert int(root.attrib["failures"]) == every.count("regression")
    assert len(root.findall(".//skipped")) == every.count("inconclusive")


def test_a_failure_shows_the_numbers_and_a_trials_text_stays_text() -> None:
    detail = "auroc fell <b>&\x00\x1b[0m ]]>"
    judgement = Judgement("drop", detail, {"p": 0.001, "drop": 0.25})
    root = Xml.fromstring(junit_xml(Verdict((CellVerdict("a b", "statistical", judgement),))))
    [failure] = root.findall(".//failure")

    assert failure.attrib["type"] == "drop"
    assert "<b>&\ufffd\ufffd[0m ]]>" in failure.attrib["message"]
    assert failure.text is not None
    assert "drop = 0.25" in failure.text
    assert list(failure) == []
