"""What all tests share: a cache of their own, the test suite `walk`, the command, golden files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import settings

import rlbench

TESTS = Path(__file__).parent
PLUGIN = TESTS / "plugin"
GOLDEN = TESTS / "golden"
UPDATE = "RLBENCH_UPDATE_GOLDEN"

# Set before anything imports torch: on small networks a second thread mostly waits for the first.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("rlbench", deadline=None, print_blob=True)
settings.load_profile("rlbench")

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One cache folder for the whole test run; the user's own is never touched."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("RLBENCH_CACHE", str(folder))
        patch.delenv("RLBENCH_PATH", raising=False)
        patch.delenv("RLBENCH_DEBUG", raising=False)
        yield folder


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder for this test alone."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("RLBENCH_CACHE", str(folder))
    return folder


@pytest.fixture
def walk(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the third-party suite `walk`, here and in processes that the test starts."""
    checkout = str(Path(rlbench.__file__).parent.parent)
    monkeypatch.syspath_prepend(str(PLUGIN))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PLUGIN), checkout]))
    return PLUGIN


@pytest.fixture
def rlbench_command(walk: Path, tmp_path: Path) -> Command:
    """Run `python -m rlbench WORDS` in `tmp_path`; suite `walk` is installed."""

    def command(
        *words: str, env: Mapping[str, str] | None = None, cwd: Path = tmp_path
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "rlbench", *words],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return command


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Hold a text against the file of that name in tests/golden.

    `RLBENCH_UPDATE_GOLDEN=1 pytest` writes the files anew; review the diff before you commit it.
    """

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get(UPDATE):
            path.write_text(text, encoding="utf-8")
        expected = path.read_text(encoding="utf-8") if path.exists() else ""
        assert text == expected, f"{name} differs; if that is meant: {UPDATE}=1 pytest"

    return check
