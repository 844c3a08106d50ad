"""The README's table and picture are what the program makes of the reference records."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rlbench.reports.build import build_report, load_for_report
from rlbench.reports.families import family_tables
from rlbench.reports.tables import FORMATS

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "img" / "ranks.png"
BEGIN, END = "<!-- results:begin -->\n", "<!-- results:end -->"
TASKS = "ood/glyph-letters-upper,ood/glyph-symbols,ood/glyph-textures,ood/glyph-photos"
BASELINES = "msp,maxlogit,energy,odin,mahalanobis,rmds,knn,vim,react,pod"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_table_is_what_the_command_beside_it_prints() -> None:
    frame = load_for_report([], tasks=TASKS, baselines=BASELINES, tier="small")
    made = FORMATS["md"](family_tables(frame))
    text = README.read_text()
    before, rest = text.split(BEGIN)
    shown, after = rest.split(END)
    if os.environ.get("RLBENCH_UPDATE_GOLDEN"):
        README.write_text(f"{before}{BEGIN}{made}{END}{after}")
        shown = made
    assert shown == made


def test_the_picture_is_what_the_report_draws(tmp_path: Path) -> None:
    made = build_report([], tmp_path / "report", baselines=BASELINES, tier="small")
    [drawn] = [
        p for p in made.plots if "self-made" in p.name and p.name.endswith("ranks-post-hoc.png")
    ]
    if os.environ.get("RLBENCH_UPDATE_GOLDEN"):
        PICTURE.parent.mkdir(exist_ok=True)
        PICTURE.write_bytes(drawn.read_bytes())
    assert drawn.read_bytes() == PICTURE.read_bytes()
