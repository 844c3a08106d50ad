from __future__ import annotations

import contextlib
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlbench.cli.running import parse_overrides, parse_seeds
from rlbench.core.errors import UsageError

keys = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
plain = numbers | st.booleans() | st.lists(numbers, max_size=3)


@given(st.dictionaries(keys, plain, max_size=4))
def test_numbers_booleans_and_lists_come_back_as_they_were(values: dict[str, Any]) -> None:
    words = [f"{key}={json.dumps(value)}" for key, value in values.items()]
    found = parse_overrides(words)
    assert found == values
    assert [type(value) for value in found.values()] == [type(value) for value in values.values()]


@given(keys, st.text(max_size=30))
def test_any_text_is_taken_or_refused_in_one_line(key: str, text: str) -> None:
    word = f"{key}={text}"
    if re.fullmatch(r"\s*[+-]?(inf|nan|\d.*[eE].*)", text):  # may be no finite number
        with contextlib.suppress(UsageError):
            parse_overrides([word])
    else:
        assert list(parse_overrides([word])) == [key]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("lr=1e-3", 0.001),
        ("lr=1_000", 1000),
        ("net=relu", "relu"),
        ('net="relu"', "relu"),
        ("net=", ""),
        ("net=a=b", "a=b"),
        ("net=a b", "a b"),
        ("net=True", "True"),
        ("net=true", True),
        ("units=[64, 64]", [64, 64]),
        ("day=2026-01-01", "2026-01-01"),
        ("at=07:30:00", "07:30:00"),
        ("text=1\ny = 2", "1\ny = 2"),
        ("text=" + "[" * 5000, "[" * 5000),
        ("text=" + "9" * 5000, "9" * 5000),
    ],
    ids=lambda item: str(item)[:20],
)
def test_a_value_is_toml_or_else_text(word: str, value: Any) -> None:
    (found,) = parse_overrides([word]).values()
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lr"], "expected key=value, found 'lr'"),
        (["=1"], "expected key=value, found '=1'"),
        (["a.b=1"], "expected key=value, found 'a.b=1'"),
        (["a-b=1"], "expected key=value"),
        (["1a=1"], "expected key=value"),
        (["lr=1", "lr=2"], "parameter 'lr' is set twice"),
        (["lr=nan"], "lr: expected a finite number, found nan"),
        (["lr=-inf"], "lr: expected a finite number, found -inf"),
        (["lr=1e999"], "lr: expected a finite number, found 1e999"),
    ],
)
def test_a_bad_override_is_a_usage_error(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_overrides(words)
    assert message in str(caught.value)


@given(st.lists(st.integers(0, 10**6), unique=True, min_size=1, max_size=8))
def test_a_list_of_seeds_comes_back_in_its_order(seeds: list[int]) -> None:
    assert parse_seeds(",".join(map(str, seeds))) == tuple(seeds)


@given(st.integers(0, 10**6), st.integers(0, 200))
def test_a_range_of_seeds_holds_both_ends(first: int, more: int) -> None:
    assert parse_seeds(f"{first}-{first + more}") == tuple(range(first, first + more + 1))


def test_seeds_and_ranges_are_mixed() -> None:
    assert parse_seeds("0, 2,7-9 ") == (0, 2, 7, 8, 9)


@pytest.mark.parametrize(
    "text", ["", ",", "a", "-1", "1-", "3-1", "1.5", "0,0", "0-4,2", "0-99999999", "9" * 30, "0;1"]
)
def test_other_seeds_are_a_usage_error_that_names_the_option(text: str) -> None:
    with pytest.raises(UsageError, match="--seeds: "):
        parse_seeds(text)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rnu"], "no command 'rnu'; did you mean 'run'?"),
        (["run", "walk/*", "chance", "--seed", "0"], "--seeds"),
        (["run", "walk/*", "chance", "--dryrun"], "--dry-run"),
        (["run", "walk/corridor-shrt", "chance"], "did you mean 'walk/corridor-short'?"),
        (["run", "walk/*", "chnce"], "did you mean 'chance'?"),
        (["run", "walk/*", "q-learning", "lrr=1"], "no parameter 'lrr'; did you mean 'lr'?"),
        (["run", "walk/*", "q-learning", "lr=2"], "walk/q-learning: lr: expected at most 1"),
        (["run", "walk/*", "chance", "--tier", "smal"], "'smal' is not one of"),
        (["run", "walk/*", "chance", "--tier", "paper"], "no baseline of 'chance' fits"),
        (["run", "walk/corridor-long", "chance", "--tier", "paper"], "the task has no tier"),
        (["run", "walk/*", "chance", "--seeds", ""], "--seeds: expected a list"),
        (["run", "walk/*", "chance", "--jobs", "0"], "--jobs"),
        (["run", "walk/*", "chance", "--device", "gpu"], "expected auto, cpu or cuda"),
        (["run", "walk/*"], "Missing argument 'BASELINE'"),
        (["run", "walk/corridor-long", "ood/msp"], "no baseline of 'ood/msp' fits"),
        (["show", "corridor-logn"], "did you mean 'corridor-long'?"),
        (["list", "tasks", "corridr-*"], "nothing matches 'corridr-*'"),
        (["list", "tasks", "corridr-long"], "did you mean 'corridor-long'?"),
        (["list", "task"], "'task' is not one of 'tasks', 'baselines', 'suites'"),
        (["data", "verify", "mnist-tset"], "did you mean 'mnist-test'?"),
    ],
    ids=lambda item: " ".join(item) if isinstance(item, list) else "",
)
def test_a_wrong_word_is_a_usage_error_that_says_what_would_be_right(
    call: Any, words: list[str], message: str
) -> None:
    answer = call(*words)
    assert answer.code == 2
    assert message in answer.err
    assert answer.out == ""
    assert "Traceback" not in answer.err
