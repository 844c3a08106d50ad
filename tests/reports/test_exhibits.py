"""Figures of views: every text is there and can be read, in any size, and they repeat."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from rlbench.core.stats import Interval
from rlbench.core.suite import DotPlot, HeatMap, RankAxis
from rlbench.reports.drawing import Plot
from rlbench.reports.exhibits import draw
from rlbench.reports.svg import inline_svg

HEAT = HeatMap(
    "ranks", "Ranks", ["knn", "msp"], ["a", "b", "c"], np.array([[1.0, 2, np.nan], [2, 1, 2]]),
    [["1", "2", "–"], ["2", "1", "2"]], (2.0, 1.0), groups=["near", "near", "far"],
)  # fmt: skip
DOTS = DotPlot(
    "dots", "Dots", ["knn", "msp"],
    {"near": [Interval(0.5, 0.4, 0.6), Interval(0.7, None, None)], "far": [Interval(1, 1, 1)] * 2},
    "AUROC",
)  # fmt: skip
AXIS = RankAxis("axis", "Axis", ["knn", "msp", "odin"], [1.0, 2.5, 2.5], [(1, 2)], 1.2)


def texts(plot: Plot) -> list[str]:
    root = ElementTree.fromstring(plot.svg)
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("exhibit", [HEAT, DOTS, AXIS], ids=lambda item: item.name)
def test_a_figure_repeats_byte_for_byte_and_fits_the_page(
    exhibit: HeatMap | DotPlot | RankAxis,
) -> None:
    one, two = draw(exhibit), draw(exhibit)

    assert one == two
    inline = inline_svg(one.svg, "x", one.title)
    assert not re.search(r"style=|<style|<image", inline)


def test_a_heat_map_names_rows_columns_groups_and_fields() -> None:
    found = texts(draw(HEAT))

    assert sorted(found) == sorted(
        ["knn", "msp", "a", "b", "c", "near", "far", "1", "2", "–", "2", "1", "2"]
    )


def test_text_in_a_field_contrasts_with_its_colour_in_light_and_dark() -> None:
    values = np.linspace(0, 1, 21)[None]
    wide = HeatMap("w", "W", ["r"], ["c"] * 21, values, [["5"] * 21], (0.0, 1.0))
    for exhibit in (wide, replace(wide, centred=True)):
        svg = draw(exhibit).svg.decode()
        fields = re.findall(r'<path d="[^"]*" clip-path[^>]*style="fill: (#\w{6})', svg)
        inks = re.findall(r'style="[^"]*fill: (#\w{6})[^"]*"[^>]*>5</text>', svg)

        assert len(fields) == len(inks) == 21
        assert all(contrast(*pair) > 4.5 for pair in zip(fields, inks, strict=True))
        assert not {"#26292e", "#ffffff"} & set(inks)  # ink and paper change in dark mode


def contrast(one: str, two: str) -> float:
    """The contrast ratio of WCAG 2.1."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


def test_thirty_rows_and_twenty_columns_keep_their_names() -> None:
    rows, columns = [f"row-{i}" for i in range(30)], [f"col-{j}" for j in range(20)]
    values = np.ones((30, 20))
    plot = draw(HeatMap("h", "H", rows, columns, values, [["1"] * 20] * 30, (0.0, 1.0)))

    assert {*rows, *columns} <= set(texts(plot))
    assert plot.wide


def test_a_rank_axis_names_every_row_with_its_rank_and_the_distance() -> None:
    found = texts(draw(AXIS))

    assert {"knn 1.0", "msp 2.5", "odin 2.5"} <= {re.sub(r"\s+", " ", text) for text in found}
    assert "critical difference 1.20" in found


def test_dots_are_drawn_with_and_without_intervals() -> None:
    found = texts(draw(DOTS))

    assert {"knn", "msp", "near", "far", "AUROC"} <= set(found)


@pytest.mark.parametrize(
    "bad",
    [
        replace(HEAT, rows=["knn"]),
        replace(HEAT, texts=[["1"] * 3, ["1"] * 2]),
        replace(HEAT, groups=["near"]),
        replace(DOTS, rows=["knn"]),
        replace(AXIS, ranks=[1.0]),
    ],
)
def test_parts_of_different_lengths_are_refused(bad: HeatMap | DotPlot | RankAxis) -> None:
    with pytest.raises(ValueError, match=rf"{bad.name}: .* expected \("):
        draw(bad)
