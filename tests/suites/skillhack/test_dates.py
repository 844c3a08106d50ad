"""A seed gives one game, on whatever day and in whatever process it is played."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
DATES = (
    "2026-11-24 12:00:00",  # full moon
    "2026-11-13 12:00:00",  # Friday the 13th
    "2026-12-09 12:00:00",  # new moon
    "2026-11-21 00:00:30",  # midnight
    "2027-03-03 09:00:00",
)
TASKS = ("throw", "medusa-published")


def hashes(**more: str) -> str:
    program = Path(__file__).parents[2] / "support" / "nethack_levels.py"
    done = subprocess.run(
        [sys.executable, program, *TASKS],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **more},
    )
    return done.stdout


def test_another_process_with_other_hashes_of_text_plays_the_same() -> None:
    assert hashes(PYTHONHASHSEED="1") == hashes(PYTHONHASHSEED="2")


@pytest.mark.slow
@pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed (apt install libfaketime)")
def test_the_date_changes_nothing() -> None:
    dated = {hashes(LD_PRELOAD=str(LIBRARIES[0]), FAKETIME=f"@{date}") for date in DATES}

    assert dated == {hashes()}
