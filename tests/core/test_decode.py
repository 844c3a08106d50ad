from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlbench.core.decode import decode, json_schema
from rlbench.core.errors import CorruptError, SpecError
from rlbench.core.record import Record, record_schema


@dataclasses.dataclass(frozen=True)
class Wheel:
    spokes: int
    label: str = ""


@dataclasses.dataclass(frozen=True)
class Cart:
    speed: float
    kind: Literal["hand", "horse"]
    wheels: tuple[Wheel, ...]
    load: dict[str, float]
    owner: str | None = None
    names: list[str] = dataclasses.field(default_factory=list)
    paid: bool = False

    def __post_init__(self) -> None:
        if self.speed < 0:
            raise ValueError(f"speed: expected 0 or more, found {self.speed}")


def good(**changes: Any) -> dict[str, Any]:
    return {"speed": 1, "kind": "hand", "wheels": [{"spokes": 8}], "load": {"hay": 2}} | changes


def test_plain_data_become_the_typed_object() -> None:
    cart = decode(Cart, good(owner=None, names=["a"]), "cart.toml")
    assert cart == Cart(1.0, "hand", (Wheel(8),), {"hay": 2.0}, None, ["a"])
    assert isinstance(cart.speed, float)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sped": 1}, "sped: unknown key; did you mean 'speed'? (known: kind, load, "),
        ({"wheels": [{"spokes": 8, "lable": ""}]}, "wheels[0].lable: unknown key; did you mean"),
        ({"speed": "fast"}, "speed: expected a number, found 'fast'"),
        ({"speed": True}, "speed: expected a number, found True"),
        ({"speed": float("nan")}, "speed: expected a finite number, found nan"),
        ({"speed": 10**400}, "speed: expected a finite number, found 1000000000"),
        ({"speed": -1}, "speed: expected 0 or more, found -1.0"),
        ({"kind": "horses"}, "kind: expected 'hand' or 'horse', found 'horses'; did you mean"),
        ({"kind": ["hand"]}, "kind: expected 'hand' or 'horse', found ['hand']"),
        ({"wheels": {"spokes": 8}}, "wheels: expected a list of a table, found {'spokes': 8}"),
        ({"wheels": [8]}, "wheels[0]: expected a table, found 8"),
        ({"wheels": [{"spokes": 8.0}]}, "wheels[0].spokes: expected an integer, found 8.0"),
        ({"load": {"hay": "much"}}, "load.hay: expected a number, found 'much'"),
        ({"load": 3}, "load: expected a table, found 3"),
        ({"owner": 3}, "owner: expected text, found 3"),
        ({"names": "Bess"}, "names: expected a list of text, found 'Bess'"),
        ({"paid": 1}, "paid: expected true or false, found 1"),
        ({"names": "x" * 1000}, "found 'xxxxx"),
    ],
)
def test_an_error_names_file_key_expectation_and_what_was_found(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError) as caught:
        decode(Cart, good(**changes), "cart.toml")
    assert str(caught.value).startswith("cart.toml: ")
    assert message in str(caught.value)
    assert len(str(caught.value)) < 250


def test_a_missing_key_is_named_with_what_was_expected() -> None:
    data = good()
    del data["kind"]
    with pytest.raises(SpecError, match=r"cart.toml: kind: missing; expected 'hand' or 'horse'"):
        decode(Cart, data, "cart.toml")


@pytest.mark.parametrize("key", ["\x1b[2J", "a\nb", "k" * 100_000])
def test_a_hostile_key_makes_a_short_line_without_control_characters(key: str) -> None:
    with pytest.raises(CorruptError) as caught:
        decode(Cart, good(load={key: "x"}, **{key: 1}), "cart.json", error=CorruptError)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@given(
    st.builds(
        Cart,
        speed=st.floats(0, 1e9),
        kind=st.sampled_from(["hand", "horse"]),
        wheels=st.lists(st.builds(Wheel), max_size=3).map(tuple),
        load=st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False, allow_infinity=False)),
        owner=st.none() | st.text(),
        names=st.lists(st.text(max_size=5), max_size=3),
    )
)
def test_what_was_written_decodes_to_an_equal_object(cart: Cart) -> None:
    assert decode(Cart, json.loads(json.dumps(dataclasses.asdict(cart))), "cart.json") == cart


def test_the_schema_says_what_the_decoder_enforces() -> None:
    schema = json_schema(Cart, "cart")
    assert schema["required"] == ["speed", "kind", "wheels", "load"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["kind"] == {"enum": ["hand", "horse"]}
    assert schema["properties"]["owner"] == {"anyOf": [{"type": "string"}, {"type": "null"}]}
    assert schema["properties"]["wheels"]["items"]["properties"]["spokes"] == {"type": "integer"}


def test_the_schema_of_a_record_is_what_readers_rely_on(
    golden: Callable[[str, str], None],
) -> None:
    golden("record.schema.json", json.dumps(record_schema(), indent=1, ensure_ascii=False) + "\n")


def test_every_key_of_a_record_stands_in_its_schema() -> None:
    names = {field.name for field in dataclasses.fields(Record)}
    assert set(record_schema()["properties"]) == names
