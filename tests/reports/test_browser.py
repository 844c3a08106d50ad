"""The page in a real browser: silent, alone, sortable, and never wider than the screen."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from rlbench.core.registry import Registry
from rlbench.reports.build import build_report

pytestmark = pytest.mark.browser

WriteCell = Callable[..., None]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def page_of(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens a report of a results folder; afterwards nothing may have been complained of."""
    said: list[str] = []
    asked: list[str] = []
    pages = []

    def open_page(root: Path, width: int = 1280) -> Any:
        made = build_report([root], tmp_path / "out")
        page = browser.new_page(viewport={"width": width, "height": 800})
        pages.append(page)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(made.html.as_uri())
        return page

    yield open_page
    for page in pages:
        page.close()
    assert said == []
    assert asked == [(tmp_path / "out" / "index.html").as_uri()]


def column(page: Any, index: int) -> list[str]:
    cells = page.locator(f"article table tbody tr > :nth-child({index})")
    return [text.strip() for text in cells.all_inner_texts()]


def test_a_click_and_a_key_sort_a_column_and_missing_values_stay_last(
    page_of: Callable[..., Any], results: Path
) -> None:
    page = page_of(results)
    heading = page.locator("article thead th", has_text="IQM")

    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert [text[:5] for text in column(page, 3)] == ["0.750", "0.740", "0.417", "–"]

    heading.locator("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert [text[:5] for text in column(page, 3)] == ["0.417", "0.740", "0.750", "–"]


def test_sorting_by_another_column_moves_the_mark(
    page_of: Callable[..., Any], results: Path
) -> None:
    page = page_of(results)

    for name in ("IQM", "baseline"):
        page.locator("article thead th", has_text=name).locator("button").click()

    assert page.locator("[aria-sort]").all_inner_texts() == ["baseline"]
    assert column(page, 1) == ["base+k=3", "good", "good", "part"]


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_never_scrolls_sideways(
    page_of: Callable[..., Any], results: Path, write_cell: WriteCell, width: int
) -> None:
    for index in range(12):
        write_cell(results, [0.5] * 5, task=f"toy/wide-{'x' * 40}-{index}", family="w" * 90)

    page = page_of(results, width)

    assert page.evaluate("document.documentElement.scrollWidth") == width


WIDE = """
import numpy as np
from rlbench.core.suite import HeatMap, View

def build(frame):
    names = [f"column-{j}" for j in range(40)]
    return [HeatMap("h", "H", ["row"], names, np.ones((1, 40)), [["17"] * 40], (0.0, 1.0))]

class Suite:
    def views(self):
        return [View("wide", "Wide", build)]

SUITE = Suite()
"""


def test_a_wide_heat_map_scrolls_in_a_box_of_its_own_and_stays_readable(
    page_of: Callable[..., Any], results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "toy_wide_suite.py").write_text(WIDE)
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry()
    registry.__dict__["_suites"] = {
        "toy": EntryPoint("toy", "toy_wide_suite:SUITE", "rlbench.suites")
    }
    monkeypatch.setattr("rlbench.reports.build.load_registry", lambda: (registry, []))

    page = page_of(results, 390)

    field = page.locator("figure.wide svg text", has_text="17").first
    assert field.bounding_box()["height"] > 9
    box = page.locator("figure.wide .plot").first
    assert box.evaluate("box => box.scrollWidth > 2 * box.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    link = page.locator("nav a", has_text="Wide").first.get_attribute("href")
    assert page.locator(f"article{link} h3").inner_text().startswith("Wide")


def test_hostile_text_is_inert(page_of: Callable[..., Any], tmp_path: Path, write: Any) -> None:
    bad = "</script><img src=x onerror=\"document.title='hit'\"><svg onload=document.title='hit'>"
    curve = [{"step": 0, bad: 0.0}, {"step": 1, bad: 1.0}]
    for seed in range(5):
        write(
            tmp_path / "r", seed=seed, family=bad, title=bad, unit=bad, group=bad, cpu=bad,
            command=bad, curve=curve,
        )  # fmt: skip

    page = page_of(tmp_path / "r")

    assert page.title() == "rlbench report"
    assert page.locator("img").count() == 0
    assert bad in page.locator("h3").first.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_take_the_colours_of_the_scheme(
    page_of: Callable[..., Any], results: Path, scheme: str
) -> None:
    page = page_of(results)
    page.emulate_media(color_scheme=scheme)

    ink, paper = page.evaluate(
        "() => { const svg = document.querySelector('.plot svg'); return "
        "[getComputedStyle(svg.querySelector('text')).fill, "
        "getComputedStyle(svg.querySelector('.paper')).fill]; }"
    )

    def brightness(colour: str) -> float:
        return sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(",")))

    assert (brightness(ink) < brightness(paper)) is (scheme == "light")
