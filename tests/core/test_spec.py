from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlbench.core.bundled import bundled
from rlbench.core.errors import SpecError
from rlbench.core.spec import (
    OFFICIAL_SEEDS,
    BaselineSpec,
    Param,
    Point,
    ReferencePoints,
    TaskSpec,
    check_name,
    read_baselines,
    read_tasks,
)

TASK = """
suite = "toy"
name = "alpha"
version = 1
title = "A toy"
family = "greek"
origin = "self-made"
primary = "score"
[reference]
low = { value = 0.0, source = "chance" }
high = { value = 1.0, source = "perfect" }
[tiers.smoke]
episodes = 2
"""
FAMILY = (
    TASK.replace('name = "alpha"\n', "")
    + """
[params]
size = 5
colours = { sky = "blue", grass = "green" }
[members.beta]
params.colours.sky = "grey"
[members.gamma]
name = "third"
title = "The third"
tiers.small.episodes = 9
reference.high = { value = 2.0, source = "oracle" }
"""
)
BASELINE = """
suite = "toy"
name = "guess"
version = 1
title = "Guess"
algorithm = "toy_package.agents:Guess"
source = "nobody"
[params]
lr = { value = 0.5, doc = "step size", low = 0.0, high = 1.0 }
steps = { value = 10, doc = "steps", budget = true }
[tiers.smoke]
steps = 5
"""


def tasks_of(text: str, folder: Path) -> list[TaskSpec]:
    path = folder / "spec.toml"
    path.write_text(text, encoding="utf-8")
    return read_tasks(path, "tasks/toy/spec.toml")


def baselines_of(text: str, folder: Path) -> list[BaselineSpec]:
    path = folder / "spec.toml"
    path.write_text(text, encoding="utf-8")
    return read_baselines(path, "baselines/toy/spec.toml")


def baseline_of(text: str, folder: Path) -> BaselineSpec:
    (baseline,) = baselines_of(text, folder)
    return baseline


def test_a_file_declares_one_task(tmp_path: Path) -> None:
    (task,) = tasks_of(TASK, tmp_path)
    assert (task.id, task.file) == ("toy/alpha", "tasks/toy/spec.toml")


