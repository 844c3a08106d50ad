"""A verdict as JUnit XML, the form that CI services draw."""

from __future__ import annotations

import re
from xml.etree import ElementTree as Xml

from rlbench.gate.verdict import Judgement, Verdict

_ILLEGAL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no way to write."""


def junit_xml(verdict: Verdict) -> bytes:
    """One test case a cell and a suite: a regression fails, what is inconclusive is skipped."""
    cases: list[tuple[str, str, Judgement, float, tuple[str, ...]]] = [
        ("rlbench.check.cells", one.cell, one.judgement, one.seconds, one.notices)
        for one in verdict.cells
    ]
    cases += [
        ("rlbench.check.suites", f"{one.suite} ({one.origin})", one.judgement, 0.0, ())
        for one in verdict.suites
    ]
    statuses = [judgement.status for _, _, judgement, _, _ in cases]
    counts = {
        "tests": str(len(cases)),
        "failures": str(statuses.count("regression")),
        "errors": "0",
        "skipped": str(statuses.count("inconclusive")),
        "time": f"{sum(seconds for *_, seconds, _ in cases):.3f}",
    }
    root = Xml.Element("testsuites", counts)
    suite = Xml.SubElement(root, "testsuite", {"name": "rlbench check", **counts})
    for group, name, judgement, seconds, notices in cases:
        where = {"classname": group, "name": _legal(name), "time": f"{seconds:.3f}"}
        _fill(Xml.SubElement(suite, "testcase", where), judgement, notices)
    Xml.indent(root)
    text: bytes = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _fill(case: Xml.Element, judgement: Judgement, notices: tuple[str, ...]) -> None:
    message = {"message": _legal(f"{judgement.finding}: {judgement.detail}")}
    numbers = "\n".join(f"{name} = {value}" for name, value in judgement.numbers.items())
    if judgement.status == "regression":
        failure = Xml.SubElement(case, "failure", {**message, "type": judgement.finding})
        failure.text = _legal(f"{judgement.detail}\n{numbers}".rstrip())
    elif judgement.status == "inconclusive":
        Xml.SubElement(case, "skipped", message)
    said = "\n".join([judgement.detail, *notices])
    Xml.SubElement(case, "system-out").text = _legal(said)


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)
