"""A stranger's pair: two folders of images, one TOML file, no code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rlbench.core.bundled import bundled

GUIDE = bundled("tasks").parent / "docs" / "add-an-ood-pair.md"
RNG = np.random.default_rng(0)

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The folder of the guide, with the guide's own TOML file."""
    if not GUIDE.is_file():
        pytest.skip("the guides are not part of an installed package")
    toml = re.search(r"```toml\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert toml is not None
    path = tmp_path / "mine" / "tasks" / "ood" / "birds.toml"
    path.parent.mkdir(parents=True)
    path.write_text(toml[1].replace("epochs = 20", "epochs = 2"))
    for name, level in (("birds/owl", 60), ("birds/wren", 190), ("fish", 120)):
        folder = tmp_path / "mine" / name
        folder.mkdir(parents=True)
        for i in range(40):
            pixels = RNG.normal(level, 20, (36, 48, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{i:03}.png")
    return tmp_path / "mine"


@pytest.fixture
def rlbench(tmp_path: Path, mine: Path) -> Command:
    def command(*words: str) -> subprocess.CompletedProcess[str]:
        own = {"RLBENCH_PATH": str(mine), "RLBENCH_CACHE": str(tmp_path / "cache")}
        kept = {k: v for k, v in os.environ.items() if k != "RLBENCH_DATA"}
        return subprocess.run(
            [sys.executable, "-m", "rlbench", *words, "--results", str(tmp_path / "results")],
            cwd=tmp_path,
            env={**kept, **own},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return command


@pytest.mark.slow
def test_two_folders_and_the_guides_toml_file_make_a_task_that_runs(
    rlbench: Command, tmp_path: Path
) -> None:
    done = rlbench("run", "birds-fish", "msp", "--tier", "small", "--seeds", "0")
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "results").rglob("seed-0.json")
    record = json.loads(path.read_text())
    assert record["notes"]["n_train"] == 56
    assert record["notes"]["n_val"] == 8
    assert record["notes"]["n_id"] == 16
    assert record["notes"]["n_ood"] == 40
    assert {one["name"] for one in record["data"]} == {"folder:birds", "folder:fish"}
    assert str(tmp_path) not in path.read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda mine: (mine / "fish").rename(mine / "fishes"), "put fish/ under"),
        (lambda mine: (mine / "fish" / "007.png").write_bytes(b""), "007.png: an empty file"),
        (
            lambda mine: (mine / "birds" / "owl").rename(mine / "birds" / "wren" / "owl"),
            "expected 2 sub-folders with pictures, found 1",
        ),
    ],
)
def test_broken_folders_end_with_one_line_and_exit_code_3(
    rlbench: Command, mine: Path, spoil: Callable[[Path], object], words: str
) -> None:
    spoil(mine)
    done = rlbench("run", "birds-fish", "msp", "--tier", "small", "--seeds", "0")
    assert done.returncode == 3, done.stderr
    assert any(words in line for line in done.stderr.splitlines())
    assert "Traceback" not in done.stderr
