"""A report on disk: whole, repeatable, and safe whatever the records say."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rlbench.core.errors import RlbenchError, UsageError
from rlbench.reports.build import build_report
from rlbench.reports.provenance import repeating

Write = Callable[..., Path]
WriteCell = Callable[..., None]


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_records_give_the_same_bytes_wherever_they_lie(
    tmp_path: Path, results: Path
) -> None:
    build_report([results], tmp_path / "one")
    moved = results.rename(tmp_path / "elsewhere")
    build_report([moved], tmp_path / "deeper" / "two")

    assert files_of(tmp_path / "one") == files_of(tmp_path / "deeper" / "two")


def test_a_report_is_a_page_with_tables_and_plots(tmp_path: Path, results: Path) -> None:
    made = build_report([results], tmp_path / "out")

    names = {re.sub(r"v1-[0-9a-f]{6}", "v1", name) for name in files_of(tmp_path / "out")}
    stem = "toy-toys-small-v1"
    assert names == {
        "index.html", "tables/all.csv", *(f"tables/{stem}.{e}" for e in ("md", "tex", "csv")),
        *(f"plots/{stem}-{p}.{e}" for p in ("intervals", "ranks", "profiles")
          for e in ("png", "svg")),
    }  # fmt: skip
    assert made.html == tmp_path / "out" / "index.html"
    assert not made.corrupt
    assert "good 0.750" in made.summary


def test_the_page_holds_no_path_of_this_machine(tmp_path: Path, results: Path) -> None:
    page = build_report([results], tmp_path / "out").html.read_text()

    assert str(tmp_path) not in page


def test_the_policy_allows_exactly_the_pages_own_style_and_script(
    tmp_path: Path, results: Path
) -> None:
    page = build_report([results], tmp_path / "out").html.read_text()

    for tag in ("style", "script"):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page
    assert " style=" not in page
    assert not re.search(r"(src|href)=\"(?!#)", page)


class Structure(HTMLParser):
    """The tags of a page, and whether they nest."""

    void = frozenset({"meta", "br", "img", "link", "input", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.ids: list[str] = []
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        if tag == "a":
            self.links.add((found["href"] or "").removeprefix("#"))
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_hostile_text_adds_no_tag_to_the_page(
    tmp_path: Path, results: Path, write_cell: WriteCell
) -> None:
    bad = "</script></title><img src=x onerror=alert(1)><iframe>\"'\x1b[2J"
    tame, wild = tmp_path / "tame", tmp_path / "wild"
    for root, text in ((tame, "text"), (wild, bad)):
        write_cell(
            root, [0.5] * 5, family=text, title=text, unit=text, group=text, metric=text,
            metrics={text: 1.0}, cpu=text, command=text,
        )  # fmt: skip

    tags = []
    for root in (tame, wild):
        parser = Structure()
        parser.feed(build_report([root], tmp_path / f"out-{root.name}").html.read_text())
        assert parser.open == []
        tags.append(parser.seen)

    assert tags[0] == tags[1]
    assert "img" not in tags[0]


def test_ids_are_unique_and_links_lead_to_them(
    tmp_path: Path, results: Path, write_cell: WriteCell
) -> None:
    write_cell(results, [0.5] * 2, task="toy/toys-alpha", tier="smoke")
    write_cell(results, [0.5] * 5, task="toy/toys-alpha", row="late", source="newer")
    write_cell(results, [0.5] * 5, task="other/one")
    parser = Structure()

    parser.feed(build_report([results], tmp_path / "out").html.read_text())

    assert len(parser.ids) == len(set(parser.ids))
    assert parser.links <= set(parser.ids)


def test_a_second_build_takes_the_first_ones_leftovers_away_and_nothing_else(
    tmp_path: Path, results: Path, write_cell: WriteCell
) -> None:
    write_cell(tmp_path / "other", [0.5] * 5, task="other/one")
    out = tmp_path / "out"
    build_report([results], out)
    (out / "tables" / "notes.txt").write_text("mine")
    build_report([tmp_path / "other"], out, reference=False)

    again = files_of(out)
    assert again.pop("tables/notes.txt") == b"mine"
    assert not any("toy-" in name for name in again)


def test_somebodys_own_page_is_not_overwritten(tmp_path: Path, results: Path) -> None:
    (tmp_path / "index.html").write_text("<h1>my site</h1>")

    with pytest.raises(UsageError, match="is no rlbench report"):
        build_report([results], tmp_path)

    assert (tmp_path / "index.html").read_text() == "<h1>my site</h1>"


def test_a_corrupt_record_is_named_and_the_rest_is_built(tmp_path: Path, results: Path) -> None:
    broken = next(results.rglob("seed-0.json"))
    broken.write_text("{")

    made = build_report([results], tmp_path / "out")

    assert made.corrupt
    assert str(broken) in made.problems[0]
    assert "1 corrupt record was left out" in made.html.read_text()


def test_no_results_at_all_are_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RlbenchError, match="no results yet; make some with rlbench run"):
        build_report([tmp_path], tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_importing_reports_imports_neither_torch_nor_pandas_nor_matplotlib() -> None:
    code = (
        "import sys, rlbench.reports.build, rlbench.reports.compare; "
        "print({'torch', 'pandas', 'matplotlib', 'scipy'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.stdout.strip(), done.stderr) == ("set()", "")


def test_the_command_of_a_cell_names_all_its_seeds() -> None:
    commands = [f"rlbench run toy/a base --tier small --seeds {seed}" for seed in range(5)]

    assert repeating(commands, range(5)) == "rlbench run toy/a base --tier small --seeds 0-4"
    assert repeating(["one --seeds 0", "two --seeds 1"], [0, 1]) == "one --seeds 0; two --seeds 1"
