from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from rlbench.core.errors import MissingError, SpecError, UsageError
from rlbench.core.registry import Registry

PLUGIN = Path(__file__).parent.parent / "plugin" / "rlbench_walk"
Package = Callable[..., Path]


@pytest.fixture
def registry(walk: Path) -> Registry:
    return Registry.load()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Install a package: its entry points, its code, and its spec files."""

    def install(name: str, points: str, code: str = "", **specs: str) -> Path:
        root = tmp_path / "site"
        info = root / f"{name}-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(points)
        (root / name).mkdir()
        (root / name / "__init__.py").write_text(code)
        for kind, text in specs.items():
            path = root / name / kind / "toy" / "spec.toml"
            path.parent.mkdir(parents=True)
            path.write_text(text)
        monkeypatch.syspath_prepend(str(root))
        return root / name

    return install


def ids(found: object) -> list[str]:
    assert isinstance(found, list)
    return [spec.id for spec in found]


def test_a_third_partys_suite_tasks_and_baselines_are_there_once_installed(
    registry: Registry,
) -> None:
    assert {"ood", "walk"} <= set(registry.suite_names)
    assert {"walk/corridor-short", "walk/corridor-long"} <= set(registry.tasks)
    assert {"walk/chance", "walk/q-learning"} <= set(registry.baselines)
    assert registry.suite("walk").title == "A corridor to walk down (test suite)"
    assert registry.suite_module("walk") == "rlbench_walk.suite"


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ("walk/corridor-long", ["walk/corridor-long"]),
        ("corridor-long", ["walk/corridor-long"]),
        ("walk/*", ["walk/corridor-short", "walk/corridor-long"]),
        ("corridor-[ls]*", ["walk/corridor-short", "walk/corridor-long"]),
        ("*-long,walk/*", ["walk/corridor-long", "walk/corridor-short"]),
        (" corridor-long , ", ["walk/corridor-long"]),
    ],
)
def test_tasks_are_found_by_id_name_glob_and_comma(
    registry: Registry, patterns: str, expected: list[str]
) -> None:
    assert ids(registry.find_tasks(patterns)) == expected


def test_a_star_finds_everything(registry: Registry) -> None:
    assert len(registry.find_tasks("*")) == len(registry.tasks)
    assert len(registry.find_baselines("*")) == len(registry.baselines)


def test_an_unknown_name_gets_a_suggestion(registry: Registry) -> None:
    with pytest.raises(UsageError, match="no task matches 'coridor-long'; did you mean 'corridor"):
        registry.find_tasks("coridor-long")
    with pytest.raises(UsageError, match="did you mean 'walk/corridor-long'"):
        registry.find_tasks("walk/corridor-lang")
    with pytest.raises(UsageError, match="no baseline matches 'chanse'; did you mean 'chance'"):
        registry.find_baselines("q-learning,chanse")
    with pytest.raises(UsageError, match="no suite 'wlak'; did you mean 'walk'"):
        registry.suite("wlak")
    with pytest.raises(UsageError, match="no task named"):
        registry.find_tasks(" , ")


def test_names_are_matched_exactly_as_they_are_written(registry: Registry) -> None:
    with pytest.raises(UsageError):
        registry.find_tasks("WALK/*")


def test_folders_in_the_path_variable_add_specs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        folder = tmp_path / name / "baselines" / "walk"
        folder.mkdir(parents=True)
        text = (PLUGIN / "baselines" / "walk" / "chance.toml").read_text()
        (folder / "b.toml").write_text(text.replace('"chance"', f'"{name}"'))
    monkeypatch.setenv("RLBENCH_PATH", f"{tmp_path / 'one'}{os.pathsep}{tmp_path / 'two'}")
    registry = Registry.load()
    assert {"walk/one", "walk/two"} <= set(registry.baselines)
    assert registry.baselines["walk/one"].file == str(tmp_path / "one/baselines/walk/b.toml")


def like(root: Path, **recipes: str) -> Registry:
    """A registry with recipes that have a deviation each, by name and whom they name."""
    folder = root / "baselines" / "walk"
    folder.mkdir(parents=True)
    chance = (PLUGIN / "baselines" / "walk" / "chance.toml").read_text()
    for name, named in recipes.items():
        text = chance.replace('"chance"', f'"{name}"')
        more = f'deviates_like = [{named}]\ndeviations = ["Of {name}.", "Of both."]\n'
        (folder / f"{name}.toml").write_text(more + text)
    registry = Registry.load()
    registry.add_root(root)
    return registry


def test_a_recipe_may_share_the_deviations_of_others_and_says_each_once(
    walk: Path, tmp_path: Path
) -> None:
    known = like(tmp_path, a='"b"', b='"c", "chance"', c="").baselines
    assert known["walk/a"].deviations == ("Of c.", "Of both.", "Of b.", "Of a.")
    assert known["walk/c"].deviations == ("Of c.", "Of both.")


@pytest.mark.parametrize(
    ("named", "message"),
    [('"walks"', "no recipe 'walk/walks'"), ('"b"', "names itself"), ('"a"', "names itself")],
)
def test_deviations_of_an_unknown_recipe_or_of_itself_are_an_error(
    walk: Path, tmp_path: Path, named: str, message: str
) -> None:
    with pytest.raises(SpecError, match=rf"(a|b)\.toml: deviates_like: {message}"):
        like(tmp_path, a=named, b='"a"')


def test_a_folder_in_the_path_variable_without_specs_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RLBENCH_PATH", str(tmp_path / "typo"))
    with pytest.raises(SpecError, match="typo: expected a folder 'tasks' or 'baselines' in it"):
        Registry.load()


def test_a_name_declared_twice_is_an_error_that_names_both_files(
    registry: Registry, tmp_path: Path
) -> None:
    folder = tmp_path / "baselines" / "walk"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_bytes((PLUGIN / "baselines/walk/chance.toml").read_bytes())
    with pytest.raises(SpecError) as caught:
        registry.add_root(tmp_path)
    assert str(folder / "mine.toml") in str(caught.value)
    assert "'walk/chance' is already declared in" in str(caught.value)
    assert "rlbench_walk/baselines/walk/chance.toml" in str(caught.value)


def test_a_data_set_declared_twice_is_an_error(registry: Registry, tmp_path: Path) -> None:
    text = '[sets.letters]\ntitle = ""\nlicence = ""\nupstream = ""\n'
    text += 'files.all = { path = "letters", sha256 = "" }\n'
    for name in ("one", "two"):
        folder = tmp_path / name / "tasks" / "toy"
        folder.mkdir(parents=True)
        (folder / "data.toml").write_text(text)
    registry.add_root(tmp_path / "one")
    with pytest.raises(SpecError, match=r"two/tasks/toy/data\.toml: data set 'letters' is already"):
        registry.add_root(tmp_path / "two")


BROKEN_SPEC = 'suite = "toy"\n'
GOOD_BASELINE = (PLUGIN / "baselines/walk/chance.toml").read_text().replace('"walk"', '"toy"')


@pytest.mark.parametrize(
    ("points", "code", "specs"),
    [
        ("[rlbench.specs]\nbad = no_such_module\n", "", {}),
        ("[rlbench.specs]\nbad = bad.inner\n", "raise RuntimeError('at import')", {}),
        ("[rlbench.specs]\nbad = bad\n", "", {}),
        ("[rlbench.specs]\nbad = bad\n", "", {"tasks": BROKEN_SPEC, "baselines": GOOD_BASELINE}),
        ("[rlbench.specs]\nbad = bad\n", "", {"tasks": "x ="}),
    ],
    ids=["absent", "fails at import", "no specs", "wrong key", "no TOML"],
)
def test_a_broken_installed_package_is_warned_of_and_the_rest_works(
    walk: Path, package: Package, points: str, code: str, specs: dict[str, str]
) -> None:
    package("bad", points, code, **specs)
    with pytest.warns(UserWarning, match="plug-in 'bad' is left out: ") as caught:
        registry = Registry.load()
    assert len(caught) == 1
    assert "walk/chance" in registry.baselines
    assert not [name for name in registry.baselines if name.startswith("toy/")]


def test_nothing_of_a_package_with_one_broken_file_is_listed(package: Package) -> None:
    root = package("bad", "[rlbench.specs]\nbad = bad\n", baselines=GOOD_BASELINE)
    (root / "baselines" / "toy" / "zz-broken.toml").write_text(BROKEN_SPEC)
    with pytest.warns(UserWarning, match=r"zz-broken\.toml"):
        registry = Registry.load()
    assert not [name for name in registry.baselines if name.startswith("toy/")]


def test_a_suite_that_cannot_be_imported_is_missing_only_when_it_is_asked_for(
    package: Package,
) -> None:
    package("bad", "[rlbench.suites]\nbad = bad:SUITE\n", "import no_such_library")
    registry = Registry.load()
    assert "bad" in registry.suite_names
    with pytest.raises(MissingError, match=r"suite 'bad' cannot be imported: .*no_such_library"):
        registry.suite("bad")


def test_a_suite_name_taken_twice_keeps_one_and_warns(walk: Path, package: Package) -> None:
    package("bad", "[rlbench.suites]\nwalk = bad:SUITE\n", "SUITE = None")
    with pytest.warns(UserWarning, match=r"suite 'walk' is registered as .* and as "):
        assert Registry.load().suite_names.count("walk") == 1


def test_reading_the_registry_imports_no_suite(package: Package) -> None:
    package("bad", "[rlbench.suites]\nbad = bad:SUITE\n", "raise RuntimeError('imported')")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "bad" in Registry.load().suite_names
