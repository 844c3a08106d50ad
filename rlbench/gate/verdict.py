"""What a check found, cell by cell and suite by suite, and the exit code that follows."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rlbench.core.errors import ExitCode

Status = Literal["pass", "regression", "inconclusive"]
ORDER: tuple[Status, ...] = ("regression", "inconclusive", "pass")
"""Worst news first."""

Finding = Literal[
    "equal",
    "within tolerance",
    "differs",
    "no drop",
    "drop not confirmed",
    "drop",
    "failed",
    "not finite",
    "no reference",
    "other task",
    "not run",
]
"""The case behind a status, in a word or two."""

STATUS: dict[Finding, Status] = {
    "equal": "pass",
    "within tolerance": "pass",
    "differs": "regression",
    "no drop": "pass",
    "drop not confirmed": "pass",
    "drop": "regression",
    # The reference ran, the candidate did not: worse than any number.
    "failed": "regression",
    "not finite": "regression",
    "no reference": "inconclusive",
    "other task": "inconclusive",
    "not run": "inconclusive",
}


@dataclass(frozen=True)
class Judgement:
    """A finding with its reason in one line and the numbers behind it."""

    finding: Finding
    detail: str
    numbers: dict[str, float | int | None] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        """What the finding means for the check."""
        return STATUS[self.finding]


@dataclass(frozen=True)
class CellVerdict:
    """A gate cell's result."""

    cell: str
    """Its label."""
    kind: str
    judgement: Judgement
    seconds: float = 0.0
    """Wall time of its fresh trials."""
    notices: tuple[str, ...] = ()
    """What a reader should know and what never fails a check."""


@dataclass(frozen=True)
class SuiteVerdict:
    """The result of all statistical cells of a suite with one origin, taken together."""

    suite: str
    origin: str
    cells: int
    judgement: Judgement


@dataclass(frozen=True)
class Verdict:
    """Everything a check found."""

    cells: tuple[CellVerdict, ...]
    suites: tuple[SuiteVerdict, ...] = ()

    def count(self, status: Status) -> int:
        """How many cells have a status."""
        return sum(cell.judgement.status == status for cell in self.cells)

    @property
    def status(self) -> Status:
        """Regression if anything regressed; inconclusive only when nothing could be compared."""
        judged = [cell.judgement.status for cell in self.cells]
        judged += [suite.judgement.status for suite in self.suites]
        if "regression" in judged:
            return "regression"
        return "pass" if "pass" in judged else "inconclusive"

    @property
    def exit_code(self) -> ExitCode:
        """1 for a regression; 0 otherwise: what could not be compared is no regression."""
        return ExitCode.NEGATIVE if self.status == "regression" else ExitCode.OK

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "status": self.status,
            "cells": [_plain(asdict(cell), cell.judgement.status) for cell in self.cells],
            "suites": [_plain(asdict(one), one.judgement.status) for one in self.suites],
        }


def _plain(table: dict[str, Any], status: Status) -> dict[str, Any]:
    judgement = table.pop("judgement")
    return {**table, "status": status, **judgement}
