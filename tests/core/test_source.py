from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import rlbench.core.source as source_module
from rlbench.core.errors import SpecError, UsageError
from rlbench.core.source import code_digest, module_file, suite_source

PLUGIN = Path(__file__).parent.parent / "plugin" / "rlbench_walk"


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the walk suite under another name, imported."""
    folder = tmp_path / "copied_walk"
    shutil.copytree(PLUGIN, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "inner").mkdir()
    (folder / "inner" / "helper.py").write_text("x = 1\n")
    (folder / "views.py").write_text("y = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module("copied_walk.suite")
    yield folder
    for name in [name for name in sys.modules if name.startswith("copied_walk")]:
        del sys.modules[name]


def source() -> str:
    return suite_source("copied_walk.suite")


@pytest.mark.parametrize("name", ["suite.py", "corridor.py", "inner/helper.py"])
def test_a_changed_line_anywhere_in_the_suite_changes_its_source(suite: Path, name: str) -> None:
    before = source()
    with (suite / name).open("a") as stream:
        stream.write("changed = 1\n")
    assert source() != before


def test_a_new_a_renamed_and_a_removed_file_change_the_source(suite: Path) -> None:
    seen = [source()]
    (suite / "new.py").write_text("")
    seen.append(source())
    (suite / "new.py").rename(suite / "newer.py")
    seen.append(source())
    (suite / "inner" / "helper.py").unlink()
    seen.append(source())
    assert len(set(seen)) == len(seen)


def test_views_specs_and_compiled_files_do_not_change_the_source(suite: Path) -> None:
    before = source()
    (suite / "views.py").write_text("y = 2\n")
    (suite / "views").mkdir()
    (suite / "views" / "table.py").write_text("z = 1\n")
    (suite / "tasks" / "walk" / "corridor.toml").write_text("")
    (suite / "__pycache__").mkdir(exist_ok=True)
    (suite / "__pycache__" / "suite.cpython-311.pyc").write_bytes(b"x")
    assert source() == before


def claim(suite: Path, **words: str) -> None:
    same = {"code": source(), "source": "a" * 64, "why": "faster", "shown": "by runs"} | words
    lines = "".join(f'{key} = "{value}"\n' for key, value in same.items())
    with (suite / "same_numbers.toml").open("a") as stream:
        stream.write(f"[[same]]\n{lines}")


def test_code_that_was_shown_to_give_the_same_numbers_goes_by_the_older_source(
    suite: Path,
) -> None:
    claim(suite)
    assert source() == "a" * 64
    with (suite / "corridor.py").open("a") as stream:
        stream.write("changed = 1\n")
    assert source() != "a" * 64


@pytest.mark.parametrize(
    ("words", "told"),
    [({"code": "abc"}, "hexadecimal"), ({"shwn": ""}, "shwn: unknown key")],
)
def test_a_claim_that_is_not_as_it_should_be_names_file_and_key(
    suite: Path, words: dict[str, str], told: str
) -> None:
    claim(suite, **words)
    with pytest.raises(SpecError, match=rf"same_numbers.toml.*{told}"):
        source()


def test_code_is_claimed_to_be_the_same_as_one_source_only(suite: Path) -> None:
    code = source()
    claim(suite, code=code)
    claim(suite, code=code, source="b" * 64)
    with pytest.raises(SpecError, match="each code once"):
        source()


BEFORE = """
class Net:
    depth = 2

    def f(self, x):
        if x:
            return f"{x:>{self.depth}}" + "a"
        return [x, 1]
