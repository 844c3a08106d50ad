"""Figures of views: every text is there and can be read, in any size, and they repeat."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from rlbench.core.stats import Band, Interval
from rlbench.core.suite import DotPlot, HeatMap, LinePlot, Panel, RankAxis, Series
from rlbench.reports.drawing import COLOURS, Plot
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
STEPS = np.array([0.0, 1000, 2000])
SURE, UNSURE = Band(STEPS / 4000, None, None), Band(STEPS / 4000, STEPS / 5000, STEPS / 3000)
LINES = LinePlot(
    "lines", "Lines",
    [
        Panel("share won", [Series("ppo", STEPS, SURE), Series("<b>$k$", STEPS, UNSURE)],
              {"floor": 0.1, "ceiling": 1.0}, (0, 1)),
        Panel("walls", [Series("hks", STEPS, SURE), Series("ppo", STEPS, SURE)]),
        Panel("moves", [Series("ppo", STEPS, SURE)]),
    ],
    "updates",
)  # fmt: skip
AXIS = RankAxis("axis", "Axis", ["knn", "msp", "odin"], [1.0, 2.5, 2.5], [(1, 2)], 1.2)


def texts(plot: Plot) -> list[str]:
    root = ElementTree.fromstring(plot.svg)
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("exhibit", [HEAT, DOTS, LINES, AXIS], ids=lambda item: item.name)
def test_a_figure_repeats_byte_for_byte_and_fits_the_page(
    exhibit: HeatMap | DotPlot | LinePlot | RankAxis,
) -> None:
    one, two = draw(exhibit), draw(exhibit)

    assert one == two
    inline = inline_svg(one.svg, "x", one.title)
    assert not re.search(r"style=|<style|<image", inline)
    assert f'aria-label="{one.title}"' in inline


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


def test_a_line_plot_names_its_axes_levels_and_each_line_once() -> None:
    found = texts(draw(LINES))

    assert {"share won", "walls", "moves", "floor", "ceiling", "0", "1k", "2k"} <= set(found)
    assert found.count("updates") == 3
    assert [text for text in found if text in ("ppo", "<b>$k$", "hks")] == ["ppo", "<b>$k$", "hks"]


def test_a_line_has_one_colour_in_all_panels() -> None:
    svg = draw(LINES).svg.decode()
    alone = draw(replace(LINES, panels=LINES.panels[2:])).svg.decode()

    drawn = re.findall(r'style="fill: none; stroke: (#\w{6}); stroke-width: 1.6', svg)
    ppo, other, hks = COLOURS[:3]
    assert drawn == [ppo, other, hks, ppo, ppo, ppo, other, hks]  # the last three in the legend
    assert ppo in alone
    assert other not in alone


def test_limits_hold_lines_that_lie_on_them_and_open_ends_follow_the_lines() -> None:
    high = Band(np.array([0.0, 0.0, 90.0]), None, None)
    for limits, shown, hidden in (((0, 1), "1.0", "80"), ((0, None), "80", "1.0")):
        panel = Panel("walls", [Series("ppo", STEPS, high)], limits=limits)
        found = texts(draw(replace(LINES, panels=[panel])))

        assert shown in found
        assert hidden not in found


def test_long_names_in_the_legend_of_a_line_plot_stay_inside_the_figure() -> None:
    names = [f"{i}-{'x' * 40}" for i in range(8)]
    panel = Panel("walls", [Series(name, STEPS, SURE) for name in names])
    svg = draw(replace(LINES, panels=[panel])).svg.decode()

    width = float(re.findall(r'viewBox="0 0 ([\d.]+)', svg)[0])
    starts = [float(x) for x in re.findall(r'x="([\d.]+)"[^>]*>\d-x+…</text>', svg)]
    assert len(starts) == 8
    assert max(starts) + 28 * 4.5 < width  # points; a letter is about 4.5


@pytest.mark.parametrize(
    "bad",
    [
        replace(HEAT, rows=["knn"]),
        replace(HEAT, texts=[["1"] * 3, ["1"] * 2]),
        replace(HEAT, groups=["near"]),
        replace(DOTS, rows=["knn"]),
        replace(AXIS, ranks=[1.0]),
        replace(LINES, panels=[Panel("walls", [Series("ppo", STEPS[1:], SURE)])]),
    ],
)
def test_parts_of_different_lengths_are_refused(
    bad: HeatMap | DotPlot | LinePlot | RankAxis,
) -> None:
    with pytest.raises(ValueError, match=rf"{bad.name}: .* expected \("):
        draw(bad)


def test_a_line_plot_without_a_line_is_refused() -> None:
    with pytest.raises(ValueError, match="lines: expected at least one line, found none"):
        draw(replace(LINES, panels=[]))
