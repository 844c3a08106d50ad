"""Figures: which there are, that they repeat byte for byte, and that text in them is text."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from rlbench.core.errors import MissingError
from rlbench.reports.curves import panels
from rlbench.reports.drawing import Plot
from rlbench.reports.families import family_tables
from rlbench.reports.frame import lines_of, load_results
from rlbench.reports.plots import family_plots
from rlbench.reports.svg import inline_svg

Write = Callable[..., Path]
WriteCell = Callable[..., None]


def plots_of(root: Path) -> list[Plot]:
    frame = load_results(root)
    (table,) = family_tables(frame)
    return family_plots(table, panels(table, lines_of(frame))[0])


def test_equal_results_give_equal_bytes(results: Path) -> None:
    one, two = plots_of(results), plots_of(results)

    assert [plot.name for plot in one] == ["intervals", "ranks", "profiles"]
    assert one == two


def test_files_hold_neither_date_nor_program(results: Path) -> None:
    for plot in plots_of(results):
        assert b"dc:date" not in plot.svg
        assert b"Matplotlib" not in plot.svg + plot.png


def test_curves_are_drawn_where_they_were_logged(tmp_path: Path, write: Write) -> None:
    for seed in range(5):
        curve = [{"step": 1000 * k, "score": k + seed} for k in range(4)]
        write(tmp_path, seed=seed, curve=curve)

    assert [plot.name for plot in plots_of(tmp_path)][-1] == "curves"


def test_nothing_is_drawn_where_nothing_is_complete(tmp_path: Path, write: Write) -> None:
    write(tmp_path, seed=0)

    assert plots_of(tmp_path) == []


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5, 0.5]])
def test_one_seed_and_equal_seeds_can_be_drawn(
    tmp_path: Path, write_cell: WriteCell, values: list[float]
) -> None:
    curve = [{"step": 0, "score": 0.0}, {"step": 1, "score": 0.5}]
    write_cell(tmp_path, values, official=list(range(len(values))), curve=curve)

    assert len(plots_of(tmp_path)) == 4


def test_names_stand_apart_in_a_figure_with_thirty_rows(
    tmp_path: Path, write_cell: WriteCell
) -> None:
    for index in range(30):
        write_cell(tmp_path, [index / 40, index / 40 + 0.1], row=f"row-{index}", tier="smoke")

    svg = plots_of(tmp_path)[0].svg.decode()

    names = re.findall(r'y="([\d.]+)"[^>]*>row-\d+</text>', svg)
    heights = sorted(map(float, names))
    assert len(heights) == 30
    assert min(b - a for a, b in pairwise(heights)) > 11  # points; text is 9


def test_a_label_is_neither_mathematics_nor_markup_and_may_be_in_any_script(
    tmp_path: Path, write: Write
) -> None:
    for seed in range(2):
        curve = [{"step": k, "$\\frac{x": k, "<b>": k, "点": k} for k in range(3)]
        write(tmp_path, seed=seed, tier="smoke", curve=curve)

    svg = plots_of(tmp_path)[-1].svg

    texts = ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter()]
    assert any("$\\frac{x" in text for text in texts)
    assert any("<b>" in text for text in texts)


def test_an_inline_figure_has_no_style_and_its_references_resolve(results: Path) -> None:
    for plot in plots_of(results):
        text = inline_svg(plot.svg, f"x-{plot.name}", "A <figure>")

        root = ElementTree.fromstring(text)
        ids = {node.attrib["id"] for node in root.iter() if "id" in node.attrib}
        used = set(re.findall(r'(?:url\(#|href="#)([\w.-]+)', text))
        assert not re.search(r"<style|style=|<metadata|xlink", text)
        assert used == ids
        assert all(name.startswith(f"x-{plot.name}-") for name in ids)
        assert root.attrib["aria-label"] == "A <figure>"


def test_without_matplotlib_the_error_says_what_to_install(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    with pytest.raises(MissingError, match=r'pip install "rlbench\[report\]"'):
        plots_of(results)
