"""The gate file says what it must, and says where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlbench.core.bundled import bundled
from rlbench.core.errors import SpecError, UsageError
from rlbench.core.registry import Registry
from rlbench.gate.cells import MAX_CELLS, GateCell, read_gate, select

GOOD = """
[[cells]]
task = "walk/corridor-short"
baseline = "chance"
tier = "smoke"
kind = "statistical"
min_effect = 0.05
"""
GOLDEN = GOOD.replace("statistical", "golden").replace("min_effect", "tolerance")


def written(folder: Path, text: str) -> Path:
    path = folder / "gate.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_bundled_gate_names_only_cells_that_exist() -> None:
    registry = Registry.load()
    cells = read_gate([bundled("tasks") / "gate.toml"])

    assert {cell.kind for cell in cells} == {"golden", "statistical"}
    for cell in cells:
        assert cell.tier in registry.tasks[cell.task].tiers
        [baseline] = registry.find_baselines(f"{cell.task.partition('/')[0]}/{cell.baseline}")
        assert set(cell.params) <= set(baseline.params)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("statistical", "statistic", "'golden' or 'statistical', found 'statistic'"),
        ("smoke", "smok", "cells[0].tier"),
        ("min_effect = 0.05", "", "min_effect: a statistical cell needs a number above 0"),
        ("0.05", "-1.0", "min_effect: a statistical cell needs a number above 0, found -1"),
        ("0.05", "0.05\ntolerance = 1.0", "tolerance: a statistical cell has no use for it"),
        ("min_effect", "min_efect", "cells[0].min_efect: unknown key; did you mean 'min_effect'"),
        ('baseline = "chance"', "", "cells[0].baseline: missing; expected text"),
    ],
)
def test_a_mistake_is_told_with_its_file_and_key(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    with pytest.raises(SpecError) as caught:
        read_gate([written(tmp_path, GOOD.replace(old, new))])

    assert "gate.toml: " in str(caught.value)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cell_may_be_golden_and_statistical_but_not_twice_the_same(tmp_path: Path) -> None:
    assert len(read_gate([written(tmp_path, GOOD + GOLDEN)])) == 2
    with pytest.raises(SpecError, match="stands already in"):
        read_gate([written(tmp_path, GOOD + GOOD)])


def test_more_cells_than_the_false_alarm_rate_was_measured_for_are_refused(
    tmp_path: Path,
) -> None:
    many = "".join(GOOD.replace("chance", f"b{i}") for i in range(MAX_CELLS))
    assert len(read_gate([written(tmp_path, many)])) == MAX_CELLS
    with pytest.raises(SpecError, match=f"1 to {MAX_CELLS}, found {MAX_CELLS + 1}"):
        read_gate([written(tmp_path, many + GOOD)])


def test_cells_are_chosen_by_task_by_baseline_or_by_kind() -> None:
    cells = [
        GateCell(f"s/{task}", row, "smoke", "statistical", 0.1)
        for task in ("a", "b")
        for row in ("x", "y")
    ]

    assert select(cells, "*") == tuple(cells)
    assert [cell.task for cell in select(cells, "s/a")] == ["s/a", "s/a"]
    assert [cell.baseline for cell in select(cells, "* y,s/a x")] == ["x", "y", "y"]
    assert select(cells, "* statistical") == tuple(cells)
    with pytest.raises(UsageError, match="nothing in the gate matches 's/c'"):
        select(cells, "s/a,s/c")
