"""Tables as text, against golden files; `UPDATE_GOLDEN=1 pytest tests/reports` rewrites them."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rlbench.reports.families import family_tables
from rlbench.reports.frame import load_results
from rlbench.reports.grid import decimals, number_text
from rlbench.reports.tables import CSV_COLUMNS, latex, long_csv, markdown

GOLDEN = Path(__file__).parent / "golden"
WriteCell = Callable[..., None]


def golden(name: str, made: str) -> str:
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(made, encoding="utf-8")
    return path.read_text(encoding="utf-8")


def test_markdown_is_as_in_the_golden_file(results: Path) -> None:
    made = markdown(family_tables(load_results(results)))

    assert made == golden("tables.md", made)


def test_latex_is_as_in_the_golden_file(results: Path) -> None:
    made = latex(family_tables(load_results(results)))

    assert made == golden("tables.tex", made)


def test_csv_is_as_in_the_golden_file(results: Path) -> None:
    made = long_csv(family_tables(load_results(results)))

    found, expected = (
        list(csv.DictReader(io.StringIO(t))) for t in (made, golden("tables.csv", made))
    )
    numbers = ("point", "low", "high")
    for one, other in zip(found, expected, strict=True):
        assert {k: v for k, v in one.items() if k not in numbers} == {
            k: v for k, v in other.items() if k not in numbers
        }
        # The last digits of a sum may differ between processors.
        assert [float(one[k]) for k in numbers if one[k]] == pytest.approx(
            [float(other[k]) for k in numbers if other[k]], rel=1e-9
        )


def test_csv_numbers_are_not_rounded(results: Path) -> None:
    lines = csv.DictReader(io.StringIO(long_csv(family_tables(load_results(results)))))

    (cell,) = [
        line
        for line in lines
        if (line["baseline"], line["where"], line["name"]) == ("good", "local", "toy/toys-beta")
    ]

    assert tuple(cell) == CSV_COLUMNS
    assert float(cell["point"]) == (21.0 + 24.5 + 19.25 + 26.0 + 22.5) / 5


def test_an_incomplete_cell_says_how_many_seeds_are_there(results: Path) -> None:
    line = next(
        t for t in markdown(family_tables(load_results(results))).splitlines() if "part" in t
    )

    assert "*6.2 ± 2.6 (3/5)*" in line
    assert line.count("–") == 5


def test_one_seed_is_shown_without_an_interval(tmp_path: Path, write_cell: WriteCell) -> None:
    write_cell(tmp_path, [0.5], official=[0])

    text = markdown(family_tables(load_results(tmp_path)))

    assert "|   0.500 | 0.500 |" in text
    assert "±" not in text
    assert text.count("[") == 0
    assert "1?" in text


def test_hostile_text_stays_one_field_of_one_row(tmp_path: Path, write_cell: WriteCell) -> None:
    bad = "=cmd|' /c calc'!A0 | [x](javascript:1) <img onerror=1>\n\x1b[31m \\input{x} $\\x$ % & _"
    write_cell(tmp_path, [0.5] * 5, family=bad, unit=bad, title=bad)

    tables = family_tables(load_results(tmp_path))
    text, tex, lines = (
        markdown(tables),
        latex(tables),
        list(csv.reader(io.StringIO(long_csv(tables)))),
    )

    assert "\x1b" not in text + tex
    assert "<img" not in text
    assert "](" not in text.replace(r"\](", "")
    assert r"\input" not in tex
    assert {len(line) for line in lines} == {len(CSV_COLUMNS)}
    assert all(line[2].startswith("'=") for line in lines[1:])


@pytest.mark.parametrize(
    ("values", "digits"),
    [([0.91], 3), ([5.0], 2), ([12.0, 3.0], 1), ([250.0], 0), ([0.012], 4), ([0.0], 3), ([], 3)],
)
def test_the_greatest_value_of_a_column_gets_three_significant_digits(
    values: list[float], digits: int
) -> None:
    assert decimals(values) == digits


@pytest.mark.parametrize(
    ("value", "text"), [(-0.0001, "0.00"), (-0.4, "-0.40"), (1.2e9, "1.2e+09"), (3.14159, "3.14")]
)
def test_numbers_have_fixed_decimals_and_no_negative_zero(value: float, text: str) -> None:
    assert number_text(value, 2) == text
