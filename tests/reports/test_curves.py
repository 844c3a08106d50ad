"""Curve files of trials, brought to common checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from rlbench.core.context import Curve
from rlbench.core.errors import CorruptError
from rlbench.core.stats import curve_band
from rlbench.reports.curves import MAX_PANELS, MAX_POINTS, MAX_VALUES, Panel, panels, read_curve
from rlbench.reports.families import family_tables
from rlbench.reports.frame import lines_of, load_results

Write = Callable[..., Path]


def panels_of(root: Path) -> tuple[list[Panel], list[str]]:
    frame = load_results(root)
    (table,) = family_tables(frame)
    return panels(table, lines_of(frame))


def curve(values: Sequence[float], name: str = "score", every: int = 10) -> list[dict[str, float]]:
    return [{"step": every * index, name: value} for index, value in enumerate(values)]


def test_a_written_curve_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "seed-0.csv"
    path.write_bytes(Curve([{"step": 0, "loss": 1.5}, {"step": 5, "score": 0.25}]).csv())

    assert read_curve(path) == {"loss": {0: 1.5}, "score": {5: 0.25}}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "time,score\n1,2\n",
        "step,score\n1,nan\n",
        "step,score\n1,1e300\n",
        "step,score\n1\n",
        "step,a,a\n1,2,3\n",
        "step,score\nx,1\n",
        "step,score\n1,=1+1\n",
        "step,score\n\xff\xfe",
    ],
)
def test_what_is_no_curve_is_corrupt(tmp_path: Path, text: str) -> None:
    path = tmp_path / "seed-0.csv"
    path.write_bytes(text.encode("latin-1"))

    with pytest.raises(CorruptError, match=r"seed-0\.csv: no curve"):
        read_curve(path)


def test_the_primary_metric_is_drawn_as_the_iqm_over_seeds(tmp_path: Path, write: Write) -> None:
    for seed in range(5):
        write(tmp_path, seed=seed, curve=curve([0.1 * seed, 0.2 * seed, 0.3 * seed]))

    (panel,), notes = panels_of(tmp_path)

    (series,) = panel.series
    expected = curve_band(np.array([[[0.1 * s, 0.2 * s, 0.3 * s]] for s in range(5)]))
    assert panel.value == "score"
    assert notes == []
    np.testing.assert_array_equal(series.steps, [0, 10, 20])
    np.testing.assert_allclose(series.band.point, expected.point)


def test_what_else_was_logged_is_drawn_where_the_primary_metric_was_not(
    tmp_path: Path, write: Write
) -> None:
    for seed in range(5):
        write(tmp_path, seed=seed, curve=curve([1.0, 0.5], name="regret"))

    found, _ = panels_of(tmp_path)

    assert [panel.value for panel in found] == ["regret"]


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


def test_steps_that_some_seed_lacks_are_left_out(tmp_path: Path, write: Write) -> None:
    for seed in range(5):
        write(tmp_path, seed=seed, curve=curve([0.1] * (3 + seed)))

    (panel,), _ = panels_of(tmp_path)

    assert panel.series[0].steps.tolist() == [0, 10, 20]


def test_a_long_curve_is_thinned_and_keeps_both_ends(tmp_path: Path, write: Write) -> None:
    for seed in range(5):
        write(tmp_path, seed=seed, curve=curve([0.5] * 1001))

    (panel,), _ = panels_of(tmp_path)

    steps = panel.series[0].steps
    assert (len(steps), steps[0], steps[-1]) == (MAX_POINTS, 0, 10_000)


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