"""


def meaning(tmp_path: Path, text: str) -> str:
    path = tmp_path / "code.py"
    path.write_text(text)
    return source_module._meaning(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("class Net:\n", 'class Net:\n    """A net."""\n'),
        ("    depth = 2\n", '    depth = 2\n    """Layers."""\n'),
        ("depth = 2", "depth = 2  # layers"),
        ("\n    def f", "\n    # what it does\n\n    def f"),
        (
            "(self, x):\n",
            '(self, x):\n        "Says nothing."\n        """At length:\n\n        so."""\n',
        ),
        ("[x, 1]", "[\n            x,\n            1\n        ]"),
        ("        if x:\n", "        if x :\n            # why\n"),
    ],
)
def test_comments_docstrings_and_layout_are_no_part_of_the_source(
    tmp_path: Path, old: str, new: str
) -> None:
    assert BEFORE.replace(old, new) != BEFORE
    assert meaning(tmp_path, BEFORE.replace(old, new)) == meaning(tmp_path, BEFORE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"a"', '"b"'),
        ("{x:>", "{x:<"),
        ("depth = 2", "depth = 3"),
        ("depth = 2", 'depth = "2"'),
        ("        return [x, 1]", "            return [x, 1]"),
        ("        return [x, 1]", '        doc = """A value."""\n        return [x, 1]'),
        ("            return f", "            pass\n            return f"),
    ],
)
def test_a_change_of_what_code_does_changes_the_source(tmp_path: Path, old: str, new: str) -> None:
    assert BEFORE.replace(old, new) != BEFORE
    assert meaning(tmp_path, BEFORE.replace(old, new)) != meaning(tmp_path, BEFORE)


def test_a_file_that_is_no_python_still_has_a_source(tmp_path: Path) -> None:
    assert meaning(tmp_path, "x = (") != meaning(tmp_path, "x = ((")


def test_the_folder_in_which_a_suite_lies_does_not_change_the_source(suite: Path) -> None:
    other = suite.parent / "elsewhere" / "copied_walk"
    shutil.copytree(suite, other)
    assert source_module._folders_digest(other) == source()


def test_the_two_habits_of_ending_a_line_give_one_digest(tmp_path: Path) -> None:
    unix, windows = tmp_path / "a.py", tmp_path / "b.py"
    unix.write_bytes(b"x = 1\ny = 2\n")
    windows.write_bytes(b"x = 1\r\ny = 2\r\n")
    assert code_digest(unix) == code_digest(windows)
    windows.write_bytes(b"x = 1\r\ny = 3\r\n")
    assert code_digest(unix) != code_digest(windows)


@pytest.mark.parametrize(
    "line",
    [
        "from rlbench.learn.direct import x",
        "import rlbench.learn.direct",
        "from rlbench.learn import direct",
        "import rlbench.learn as learn",
        "module = 'rlbench.learn.direct'",
    ],
)
def test_shared_code_is_part_of_the_source_of_whoever_uses_it(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    learn = tmp_path / "learn"
    learn.mkdir()
    (learn / "__init__.py").write_text('"""Shared by suites, see rlbench.core.source."""\n')
    (learn / "direct.py").write_text("from rlbench.learn.indirect import y as x\n")
    (learn / "indirect.py").write_text("y = 1\n")
    monkeypatch.setattr(source_module, "_LEARN", learn)
    unused = source()
    (learn / "indirect.py").write_text("y = 2\n")
    assert source() == unused
    (suite / "corridor.py").write_text(f"{line}\n")
    used = source()
    (learn / "indirect.py").write_text("y = 3\n")
    assert source() != used


def test_shared_code_that_a_suite_does_not_use_is_not_part_of_its_source(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = tmp_path / "learn"
    learn.mkdir()
    (learn / "used.py").write_text("x = 1\n")
    monkeypatch.setattr(source_module, "_LEARN", learn)
    (suite / "corridor.py").write_text("from rlbench.learn.used import x\n")
    before = source()
    (learn / "another.py").write_text("z = 1\n")
    assert source() == before


def test_a_suite_in_a_single_module_is_covered_by_that_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lone_suite.py"
    path.write_text("SUITE = None\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module("lone_suite")
    before = suite_source("lone_suite")
    (tmp_path / "neighbour.py").write_text("")
    assert suite_source("lone_suite") == before
    path.write_text("SUITE = 1\n")
    assert suite_source("lone_suite") != before
    del sys.modules["lone_suite"]


def test_a_module_without_a_file_has_no_source() -> None:
    with pytest.raises(UsageError, match="sys has no source file"):
        suite_source("sys")


def test_a_module_is_located_without_being_imported(suite: Path) -> None:
    assert module_file("copied_walk.inner") is None  # a namespace has no file
    assert module_file("copied_walk.views") == suite / "views.py"
    assert "copied_walk.views" not in sys.modules
    assert module_file("no.such.module") is None
