from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rlbench.core.errors import UsageError
from rlbench.core.record import Record
from rlbench.core.spec import BaselineSpec, Override, Param, Point, ReferencePoints, TaskSpec
from rlbench.core.trial import IDENTITY_VERSION, VARIANT, Trial, resolve_params

IDENTITIES = {
    # Of the trial in conftest.py, where every field that the identity reads is set. Never change a
    # value: records of that version exist. A new meaning gets a new version and a new line.
    1: "68a83cf0998e8430eb2b9b49b290347dfc0956c06807a3fb8ed93536e755f198",
}

values = (
    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
    | st.text(max_size=12) | st.sampled_from(["1", "1.0", "True", "small", "1,b=2", "a-b", "../x"])
    | st.lists(st.integers(), max_size=3)
)  # fmt: skip
overrides = st.dictionaries(st.sampled_from(["a", "b", "long_name"]), values, max_size=3)


def test_the_identity_is_what_it_always_was(trial: Trial) -> None:
    assert trial.identity == IDENTITIES[IDENTITY_VERSION]


def test_nothing_is_left_at_its_default_in_the_golden_trial(trial: Trial) -> None:
    def leaves(value: Any) -> list[Any]:
        if isinstance(value, Mapping):
            return [leaf for item in value.values() for leaf in leaves(item)] or [None]
        return [value]

    assert None not in leaves(trial.asked)
    assert "" not in leaves(trial.asked)


def variations(trial: Trial) -> dict[str, Trial]:
    task, baseline = trial.task, trial.baseline
    points = task.reference
    return {
        "task version": replace(trial, task=replace(task, version=4)),
        "task name": replace(trial, task=replace(task, name="beta")),
        "task params": replace(trial, task=replace(task, params={**task.params, "size": 6})),
        "task data": replace(trial, task=replace(task, data=())),
        "primary metric": replace(trial, task=replace(task, primary="spread")),
        "reference point": replace(
            trial,
            task=replace(task, reference=replace(points, low=replace(points.low, value=0.5))),
        ),
        "suite": replace(trial, task=replace(task, suite="other")),
        "protocol": replace(trial, task=replace(task, tiers={"small": {"episodes": 8}})),
        "tier": replace(trial, base_tier="smoke"),
        "baseline version": replace(trial, baseline=replace(baseline, version=3)),
        "baseline name": replace(trial, baseline=replace(baseline, name="guess-2")),
        "algorithm's class": replace(
            trial, baseline=replace(baseline, algorithm="toy_package.agents:Other")
        ),
        "parameter": replace(trial, params={**trial.params, "lr": 0.25}),
        "algorithm's source": replace(trial, algorithm_sha256="d" * 64),
        "seed": replace(trial, seed=5),
    }


def test_everything_that_decides_the_result_changes_the_identity(trial: Trial) -> None:
    found = {name: item.identity for name, item in variations(trial).items()}
    assert trial.identity not in found.values()
    assert len(set(found.values())) == len(found)


def test_what_cannot_change_the_result_does_not_change_the_identity(trial: Trial) -> None:
    task, baseline = trial.task, trial.baseline
    same = [
        replace(trial, task=replace(task, title="Other", card="Prose.", file="elsewhere.toml")),
        replace(trial, task=replace(task, group="near", origin="real", seeds={"small": [0]})),
        replace(trial, task=replace(task, tiers={**task.tiers, "paper": {"episodes": 99}})),
        replace(trial, baseline=replace(baseline, title="Other", source="X", file="f", card="c")),
        replace(trial, baseline=replace(baseline, algorithm="/home/me/mine.py:Guess")),
        replace(trial, params=dict(reversed(list(trial.params.items())))),
    ]
    assert {item.identity for item in same} == {trial.identity}


def test_an_override_changes_the_variant_and_only_a_budget_changes_the_tier(trial: Trial) -> None:
    wider = replace(trial, overrides={"net": "large"})
    longer = replace(trial, overrides={"steps": 7})
    assert (trial.variant, trial.tier) == ("", "small")
    assert (wider.variant, wider.tier) == ("net=large", "small")
    assert (longer.variant, longer.tier) == ("steps=7,from-small", "custom")
    assert longer.protocol == trial.protocol
    assert "custom" in longer.label


def test_a_recipes_variant_comes_before_what_the_user_changed(trial: Trial) -> None:
    baseline = replace(trial.baseline, variant="fast")
    fast = replace(trial, baseline=baseline)
    wider = replace(fast, overrides={"net": "large", "lr": 0.1})
    longer = replace(fast, overrides={"steps": 7})

    assert (fast.variant, fast.cell.row, fast.tier) == ("fast", "guess+fast", "small")
    assert wider.variant == "fast,lr=0.1,net=large"
    assert (longer.variant, longer.tier) == ("fast,steps=7,from-small", "custom")


