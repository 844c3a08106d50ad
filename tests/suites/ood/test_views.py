"""What the suite's views show of a frame: who meets whom, and what is said of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rlbench.core.files import digest
from rlbench.core.suite import Exhibit, HeatMap, RankAxis, Table
from rlbench.reports.exhibits import draw
from rlbench.reports.tables import markdown_grid
from rlbench.reports.viewtable import frame_grid
from rlbench.suites.ood.suite import SUITE
from rlbench.suites.ood.views.field import make_field
from rlbench.suites.ood.views.inconsistency import analyse
from rlbench.suites.ood.views.show import answer, exhibits

PAIRS = {
    "glyph-letters": ("near", "glyph"), "glyph-noise": ("far", "glyph"),
    "toy-hole": ("near", "toy"), "toy-far": ("far", "toy"), "glyph-hand": ("shift", "glyph"),
}  # fmt: skip
MEANS = {
    "knn": [0.93, 0.97, 0.99, 0.99, 0.97], "mahalanobis": [0.92, 0.99, 0.21, 0.999, 0.96],
    "msp": [0.91, 0.31, 0.49, 0.1, 0.96], "energy": [0.84, 0.2, 0.48, 0.09, 0.95],
    "vim": [0.91, 0.989, 0.3, 0.998, 0.965],
}  # fmt: skip


def line(row: str, pair: str, seed: int, auroc: float, **fields: Any) -> dict[str, Any]:
    """What `load_results` says of a trial, as far as views ask."""
    group, family = PAIRS.get(pair, ("near", "more"))
    return {
        "row": row, "track": "post-hoc", "task": f"ood/{pair}", "protocol": digest([pair]),
        "origin": "self-made", "family": family, "group": group, "seed": seed,
        "official_seeds": (0, 1, 2), "complete": True, "metric.auroc": auroc, **fields,
    }  # fmt: skip


def cell(row: str, pair: str, mean: float, **fields: Any) -> list[dict[str, Any]]:
    """Three seeds, 0.001 apart."""
    return [line(row, pair, seed, mean + 0.001 * (seed - 1), **fields) for seed in range(3)]


def lines_of(means: Mapping[str, list[float]] = MEANS, **fields: Any) -> list[dict[str, Any]]:
    return [
        one
        for row, values in means.items()
        for pair, mean in zip(PAIRS, values, strict=True)
        for one in cell(row, pair, mean, **fields)
    ]


def shown(lines: list[dict[str, Any]], origin: str = "self-made") -> dict[str, Exhibit]:
    return {item.name: item for item in exhibits(pd.DataFrame(lines), origin=origin)}


def table(found: Mapping[str, Exhibit], name: str) -> pd.DataFrame:
    item = found[name]
    assert isinstance(item, Table)
    return item.frame


def test_the_tables_are_as_in_the_golden_file(golden: Callable[[str, str], None]) -> None:
    oe = {"oe": [0.99, 0.99, 0.9, 0.9, 0.97]}
    lines = [*lines_of(), *lines_of(oe, track="uses outliers")]
    noise = np.random.default_rng(0).normal(0, 0.02, len(lines)).round(4)
    for one, extra in zip(lines, noise.tolist(), strict=True):
        one["metric.auroc"] = min(1.0, one["metric.auroc"] + extra)
    found = shown(lines)
    parts = [
        f"### {item.title}\n\n{item.doc}\n\n{markdown_grid(frame_grid(item.frame))}"
        for item in found.values()
        if isinstance(item, Table)
    ]
    ranks = found["ranks-post-hoc"]
    assert isinstance(ranks, HeatMap)
    frame = pd.DataFrame(ranks.texts, columns=list(ranks.columns))
    frame.insert(0, "detector", ranks.rows)
    parts.append(f"### {ranks.title}\n\n{ranks.doc}\n\n{markdown_grid(frame_grid(frame))}")

    golden("ood-inconsistency.md", "\n".join(parts))


def test_every_figure_can_be_drawn() -> None:
    found = shown(lines_of())

    figures = [item for item in found.values() if not isinstance(item, Table)]
    drawn = {item.name: draw(item) for item in figures}  # type: ignore[arg-type]
    assert list(drawn) == ["ranks-post-hoc", "tau-post-hoc", "critical-post-hoc",
                           "near-far-post-hoc"]  # fmt: skip


def test_columns_go_from_near_to_far_to_others_and_rows_by_average_rank() -> None:
    ranks = shown(lines_of())["ranks-post-hoc"]

    assert isinstance(ranks, HeatMap)
    assert list(ranks.groups) == ["near", "near", "far", "far", "shift", ""]
    assert ranks.rows[0] == "knn"
    assert list(ranks.values[:, -1]) == sorted(ranks.values[:, -1])


def test_self_made_and_real_pairs_never_meet() -> None:
    real = [{**one, "origin": "real", "task": f"{one['task']}-real"} for one in lines_of()]
    lines = [*lines_of(), *real]

    for origin in ("self-made", "real"):
        ranks = shown(lines, origin)["ranks-post-hoc"]
        assert isinstance(ranks, HeatMap)
        assert len(ranks.columns) == 6
        assert {label.endswith("-real") for label in ranks.columns[:5]} == {origin == "real"}
    assert shown(lines_of(), "real") == {}


def test_tracks_are_ranked_apart_and_stand_together_only_in_a_table_without_ranks() -> None:
    outliers = {f"oe{i}": [0.99, 0.9, 0.9, 0.9, 0.9 - i / 50] for i in range(3)}
    found = shown([*lines_of(), *lines_of(outliers, track="uses outliers")])

    rows = {name: list(item.rows) for name, item in found.items() if isinstance(item, HeatMap)}
    assert set(rows["ranks-post-hoc"]) == set(MEANS)
    assert set(rows["ranks-uses-outliers"]) == set(outliers)
    tracks = table(found, "tracks")
    assert set(tracks["detector"]) == {*MEANS, *outliers}
    assert list(tracks["track"]) == ["post-hoc"] * 5 + ["uses outliers"] * 3
    assert not any("rank" in name for name in tracks.columns)


def test_a_detector_that_names_no_track_is_ranked_with_the_post_hoc_ones() -> None:
    own = lines_of({"own-detector": [0.5] * 5}, track="")

    assert "own-detector" in list(
        table(shown([*lines_of(), *own]), "everywhere-post-hoc")["detector"]
    )


def test_only_complete_cells_enter_and_what_is_left_out_is_named() -> None:
    part = [{**one, "complete": False} for one in cell("msp", "glyph-noise", 0.31)]
    rest = [one for one in lines_of() if (one["row"], one["task"]) != ("msp", "ood/glyph-noise")]
    new = cell("knn", "more-new", 0.9)

    ranks = shown([*rest, *part, *new])["ranks-post-hoc"]

    assert isinstance(ranks, HeatMap)
    assert "msp" not in ranks.rows
    assert "more-new" not in ranks.columns
    assert "msp (4 of 6 pairs), more-new (1 of 5 detectors)" in ranks.doc


def test_tasks_without_an_auroc_are_no_pairs() -> None:
    lines = [
        *lines_of(), *(one for row in MEANS for one in cell(row, "more-selective", math.nan))
    ]  # fmt: skip

    ranks = shown(lines)["ranks-post-hoc"]

    assert isinstance(ranks, HeatMap)
    assert "more-selective" not in f"{list(ranks.columns)} {ranks.doc}"


def test_two_versions_of_a_pair_are_told_apart() -> None:
    other = [{**one, "protocol": "0123456789"} for one in lines_of() if "hole" in one["task"]]

    ranks = shown([*lines_of(), *other])["ranks-post-hoc"]

    assert isinstance(ranks, HeatMap)
    marked = {label for label in ranks.columns if label.startswith("toy-hole")}
    assert marked == {"toy-hole (012345)", f"toy-hole ({digest(['toy-hole'])[:6]})"}


@pytest.mark.parametrize("count", [0, 1, 2])
def test_two_detectors_have_no_view_of_their_own(count: int) -> None:
    few = dict(list(MEANS.items())[:count])

    assert shown(lines_of(few) or lines_of({"x": [0.5] * 5})) == {}


def test_few_detectors_are_shown_without_correlations_of_their_orders() -> None:
    few = dict(list(MEANS.items())[:4])

    assert list(shown(lines_of(few))) == [
        "everywhere-post-hoc", "ranks-post-hoc", "near-far-post-hoc"
    ]  # fmt: skip


def test_counts_of_a_row_add_up_to_the_pairs() -> None:
    frame = table(shown(lines_of()), "everywhere-post-hoc")

    assert set(frame["best or tied"] + frame["worse"]) == {5}
    assert sum(interval.point for interval in frame["won"]) == pytest.approx(1)


def test_bars_of_the_critical_difference_join_rows_closer_than_it() -> None:
    axis = shown(lines_of())["critical-post-hoc"]

    assert isinstance(axis, RankAxis)
    assert axis.bars
    assert all(axis.ranks[j] - axis.ranks[i] <= axis.distance for i, j in axis.bars)


# -- the one sentence -----------------------------------------------------------------------------


def said(means: Mapping[str, list[float]]) -> str:
    return answer(analyse(make_field(lines_of(means))))


def test_the_answer_is_no_where_all_lose_somewhere() -> None:
    means = {"a": [0.9, 0.9, 0.9, 0.9, 0.5], "b": [0.5, 0.5, 0.5, 0.5, 0.9], "c": [0.4] * 5}

    assert said(means) == (
        "No: each of the 3 detectors is significantly worse than the best on at least 1 of 5 "
        "pairs. a comes closest; at worst it is 0.400 [0.400, 0.400] AUROC behind the best, on "
        "glyph-hand."
    )


def test_the_answer_is_yes_where_one_wins_all_and_the_others_lose_somewhere() -> None:
    means = {"a": [0.9] * 5, "b": [0.5, 0.9 - 1e-6, 0.9 - 1e-6, 0.9 - 1e-6, 0.8], "c": [0.4] * 5}

    assert said(means).startswith("Yes, on these 5 pairs: a is best on all of them")


def test_the_answer_is_perhaps_where_one_is_never_worse_but_does_not_lead_everywhere() -> None:
    means = {"a": [0.9] * 4 + [0.8995], "b": [0.5, 0.9, 0.5, 0.5, 0.9], "c": [0.4] * 5}

    assert said(means) == (
        "Perhaps: a alone is on none of 5 pairs significantly worse than the best, but it leads on "
        "3.5 of them only."
    )


def test_the_answer_is_open_where_several_are_never_told_apart_from_the_best() -> None:
    means = {"a": [0.9] * 5, "b": [0.9] * 5, "c": [0.4] * 5}

    assert said(means).startswith("Not decided: a and b are on none of 5 pairs told apart")


def test_views_ask_for_nothing_that_a_frame_without_their_metric_lacks() -> None:
    frame = pd.DataFrame(lines_of()).drop(columns="metric.auroc")

    assert [list(view.build(frame)) for view in SUITE.views()] == [[], []]


def test_the_order_of_records_does_not_matter() -> None:
    lines = lines_of()
    mixed = [lines[i] for i in np.random.default_rng(0).permutation(len(lines))]

    one, two = shown(lines), shown(mixed)

    assert list(one) == list(two)
    pd.testing.assert_frame_equal(
        table(one, "everywhere-post-hoc"), table(two, "everywhere-post-hoc")
    )
