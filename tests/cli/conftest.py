"""Call the command line in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from rlbench.cli.main import main


@dataclass(frozen=True)
class Answer:
    """What a command left."""

    code: int
    out: str
    err: str


@pytest.fixture
def call(
    walk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Answer]:
    """Run `rlbench WORDS` in `tmp_path`; suite `walk` is installed."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Answer:
        with pytest.raises(SystemExit) as stop:
            main(list(words))
        printed = capsys.readouterr()
        return Answer(int(stop.value.code or 0), printed.out, printed.err)

    return run