def test_members_of_a_family_share_what_they_do_not_say_themselves(tmp_path: Path) -> None:
    beta, gamma = tasks_of(FAMILY, tmp_path)
    assert [beta.name, gamma.name] == ["greek-beta", "third"]
    assert beta.params == {"size": 5, "colours": {"sky": "grey", "grass": "green"}}
    assert gamma.params["colours"]["sky"] == "blue"
    assert gamma.tiers == {"smoke": {"episodes": 2}, "small": {"episodes": 9}}
    assert (gamma.reference.low.value, gamma.reference.high.value) == (0.0, 2.0)
    assert (beta.title, gamma.title) == ("A toy", "The third")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title", "titel", "titel: unknown key; did you mean 'title'?"),
        ('suite = "toy"\n', "", "suite: missing; expected text"),
        ("version = 1", "version = 0", "version: expected an integer from 1, found 0"),
        ("version = 1", 'version = "1"', "version: expected an integer, found '1'"),
        ('"alpha"', '"Alpha"', "name: expected lower-case letters"),
        ('"alpha"', '"../alpha"', "name: expected lower-case letters"),
        ("self-made", "selfmade", "did you mean 'self-made'"),
        ("[tiers.smoke]", "[tiers.smok]", "tiers: expected some of smoke, small"),
        ("value = 1.0", "value = 0.0", "reference: low and high are both 0.0"),
        ("value = 1.0", "value = nan", "reference.high.value: expected a finite number"),
        (
            "[tiers.smoke]",
            "[seeds]\nsmal = [0]\n[tiers.smoke]",
            "seeds: expected some of smoke, small",
        ),
        ("[tiers.smoke]", "[seeds]\nsmoke = []\n[tiers.smoke]", "seeds.smoke: expected"),
        ("[tiers.smoke]", "[seeds]\nsmoke = [0, 0]\n[tiers.smoke]", "seeds.smoke: expected"),
        ("[tiers.smoke]", "[seeds]\nsmoke = [-1]\n[tiers.smoke]", "seeds.smoke: expected"),
        ("[tiers.smoke]", "[params]\nx = inf\n[tiers.smoke]", "plain finite values"),
        ("[tiers.smoke]", "[params]\nx = 2026-01-01\n[tiers.smoke]", "plain finite values"),
        ("episodes = 2", "episodes = nan", "plain finite values"),
        ('suite = "toy"', 'suite = "toy"\nmembers = 3', "members: expected one table per task"),
        ("episodes = 2", "episodes = 2\n[members]\nbeta = 3", "members.beta: expected a table"),
    ],
)
def test_a_wrong_task_file_gets_one_line_that_names_file_and_key(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in TASK
    with pytest.raises(SpecError) as caught:
        tasks_of(TASK.replace(old, new), tmp_path)
    assert str(caught.value).startswith("tasks/toy/spec.toml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("source", "sources", "sources: unknown key; did you mean 'source'?"),
        ("version = 1", "version = 0", "version: expected an integer from 1, found 0"),
        ("agents:Guess", "agents.Guess", "algorithm: expected 'module:Class'"),
        ("value = 0.5", "value = 1.5", "params.lr.value: expected at most 1"),
        ("value = 0.5", "value = true", "low, high: expected a number to limit, found True"),
        ("steps = 5", "step = 5", "'step' is set for a tier or task but is no key of params"),
        ("steps = 5", "steps = 5.5", "steps: expected an integer, found 5.5"),
        ("[tiers.smoke]", "[tiers.smok]", "tiers: expected some of smoke, small"),
        ("steps = 5", 'steps = 5\n[[overrides]]\ntasks = "*"\nparams = { lr = 2 }', "at most 1"),
        ('"guess"', '"con guess"', "name: expected lower-case letters"),
    ],
)
def test_a_wrong_baseline_file_gets_one_line_that_names_file_and_key(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in BASELINE
    with pytest.raises(SpecError) as caught:
        baseline_of(BASELINE.replace(old, new), tmp_path)
    assert str(caught.value).startswith("baselines/toy/spec.toml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"x = ", b"\xff", b"x = " + b"[" * 100_000, b"x = " + b"9" * 5000, b"#" * (1 << 20) + b"#"],
    ids=["syntax", "not UTF-8", "deep", "long number", "too big"],
)
def test_what_is_no_toml_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "spec.toml"
    path.write_bytes(content)
    for read in (read_tasks, read_baselines):
        with pytest.raises(SpecError, match=r"spec\.toml: (not valid TOML|larger than)"):
            read(path, "shown")


VARIANTS = """
[variants.fast]
title = "Fast"
source = "another paper"
[variants.fast.params]
lr.value = 0.9
[variants.long]
title = "Long"
source = "a thesis"
tiers.smoke.steps = 7
"""


def test_variants_differ_from_their_recipe_in_what_they_say_and_in_prose(tmp_path: Path) -> None:
    about = 'deviations = ["No warm-up."]\ncard = "Guesses."\n'
    recipe, fast, long = baselines_of(about + BASELINE + VARIANTS, tmp_path)

    assert [spec.id for spec in (fast, long)] == [f"{recipe.id}+fast", f"{recipe.id}+long"]
    assert {spec.method for spec in (recipe, fast, long)} == {recipe.id}
    assert (fast.params["lr"].value, fast.params["lr"].high) == (0.9, 1.0)
    assert fast.params["steps"] == recipe.params["steps"]
    assert (fast.tiers, long.tiers) == (recipe.tiers, {"smoke": {"steps": 7}})
    assert (fast.title, fast.source, fast.deviations, fast.card) == (
        "Fast", "another paper", (), "",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lr.value", "step.value", "(variants.fast): params.step: not in the recipe; did you mean"),
        ("lr.value = 0.9", "lr.value = 1.5", "params.lr.value: expected at most 1"),
        ('title = "Fast"', 'name = "x"', "(variants.fast): name: a variant has its recipe's"),
        ('title = "Fast"', 'algorithm = "m:C"', "algorithm: a variant has its recipe's"),
        ('title = "Fast"\n', "", "(variants.fast): title: missing; expected text"),
        ('source = "a thesis"\n', "", "(variants.long): source: missing; expected text"),
        ("variants.fast", 'variants."a+b"', "variant: expected lower-case letters"),
        ("[variants.fast.params]\nlr.value = 0.9", "params = 3", "params: expected a table"),
        (VARIANTS, "[variants]\n", "variants: expected one table per variant"),
        (VARIANTS, "[variants]\nfast = 3\n", "variants.fast: expected a table"),
    ],
)
def test_a_wrong_variant_gets_one_line_that_names_file_and_key(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in VARIANTS
    with pytest.raises(SpecError) as caught:
        baselines_of(BASELINE + VARIANTS.replace(old, new), tmp_path)
    assert str(caught.value).startswith("baselines/toy/spec.toml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "A", "a/b", "..", ".a", "-a", "a b", "a\n", "ä", "a" * 65])
def test_names_that_are_no_safe_path_component_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="lower-case"):
        check_name("name", name)


@pytest.mark.parametrize("name", ["a", "0", "antmaze-umaze-v2", "a.b_c", "a" * 64])
def test_plain_names_are_taken(name: str) -> None:
    check_name("name", name)


@pytest.mark.parametrize(
    ("param", "found", "message"),
    [
        (Param(1, ""), 1.0, "expected an integer, found 1.0"),
        (Param(1, ""), True, "expected an integer, found True"),
        (Param(1.0, ""), float("inf"), "expected a finite number"),
        (Param(1.0, ""), 10**400, "expected a finite number"),
        (Param(1.0, ""), "1", "expected a number, found '1'"),
        (Param(1.0, "", low=0.5), 0.4, "expected at least 0.5"),
        (Param(3, "", high=4), 5, "expected at most 4"),
        (Param("a", "", choices=("a", "b")), "c", "expected one of ['a', 'b']"),
        (Param([1], ""), 1, "expected list, found 1"),
    ],
)
def test_an_override_that_does_not_fit_is_refused(param: Param, found: Any, message: str) -> None:
    with pytest.raises(ValueError, match=r"^x: ") as caught:
        param.check("x", found)
    assert message in str(caught.value)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.integers(-(10**6), 10**6))
def test_an_integer_stands_for_a_float_and_limits_are_inclusive(
    a: float, b: float, found: int
) -> None:
    param = Param(1.0, "", low=min(a, b), high=max(a, b))
    if min(a, b) <= found <= max(a, b):
        value = param.check("x", found)
        assert value == found
        assert isinstance(value, float)
    else:
        with pytest.raises(ValueError, match="expected at"):
            param.check("x", found)


def test_prose_does_not_change_the_hash_of_a_task_and_substance_does(tmp_path: Path) -> None:
    (task,) = tasks_of(TASK, tmp_path)
    prose = TASK.replace("A toy", "Another title").replace("chance", "a coin")
    (reworded,) = tasks_of('card = "Words."\n' + prose, tmp_path)
    (changed,) = tasks_of(TASK.replace("value = 0.0", "value = 0.1"), tmp_path)
    assert reworded.sha256 == task.sha256
    assert changed.sha256 != task.sha256


def test_a_new_tier_does_not_change_the_hash_of_a_task(tmp_path: Path) -> None:
    (task,) = tasks_of(TASK, tmp_path)
    (more,) = tasks_of(TASK + "[tiers.paper]\nepisodes = 1000\n", tmp_path)
    assert more.sha256 == task.sha256


def test_a_task_may_shorten_the_official_seeds_of_a_tier(tmp_path: Path) -> None:
    (task,) = tasks_of(TASK + "[tiers.paper]\n[seeds]\npaper = [0, 1, 2]\n", tmp_path)
    assert task.official_seeds("paper") == (0, 1, 2)
    assert task.official_seeds("smoke") == OFFICIAL_SEEDS["smoke"]
    assert task.official_seeds("custom") == ()


@given(st.floats(-100, 100), st.floats(-100, 100), st.floats(-100, 100))
def test_normalising_maps_the_reference_points_to_0_and_1(a: float, b: float, x: float) -> None:
    if abs(a - b) < 1e-3:
        return
    points = ReferencePoints(Point(a, ""), Point(b, ""))
    assert points.normalise(a) == 0
    assert points.normalise(b) == 1
    better = x + (1 if b > a else -1)
    assert points.normalise(better) > points.normalise(x)


def bundled_files(kind: str) -> list[Path]:
    root = bundled(kind)
    return [path for path in sorted(root.glob("*/**/*.toml")) if path.name != "data.toml"]


@pytest.mark.parametrize("path", bundled_files("tasks"), ids=lambda path: path.name)
def test_every_bundled_task_file_is_well_formed(path: Path) -> None:
    for task in read_tasks(path, path.name):
        assert task.suite == path.relative_to(bundled("tasks")).parts[0]
        assert task.sha256


@pytest.mark.parametrize("path", bundled_files("baselines"), ids=lambda path: path.name)
def test_every_bundled_baseline_file_is_well_formed(path: Path) -> None:
    for baseline in read_baselines(path, path.name):
        assert baseline.suite == path.relative_to(bundled("baselines")).parts[0]
        assert baseline.source
