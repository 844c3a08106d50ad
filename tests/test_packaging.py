"""The wheel is the product: it must hold what the checkout holds and work without it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import click
import pytest

from rlbench.core.bundled import bundled, checkout

pytest.importorskip("hatchling")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(checkout() is None, reason="the wheel is built from a checkout"),
]


def python(*words: str, cwd: Path, **environment: str) -> str:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    answer = subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    root = checkout()
    assert root is not None
    python("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=root)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def members(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_the_package_with_its_claims_of_same_numbers(members: set[str]) -> None:
    root = checkout()
    assert root is not None
    files = [path for path in (root / "rlbench").rglob("[!.]*.*") if path.suffix != ".pyc"]
    names = {path.relative_to(root).as_posix() for path in files}
    assert "rlbench/suites/ood/same_numbers.toml" in names
    assert names <= members


@pytest.mark.parametrize("kind", ["tasks", "baselines", "results/reference"])
def test_the_wheel_holds_every_declared_file(members: set[str], kind: str) -> None:
    root = bundled(kind)
    declared = [path.relative_to(root).as_posix() for path in root.rglob("[!.]*") if path.is_file()]
    assert {f"rlbench/_bundled/{kind}/{name}" for name in declared} <= members


def test_the_wheel_holds_the_package_and_says_that_it_is_typed(members: set[str]) -> None:
    root = Path(bundled("tasks")).parent
    modules = {path.relative_to(root).as_posix() for path in (root / "rlbench").rglob("*.py")}
    assert modules <= members
    assert "rlbench/py.typed" in members


def test_the_wheel_holds_nothing_else(members: set[str]) -> None:
    tops = {name.partition("/")[0] for name in members}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"rlbench"}
    assert not [name for name in members if "test" in name or name.endswith(".pyc")]
    assert not [name for name in members if "results/local" in name]


def test_an_installed_wheel_lists_the_same_things_as_the_checkout(
    wheel: Path, tmp_path: Path
) -> None:
    site, clean = tmp_path / "site", tmp_path / "clean"
    words = ["pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    python("-m", *words, str(wheel), cwd=tmp_path)
    clean.mkdir()  # click alone, so that the checkout's own installation is out of sight
    (clean / "click").symlink_to(Path(click.__file__).parent)
    path = os.pathsep.join([str(site), str(clean)])

    def listed(where: Path, *flags: str, **environment: str) -> object:
        words = [*flags, "-m", "rlbench", "list", "--json"]
        return json.loads(python(*words, cwd=where, **environment))

    installed = listed(Path("/"), "-S", PYTHONPATH=path, HOME=str(tmp_path))
    assert installed == listed(bundled("tasks").parent)
