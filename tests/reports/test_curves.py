"""Curves of a family: which cells and values are drawn, and what is said of the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from rlbench.core.stats import curve_band
from rlbench.core.suite import Panel
from rlbench.reports.curves import MAX_PANELS, MAX_VALUES, panels
from rlbench.reports.families import family_tables
from rlbench.reports.frame import lines_of, load_results

Write = Callable[..., Path]


def panels_of(root: Path) -> tuple[list[Panel], list[str]]:
    frame = load_results(root)
    (table,) = family_tables(frame)
    return panels(table, lines_of(frame))


def curve(values: Sequence[float], name: str = "score", every: int = 10) -> list[dict[str, float]]:
    return [{"step": every * index, name: value} for index, value in enumerate(values)]


def test_the_primary_metric_is_drawn_as_the_iqm_over_seeds(tmp_path: Path, write: Write) -> None:
    for seed in range(5):
        write(tmp_path, seed=seed, curve=curve([0.1 * seed, 0.2 * seed, 0.3 * seed]))

    (panel,), notes = panels_of(tmp_path)

    (series,) = panel.series
    expected = curve_band(np.array([[[0.1 * s, 0.2 * s, 0.3 * s]] for s in range(5)]))
    assert (panel.y_label, series.label) == ("alpha · score ↑", "base")
    assert notes == []
    np.testing.assert_array_equal(series.steps, [0, 10, 20])
    np.testing.assert_allclose(series.band.point, expected.point)


def test_what_else_was_logged_is_drawn_where_the_primary_metric_was_not(
    tmp_path: Path, write: Write
) -> None:
    for seed in range(5):
        write(tmp_path, seed=seed, curve=curve([1.0, 0.5], name="regret"))

    found, _ = panels_of(tmp_path)

    assert [panel.y_label for panel in found] == ["alpha · regret"]


def test_a_family_that_logs_without_end_gets_a_bounded_figure_and_a_note(
    tmp_path: Path, write: Write
) -> None:
    logged = [{"step": step, **{f"v{n}": 0.5 for n in range(6)}} for step in (0, 1)]
    for task in range(MAX_PANELS // MAX_VALUES + 1):
        for seed in range(2):
            write(tmp_path, task=f"toy/t{task}", seed=seed, tier="smoke", curve=logged)

    found, notes = panels_of(tmp_path)

    assert len(found) == MAX_PANELS
    assert notes[0] == "t0: 2 more logged values not drawn"
    assert notes[-1] == "curves: 4 more panels not drawn"


def test_a_cell_with_a_seed_without_a_curve_has_none(tmp_path: Path, write: Write) -> None:
    for seed in range(5):
        write(tmp_path, seed=seed, curve=curve([0.1, 0.2]) if seed else ())

    assert panels_of(tmp_path) == ([], [])


def test_an_incomplete_cell_has_no_curve(tmp_path: Path, write: Write) -> None:
    for seed in range(3):
        write(tmp_path, seed=seed, curve=curve([0.1, 0.2]))

    assert panels_of(tmp_path) == ([], [])


def test_a_curve_file_that_went_missing_costs_only_the_curve(tmp_path: Path, write: Write) -> None:
    for seed in range(5):
        path = write(tmp_path, seed=seed, curve=curve([0.1, 0.2]))
    path.with_suffix(".csv").unlink()

    assert panels_of(tmp_path) == ([], [])


def test_a_broken_curve_is_named_without_its_folder(tmp_path: Path, write: Write) -> None:
    for seed in range(5):
        write(tmp_path, seed=seed, curve=curve([0.1, 0.2], name="step "))
    frame = load_results(tmp_path)
    path = Path(frame["curve"][2])
    path.write_text("nonsense\n")
    (table,) = family_tables(frame)

    found, notes = panels(table, lines_of(frame))

    assert found == []
    assert notes == [
        "base on alpha: no curve drawn: seed-2.csv: no curve: "
        "expected a header of distinct names, 'step' first, found ['nonsense']"
    ]
