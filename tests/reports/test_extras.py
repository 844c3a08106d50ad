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
from rlbench.reports.extras import ShownPicture, ShownTable, published, shown_views
from rlbench.reports.families import family_tables
from rlbench.reports.frame import load_results

Write = Callable[..., Path]
WriteCell = Callable[..., None]

SUITE = """
from rlbench.core.suite import Picture, Table, View

def best(frame):
    assert frame["tier"].nunique() == frame["source"].nunique() == 1
    found = frame.groupby("row")[["value"]].max()
    return [Table("values", "The values", found, "By row."),
            Picture("map", "A map", b"\\x89PNG\\r\\n\\x1a\\n...", "Drawn.")]

def twice(frame):
    return [Table("Same", "", frame), Table("same", "", frame)]

class Suite:
    def views(self):
        return [View("best", "Best seeds", best), View("none", "Nothing", lambda frame: ()),
                View("bad", "Broken", lambda frame: frame["no such column"]),
                View("twice", "Twice", twice), View("frame", "No exhibit", lambda frame: frame),
                View("jpeg", "No PNG", lambda frame: [Picture("p", "P", b"JFIF")])]

SUITE = Suite()
"""
FAILURES = (
    "view 'bad' of suite 'toy' failed: KeyError: 'no such column'",
    "view 'twice' of suite 'toy' failed: ValueError: expected exhibits with different names, "
    "found ['same', 'same']",
    "view 'frame' of suite 'toy' failed: TypeError: expected exhibits of rlbench.core.suite, "
    "found str",
    "view 'jpeg' of suite 'toy' failed: ValueError: p: expected the bytes of a PNG file",
)


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

    shown, problems = shown_views(
        load_results(tmp_path / "own"), registry_with(toy="toy_views_suite:SUITE")
    )

    assert [(v.name, v.tier, v.where) for v in shown] == [
        ("best", "small", "local"), ("best", "small", "reference"), ("best", "smoke", "local")
    ]  # fmt: skip
    table, picture = shown[1].items
    assert isinstance(table, ShownTable)
    assert [entry.text for entry in table.grid.rows[0]] == ["base", "0.750"]
    assert isinstance(picture, ShownPicture)
    assert set(problems) == set(FAILURES)


def rows_by_view(own: Path, registry: Registry) -> dict[str, set[str]]:
    shown, _ = shown_views(load_results(own), registry)
    tables = {view.where: view.items[0] for view in shown}
    assert all(isinstance(table, ShownTable) for table in tables.values())
    return {
        where: {row[0].text for row in table.grid.rows}
        for where, table in tables.items()
        if isinstance(table, ShownTable)
    }


def test_what_the_user_ran_stands_beside_the_reference_on_the_same_tasks(
    tmp_path: Path, reference: Path, write_cell: WriteCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy_beside_suite.py").write_text(SUITE)
    monkeypatch.syspath_prepend(tmp_path)
    registry = registry_with(toy="toy_beside_suite:SUITE")
    own = tmp_path / "own"
    for row in ("knn", "mine"):
        write_cell(own, [0.5] * 5, task="toy/alpha", row=row)
    for row in ("knn", "msp"):
        write_cell(reference, [0.6] * 5, task="toy/alpha", row=row)
    marked = {"knn", "mine", "knn (reference)", "msp (reference)"}

    assert rows_by_view(own, registry) == {"both": marked}

    for row in ("knn", "vim"):
        write_cell(reference, [0.6] * 5, task="toy/beta", row=row)

    assert rows_by_view(own, registry) == {"both": marked, "reference": {"knn", "msp", "vim"}}


def test_records_of_other_code_do_not_stand_beside_the_reference_and_a_line_says_so(
    tmp_path: Path, reference: Path, write_cell: WriteCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy_other_suite.py").write_text(SUITE)
    monkeypatch.syspath_prepend(tmp_path)
    registry = registry_with(toy="toy_other_suite:SUITE")
    monkeypatch.setattr("rlbench.reports.build.load_registry", lambda: (registry, []))
    own = tmp_path / "own"
    write_cell(own, [0.5] * 5, source="new")
    write_cell(reference, [0.6] * 5, source="old")
    write_cell(reference, [0.6, 0.7], source="new", tier="smoke")

    assert rows_by_view(own, registry) == {"local": {"base"}, "reference": {"base"}}
    made = build_report([own], tmp_path / "out")
    (line,) = (text for text in made.problems if "side by side" in text)
    assert re.fullmatch(
        r"suite 'toy', tier small: your records of source [0-9a-f]{12} and the reference ones of "
        r"source [0-9a-f]{12} come from different code, so they do not stand side by side",
        line,
    )
    assert line.replace("'", "&#x27;") in made.html.read_text()


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
    assert "Sun et al. 2022, table 1" not in measured
    assert "<h3>Best seeds" in measured  # what a suite says of itself comes first
    assert measured.count('<img src="data:image/png;base64,iVBORw0KGgouLi4=" alt="A map">') == 1
    assert made.problems == FAILURES


def test_the_tables_and_figures_of_views_are_files_too(
    tmp_path: Path, write_cell: WriteCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy_file_suite.py").write_text(SUITE)
    monkeypatch.syspath_prepend(tmp_path)
    registry = registry_with(toy="toy_file_suite:SUITE")
    monkeypatch.setattr("rlbench.reports.build.load_registry", lambda: (registry, []))
    write_cell(tmp_path / "own", [0.5, 0.25], tier="smoke")

    made = build_report([tmp_path / "own"], tmp_path / "out")

    files = {re.sub("-[0-9a-f]{6}-", "-", path.name): path for path in (*made.tables, *made.plots)}
    assert files["toy-best-smoke-values.csv"].read_text() == "row,value\nbase,0.5\n"
    assert files["toy-best-smoke-values.md"].read_text().startswith("| row  | value |")
    assert r"\caption{The values}" in files["toy-best-smoke-values.tex"].read_text()
    assert files["toy-best-smoke-map.png"].read_bytes().endswith(b"...")


@pytest.mark.parametrize(
    ("suites", "why"),
    [({}, "not installed here"), ({"toy": "no.such:SUITE"}, "cannot be imported")],
)
def test_a_suite_that_is_not_here_leaves_a_note(
    tmp_path: Path, write: Write, suites: dict[str, str], why: str
) -> None:
    write(tmp_path)

    tables, (problem,) = shown_views(load_results(tmp_path), registry_with(**suites))

    assert tables == []
    assert re.search(f"views of suite 'toy' are left out: .*{why}", problem)


def test_the_ood_suites_own_view_of_records_on_disk_keeps_tracks_and_origins_apart(
    tmp_path: Path, write_cell: WriteCell
) -> None:
    for index, row in enumerate(("msp", "knn", "vim", "oe")):
        track = "uses outliers" if row == "oe" else ""
        for pair, origin in (("a", "real"), ("b", "real"), ("c", "self-made"), ("d", "self-made")):
            write_cell(
                tmp_path, [0.5 + index / 10, 0.6], task=f"ood/x-{pair}", row=row, track=track,
                origin=origin, family="x", metric="auroc", tier="smoke",
            )  # fmt: skip

    shown, problems = shown_views(load_results(tmp_path), Registry.load())

    assert problems == []
    assert [view.name for view in shown] == ["inconsistency-self-made", "inconsistency-real"]
    names = ["everywhere-post-hoc", "ranks-post-hoc", "near-far-post-hoc", "tracks"]
    assert [[item.name for item in view.items] for view in shown] == [names, names]
