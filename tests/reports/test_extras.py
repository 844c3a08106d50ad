"""Published figures and suites' own views: shown where the registry has them, never needed."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from rlbench.core.registry import Registry
from rlbench.core.spec import Point, Published, ReferencePoints, TaskSpec
from rlbench.reports.build import build_report
from rlbench.reports.extras import published, view_tables
from rlbench.reports.families import family_tables
from rlbench.reports.frame import load_results

Write = Callable[..., Path]
WriteCell = Callable[..., None]

SUITE = """
import pandas as pd
from rlbench.core.suite import View

def best(frame):
    assert frame["tier"].nunique() == frame["source"].nunique() == frame["where"].nunique() == 1
    return frame.groupby("row")[["value"]].max()

class Suite:
    def views(self):
        return [View("best", "Best seeds", best), View("none", "Nothing", lambda frame: None),
                View("bad", "Broken", lambda frame: frame["no such column"])]

SUITE = Suite()
"""


def registry_with(**suites: str) -> Registry:
    registry = Registry()
    points = {n: EntryPoint(n, v, "rlbench.suites") for n, v in suites.items()}
    registry.__dict__["_suites"] = points
    return registry


def task(version: int = 1) -> TaskSpec:
    points = ReferencePoints(Point(0.0, "chance"), Point(1.0, "perfect"))
    figure = Published("KNN", 93.5, "Sun et al. 2022, table 1", note="ResNet-18")
    return TaskSpec(
        "toy", "alpha", version, "Alpha", "toys", "real", "score", points, {"small": {}},
        published=(figure,),
    )  # fmt: skip


def test_published_figures_stand_in_a_table_of_their_own(
    tmp_path: Path, write_cell: WriteCell
) -> None:
    write_cell(tmp_path, [0.5] * 5)
    (table,) = family_tables(load_results(tmp_path))

    grid = published(table, Registry({"toy/alpha": task()}))

    assert grid is not None
    assert [entry.text for entry in grid.rows[0]] == [
        "alpha", "KNN", "score", "93.5", "Sun et al. 2022, table 1", "ResNet-18"
    ]  # fmt: skip
    assert published(table, Registry({"toy/alpha": task(version=2)})) is None
    assert published(table, Registry()) is None


def test_a_suites_views_are_built_and_a_broken_one_costs_only_itself(
    tmp_path: Path, reference: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy_views_suite.py").write_text(SUITE)
    monkeypatch.syspath_prepend(tmp_path)
    for tier in ("small", "smoke", "custom"):
        write(tmp_path / "own", tier=tier, value=0.25)
    write(reference, value=0.75)

    tables, problems = view_tables(
        load_results(tmp_path / "own"), registry_with(toy="toy_views_suite:SUITE")
    )

    assert [(t.name, t.tier, t.where) for t in tables] == [
        ("best", "small", "local"), ("best", "small", "reference"), ("best", "smoke", "local")
    ]  # fmt: skip
    assert [entry.text for entry in tables[1].grid.rows[0]] == ["base", "0.750"]
    assert set(problems) == {"view 'bad' of suite 'toy' failed: KeyError: 'no such column'"}


def test_the_page_shows_views_and_labels_published_figures_as_such(
    tmp_path: Path, write_cell: WriteCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy_page_suite.py").write_text(SUITE)
    monkeypatch.syspath_prepend(tmp_path)
    registry = registry_with(toy="toy_page_suite:SUITE")
    registry.tasks["toy/alpha"] = task()
    monkeypatch.setattr("rlbench.reports.build.load_registry", lambda: (registry, []))
    write_cell(tmp_path / "own", [0.5] * 5)

    made = build_report([tmp_path / "own"], tmp_path / "out")

    page = made.html.read_text()
    measured, _, rest = page.partition("Published figures (not measured here)")
    assert "93.5" not in measured
    assert "Sun et al. 2022, table 1" in rest
    assert "<h3>Best seeds" in rest
    assert made.problems == ("view 'bad' of suite 'toy' failed: KeyError: 'no such column'",)


@pytest.mark.parametrize(
    ("suites", "why"),
    [({}, "not installed here"), ({"toy": "no.such:SUITE"}, "cannot be imported")],
)
def test_a_suite_that_is_not_here_leaves_a_note(
    tmp_path: Path, write: Write, suites: dict[str, str], why: str
) -> None:
    write(tmp_path)

    tables, (problem,) = view_tables(load_results(tmp_path), registry_with(**suites))

    assert tables == []
    assert re.search(f"views of suite 'toy' are left out: .*{why}", problem)
