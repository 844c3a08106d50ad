"""Tables as text: golden files, raw numbers, incomplete cells, hostile names."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from rlbench.reports.families import family_tables
from rlbench.reports.frame import load_results
from rlbench.reports.grid import decimals, number_text
from rlbench.reports.tables import CSV_COLUMNS, latex, long_csv, markdown

WriteCell = Callable[..., None]
Golden = Callable[[str, str], None]


def test_markdown_is_as_in_the_golden_file(results: Path, golden: Golden) -> None:
    golden("report-tables.md", markdown(family_tables(load_results(results))))


def test_latex_is_as_in_the_golden_file(results: Path, golden: Golden) -> None:
    golden("report-tables.tex", latex(family_tables(load_results(results))))


def test_csv_is_as_in_the_golden_file(results: Path, golden: Golden) -> None:
    lines = csv.reader(io.StringIO(long_csv(family_tables(load_results(results)))))

    # The last digits of a sum may differ between processors.
    rounded = [[re.sub(r"\d+\.\d+", _nine_digits, field) for field in line] for line in lines]

    golden("report-tables.csv", "".join(f"{','.join(line)}\n" for line in rounded))


def _nine_digits(number: re.Match[str]) -> str:
    return f"{float(number[0]):.9g}"


def test_csv_numbers_are_not_rounded(results: Path) -> None:
    lines = csv.DictReader(io.StringIO(long_csv(family_tables(load_results(results)))))

    (cell,) = [
        line
        for line in lines
        if (line["baseline"], line["where"], line["name"]) == ("good", "local", "toy/toys-beta")
    ]

    assert tuple(cell) == CSV_COLUMNS
    assert float(cell["point"]) == (21.25 + 24.5 + 19.25 + 26.0 + 22.5) / 5


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
    [
        ([0.91], 3),
        ([1.0], 3),
        ([5.0], 2),
        ([100.0], 1),
        ([12.0, 3.0], 1),
        ([250.0], 0),
        ([0.012], 4),
        ([0.0], 3),
        ([], 3),
    ],
)
def test_a_column_up_to_1_gets_three_decimals_and_one_less_for_each_power_of_ten(
    values: list[float], digits: int
) -> None:
    assert decimals(values) == digits


@pytest.mark.parametrize(
    ("value", "text"), [(-0.0001, "0.00"), (-0.4, "-0.40"), (1.2e9, "1.2e+09"), (3.14159, "3.14")]
)
def test_numbers_have_fixed_decimals_and_no_negative_zero(value: float, text: str) -> None:
    assert number_text(value, 2) == text
