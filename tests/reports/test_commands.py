"""`rlbench report` and `rlbench compare` as a user meets them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rlbench.cli.reporting import compare, report
from rlbench.core.errors import RlbenchError, UsageError

WriteCell = Callable[..., None]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)

    def call(*words: str | Path) -> Result:
        name, *rest = map(str, words)
        return CliRunner().invoke({"report": report, "compare": compare}[name], rest)

    return call


def test_report_writes_everything_and_prints_an_overview(
    run: Callable[..., Result], results: Path, tmp_path: Path
) -> None:
    done = run("report", "--results", results)

    assert done.exit_code == 0
    assert done.stdout.startswith("| suite | tier")
    assert "report/index.html (4 files of tables, 6 of plots beside it)" in done.stderr
    assert (tmp_path / "report" / "index.html").is_file()


@pytest.mark.parametrize(
    ("form", "start"), [("md", "### toy"), ("latex", r"\begin{table}"), ("csv", "suite,tier")]
)
def test_a_text_format_only_prints(
    run: Callable[..., Result], results: Path, tmp_path: Path, form: str, start: str
) -> None:
    done = run("report", "--results", results, "--format", form)

    assert done.exit_code == 0
    assert done.stdout.startswith(start)
    assert not (tmp_path / "report").exists()


def test_patterns_and_no_reference_narrow_the_report(
    run: Callable[..., Result], results: Path
) -> None:
    done = run(
        "report", "toys-alpha", "good", "--results", results, "--no-reference",
        "--format", "csv",
    )  # fmt: skip

    lines = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {line["baseline"] for line in lines} == {"good"}
    assert {line["where"] for line in lines} == {"local"}
    assert "toy/toys-beta" not in done.stdout


def test_report_json_holds_every_cell(run: Callable[..., Result], results: Path) -> None:
    (table,) = json.loads(run("report", "--results", results, "--json").stdout)["tables"]

    best = table["rows"][0]
    assert (best["baseline"], best["rank"]["point"]) == ("good", 1)
    assert best["cells"]["toy/toys-alpha"]["values"] == [0.713, 0.74, 0.69, 0.77, 0.72]


def test_a_corrupt_record_makes_the_status_1_after_the_report_is_made(
    run: Callable[..., Result], results: Path, tmp_path: Path
) -> None:
    broken = next(results.rglob("seed-0.json"))
    broken.write_text("{")

    done = run("report", "--results", results)

    assert done.exit_code == 1
    assert done.stderr.count(str(broken)) == 1
    assert (tmp_path / "report" / "index.html").is_file()


def test_no_results_are_status_1_and_a_pattern_without_a_match_is_status_2(
    run: Callable[..., Result], results: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()

    nothing = run("report", "--results", tmp_path / "empty", "--no-reference").exception
    unmatched = run("report", "toy/gamma", "--results", results).exception

    assert isinstance(nothing, RlbenchError)
    assert nothing.exit_code == 1
    assert isinstance(unmatched, UsageError)
    assert unmatched.exit_code == 2


def test_compare_prints_a_table_and_the_probability_of_improvement(
    run: Callable[..., Result], results: Path
) -> None:
    done = run("compare", "good", "base+k=3", "--results", results)

    assert done.exit_code == 0
    assert "| toy/toys-beta ↓  |" in done.stdout
    assert "P(good beats base+k=3) = 1.000" in done.stdout


def test_compare_json_is_strict_also_where_an_effect_is_infinite(
    run: Callable[..., Result], tmp_path: Path, write_cell: WriteCell
) -> None:
    write_cell(tmp_path / "r", [0.5] * 5, row="one")
    write_cell(tmp_path / "r", [0.75] * 5, row="two")

    text = run("compare", "one", "two", "--results", tmp_path / "r", "--json").stdout

    (found,) = json.loads(text, parse_constant=pytest.fail)["comparisons"]
    assert found["tasks"][0]["test"]["p"] == 0.0
    assert found["tasks"][0]["test"]["cohen_d"] is None
    assert found["tasks"][0]["better"] == "B"
