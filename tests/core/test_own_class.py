from __future__ import annotations

from pathlib import Path

import pytest

from rlbench.core.algorithm import (
    is_own,
    load_algorithm,
    outside_digest,
    own_baseline,
    split_algorithm,
    with_absolute_path,
)
from rlbench.core.errors import UsageError
from rlbench.core.registry import Registry

SOURCE = """
import dataclasses, pathlib
pathlib.Path(__file__).with_suffix(".ran").touch()

class MyAgent:
    def __init__(self, lr, *, depth=2):
        self.lr, self.depth = lr, depth

class Anything:
    def __init__(self, **settings):
        self.settings = settings

class Child(MyAgent):
    pass

class Bare:
    pass

@dataclasses.dataclass
class Fields:
    width: int
    lr: float = 0.1

@dataclasses.dataclass
class MoreFields(Fields):
    depth: int = 3

class Größe:
    pass
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(SOURCE, encoding="utf-8")
    return path


def test_a_class_is_read_from_its_file_without_running_it(file: Path) -> None:
    spec = own_baseline(f"{file}:MyAgent", "walk", ["lr", "depth"])
    assert (spec.id, spec.own, spec.tasks) == ("walk/own-my-agent", True, ("*",))
    assert outside_digest(spec, "rlbench_walk.suite") is not None
    assert not file.with_suffix(".ran").exists()


def test_a_class_is_found_by_module_name_without_running_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(file.parent))
    spec = own_baseline("mine:MyAgent", "walk", [])
    by_path = own_baseline(f"{file}:MyAgent", "walk", [])
    assert outside_digest(spec, "rlbench_walk.suite") == outside_digest(by_path, "rlbench_walk.s")
    assert not file.with_suffix(".ran").exists()


@pytest.mark.parametrize(
    ("name", "parameter", "accepted"),
    [
        ("MyAgent", "lr", True),
        ("MyAgent", "self", False),
        ("MyAgent", "width", False),
        ("Anything", "width", True),
        ("Child", "width", True),  # its constructor is not in its own source: Python will tell
        ("Bare", "lr", False),
        ("Fields", "width", True),
        ("Fields", "depth", False),
        ("MoreFields", "width", True),
    ],
)
def test_a_parameter_must_be_one_that_the_constructor_takes(
    file: Path, name: str, parameter: str, accepted: bool
) -> None:
    if accepted:
        own_baseline(f"{file}:{name}", "walk", [parameter])
    else:
        with pytest.raises(UsageError, match=f"{name} takes no parameter '{parameter}'"):
            own_baseline(f"{file}:{name}", "walk", [parameter])


def test_a_mistyped_parameter_or_class_gets_a_suggestion(file: Path) -> None:
    with pytest.raises(UsageError, match=r"'detph'; did you mean 'depth'\? \(lr, depth\)"):
        own_baseline(f"{file}:MyAgent", "walk", ["detph"])
    with pytest.raises(UsageError, match="no class 'MyAgnt' at its top level; did you mean 'MyAg"):
        own_baseline(f"{file}:MyAgnt", "walk", [])


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("absent.py:A", "'absent.py:A': no such file"),
        ("no_such_module_here:A", "'no_such_module_here:A': no such module"),
        ("no.such.module:A", "no such module"),
        (":A", "expected 'module:Class' or 'path/to/file.py:Class', found ':A'"),
        ("mine.py:", "expected 'module:Class'"),
        ("mine.py:a b", "expected 'module:Class'"),
    ],
)
def test_a_word_that_names_no_class_is_a_usage_error(word: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        own_baseline(word, "walk", [])
    assert message in str(caught.value)


@pytest.mark.parametrize("content", [b"class A(:\n", b"\xff", b"x = '\0'"])
def test_a_file_that_is_no_python_is_a_usage_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.py"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="cannot read as Python"):
        own_baseline(f"{path}:A", "walk", [])


@pytest.mark.parametrize("name", ["Größe", "A" * 100])
def test_a_class_name_that_makes_no_safe_folder_is_a_usage_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"class {name}:\n    pass\n", encoding="utf-8")
    with pytest.raises(UsageError, match="expected lower-case"):
        own_baseline(f"{path}:{name}", "walk", [])


def test_a_changed_line_changes_the_source_hash_of_an_own_class(file: Path) -> None:
    spec = own_baseline(f"{file}:MyAgent", "walk", [])
    before = outside_digest(spec, "rlbench_walk.suite")
    file.write_text(SOURCE.replace("depth=2", "depth=3"), encoding="utf-8")
    assert outside_digest(spec, "rlbench_walk.suite") != before


def test_an_algorithm_in_the_suites_own_package_is_covered_by_the_suites_digest(
    walk: Path,
) -> None:
    registry = Registry.load()
    baseline = registry.baselines["walk/chance"]
    assert outside_digest(baseline, registry.suite_module("walk")) is None
    assert outside_digest(baseline, "rlbench_walkway.suite") is not None


def test_a_relative_path_holds_in_another_working_folder(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    spec = with_absolute_path(own_baseline("mine.py:MyAgent", "walk", []))
    monkeypatch.chdir("/")
    agent = load_algorithm(spec.algorithm)(lr=1, depth=4)
    assert agent.depth == 4


def test_a_class_that_cannot_be_imported_is_a_usage_error(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("import no_such_library_here\nclass A:\n    pass\n")
    with pytest.raises(UsageError, match=r"cannot be imported: .*no_such_library_here"):
        load_algorithm(f"{path}:A")
    with pytest.raises(UsageError, match="cannot be imported"):
        load_algorithm("json:NoSuchClass")


def test_only_a_word_with_a_colon_is_an_own_class() -> None:
    assert is_own("mine.py:A")
    assert is_own("pack.age:A")
    assert not is_own("msp")
    assert split_algorithm("C:/x/mine.py:A") == ("C:/x/mine.py", "A")