def test_a_recipes_variant_asks_what_the_same_parameters_ask(trial: Trial) -> None:
    """Its name is a label, like that of an override."""
    fast = replace(trial, baseline=replace(trial.baseline, variant="fast"))
    assert fast.identity == trial.identity
    assert replace(fast, params={**fast.params, "lr": 0.9}).identity != trial.identity


@given(overrides)
def test_a_variant_is_a_safe_path_component(changes: dict[str, Any]) -> None:
    assert VARIANT.fullmatch(bare_trial(changes).variant)


@given(overrides, overrides)
@example({"a": 1}, {"a": "1"})
@example({"a": True}, {"a": "True"})
@example({"a": 1, "b": 2}, {"a": "1,b=2"})
@example({"a": "x", "b": "y"}, {"a": "x,b=y"})
@example({"a": 0.0}, {"a": -0.0})
def test_different_overrides_never_share_a_variant(a: dict[str, Any], b: dict[str, Any]) -> None:
    differ = list(map(repr, sorted(a.items()))) != list(map(repr, sorted(b.items())))
    assert (bare_trial(a).variant != bare_trial(b).variant) is differ
    assert bare_trial(a, variant="fast").variant != bare_trial(b).variant


def test_a_long_variant_still_tells_from_which_tier_it_comes() -> None:
    changes = {"steps": 5, "a": "word" * 20}
    assert bare_trial(changes, "smoke").variant != bare_trial(changes, "small").variant


def bare_trial(changes: Mapping[str, Any], tier: str = "small", variant: str = "") -> Trial:
    points = ReferencePoints(Point(0, ""), Point(1, ""))
    tiers: dict[str, dict[str, Any]] = {"smoke": {}, "small": {}}
    task = TaskSpec("toy", "alpha", 1, "", "greek", "real", "score", points, tiers)
    params = {"steps": Param(1, "", budget=True)}
    baseline = BaselineSpec("toy", "guess", 1, "", "m:C", "", params, variant=variant)
    return Trial(task, baseline, {}, changes, tier, 0)


def test_parameters_come_from_recipe_then_tier_then_family_then_user(
    task: TaskSpec, baseline: BaselineSpec
) -> None:
    special = replace(baseline, overrides=(Override("toy/al*", {"steps": 2000, "lr": 0.1}),))
    assert resolve_params(task, baseline, "smoke", {})["steps"] == 100
    assert resolve_params(task, baseline, "small", {})["steps"] == 1000
    assert resolve_params(task, special, "small", {})["steps"] == 2000
    assert resolve_params(replace(task, name="beta"), special, "small", {})["steps"] == 1000
    found = resolve_params(task, special, "small", {"steps": 3})
    assert (found["steps"], found["lr"]) == (3, 0.1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stepps": 1}, "toy/guess has no parameter 'stepps'; did you mean 'steps'? (known: "),
        ({"lr": 2}, "toy/guess: lr: expected at most 1, found 2"),
        ({"lr": "fast"}, "toy/guess: lr: expected a number, found 'fast'"),
        ({"layers": [float("nan")]}, "toy/guess: expected plain finite values"),
        ({"layers": ["\udcff"]}, "toy/guess: expected plain finite values"),
    ],
)
def test_an_override_that_fits_no_parameter_is_a_usage_error(
    task: TaskSpec, baseline: BaselineSpec, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_params(task, baseline, "small", changes)
    assert message in str(caught.value)


def test_a_users_own_class_takes_any_plain_parameter(
    task: TaskSpec, baseline: BaselineSpec
) -> None:
    own = replace(baseline, own=True, params={}, tiers={})
    assert resolve_params(task, own, "small", {"depth": 3}) == {"depth": 3}
    with pytest.raises(UsageError, match="plain finite"):
        resolve_params(task, own, "small", {"depth": float("inf")})


def test_equal_float_overrides_ask_the_same_question(
    task: TaskSpec, baseline: BaselineSpec
) -> None:
    asked = [
        Trial(task, baseline, resolve_params(task, baseline, "small", given), given, "small", 0)
        for given in ({"lr": 1}, {"lr": 1.0})
    ]
    assert asked[0].identity == asked[1].identity


def test_every_variant_is_a_row_that_a_record_may_name(trial: Trial, record_of: Any) -> None:
    for changes in ({"net": "large"}, {"a": "x" * 100}, {"a": "../\n<b>"}, {"a": 1e22}):
        record: Record = record_of(replace(trial, overrides=changes))
        assert record.cell == replace(trial, overrides=changes).cell
