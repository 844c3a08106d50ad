"""Plain data to typed dataclasses and back to a JSON Schema: one decoder for specs and records.

An error names the file, the key, what was found, what was expected and the closest known word,
because a person has to mend the file with it. Supported field types: `str`, `int`, `float`, `bool`,
`list[T]`, `tuple[T, ...]`, `dict[str, T]`, `T | None`, `Literal`, nested dataclasses, `Any`.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from rlbench.core.errors import RlbenchError, SpecError, closest

T = TypeVar("T")

_NAMES = {str: "text", int: "an integer", float: "a number", bool: "true or false"}


def decode(
    cls: type[T],
    data: Mapping[str, Any],
    source: Path | str,
    *,
    key: str = "",
    error: type[RlbenchError] = SpecError,
) -> T:
    """Build dataclass `cls` from `data`, refusing unknown, missing and ill-typed keys.

    Args:
        cls: the dataclass.
        data: what a TOML or JSON reader gave.
        source: the file (or another name) for error messages.
        key: the dotted key under which `data` sits, for error messages.
        error: the class of error to raise.

    Raises:
        RlbenchError: of class `error`, when `data` does not fit.
    """
    return typing.cast(T, _Decoder(str(source), error).dataclass(cls, data, key))


@dataclasses.dataclass(frozen=True)
class _Decoder:
    source: str
    error: type[RlbenchError]

    def fail(self, key: str, expected: str, found: Any, hint: str = "") -> RlbenchError:
        shown = repr(found)
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        return self.error(
            f"{self.source}: {key or 'top level'}: expected {expected}, found {shown}{hint}"
        )

    def dataclass(self, cls: Any, data: Any, key: str) -> Any:
        if not isinstance(data, Mapping):
            raise self.fail(key, "a table", data)
        hints = type_hints(cls)
        fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
        for name in data:
            if name not in fields:
                known = ", ".join(sorted(fields))
                raise self.error(
                    f"{self.source}: {_join(key, name)}: unknown key"
                    f"{closest(_shown(name), fields)} (known: {known})"
                )
        values = {}
        for name, field in fields.items():
            if name in data:
                values[name] = self.value(hints[name], data[name], _join(key, name))
            elif (
                field.default is dataclasses.MISSING
                and field.default_factory is dataclasses.MISSING
            ):
                raise self.error(
                    f"{self.source}: {_join(key, name)}: missing; expected {describe(hints[name])}"
                )
        try:
            return cls(**values)
        except ValueError as problem:  # a dataclass's own check in __post_init__
            where = f"{key}: " if key else ""
            raise self.error(f"{self.source}: {where}{problem}") from problem

    def value(self, hint: Any, found: Any, key: str) -> Any:
        origin, args = typing.get_origin(hint), typing.get_args(hint)
        if hint is Any:
            return found
        if origin in (types.UnionType, typing.Union):
            return self.union(args, found, key)
        if origin is typing.Literal:
            if found not in args or isinstance(found, bool) is not isinstance(args[0], bool):
                words = " or ".join(f"'{word}'" for word in args)
                raise self.fail(key, words, found, closest(str(found), map(str, args)))
            return found
        if origin in (list, tuple):
            if not isinstance(found, list | tuple):
                raise self.fail(key, describe(hint), found)
            return origin(self.value(args[0], item, f"{key}[{i}]") for i, item in enumerate(found))
        if origin in (dict, Mapping):
            if not isinstance(found, Mapping):
                raise self.fail(key, "a table", found)
            return {
                name: self.value(args[1], item, _join(key, name)) for name, item in found.items()
            }
        if dataclasses.is_dataclass(hint):
            return self.dataclass(hint, found, key)
        return self.scalar(hint, found, key)

    def union(self, args: tuple[Any, ...], found: Any, key: str) -> Any:
        if found is None and type(None) in args:
            return None
        options = [arg for arg in args if arg is not type(None)]
        problem: RlbenchError | None = None
        for option in options:
            try:
                return self.value(option, found, key)
            except self.error as error:
                problem = error
        if len(options) == 1 and problem is not None:
            raise problem
        raise self.fail(key, " or ".join(map(describe, options)), found)

    def scalar(self, hint: Any, found: Any, key: str) -> Any:
        if hint is float and type(found) is int:
            try:
                return float(found)
            except OverflowError:
                raise self.fail(key, "a finite number", found) from None
        if type(found) is not hint:
            raise self.fail(key, describe(hint), found)
        if hint is float and not math.isfinite(found):
            raise self.fail(key, "a finite number", found)
        return found


def _join(key: str, name: str) -> str:
    return f"{key}.{_shown(name)}" if key else _shown(name)


def _shown(name: str) -> str:
    """A key from anybody's file, fit for one line of an error message."""
    short = name if len(name) <= 60 else name[:57] + "..."
    return short if short.isprintable() else ascii(short)


@functools.cache
def type_hints(cls: Any) -> dict[str, Any]:
    """The resolved annotations of a dataclass (cached: many records share one class)."""
    return typing.get_type_hints(cls)


def describe(hint: Any) -> str:
    """A type in a reader's words, for error messages."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(describe(arg) for arg in args if arg is not type(None))
    if origin is typing.Literal:
        return " or ".join(f"'{word}'" for word in args)
    if origin in (list, tuple):
        return f"a list of {describe(args[0])}"
    if origin in (dict, Mapping) or dataclasses.is_dataclass(hint):
        return "a table"
    return _NAMES.get(hint, getattr(hint, "__name__", str(hint)))


def json_schema(cls: type[Any], title: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) that `decode(cls, …)` enforces."""
    schema = _schema_of(cls)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema}


def _schema_of(hint: Any) -> dict[str, Any]:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    scalars = {str: "string", int: "integer", float: "number", bool: "boolean"}
    if hint is Any:
        return {}
    if origin in (types.UnionType, typing.Union):
        return {"anyOf": [{"type": "null"} if a is type(None) else _schema_of(a) for a in args]}
    if origin is typing.Literal:
        return {"enum": list(args)}
    if origin in (list, tuple):
        return {"type": "array", "items": _schema_of(args[0])}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": _schema_of(args[1])}
    if dataclasses.is_dataclass(hint):
        hints = type_hints(typing.cast(typing.Hashable, hint))
        fields = [field for field in dataclasses.fields(hint) if field.init]
        required = [
            f.name
            for f in fields
            if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        ]
        return {
            "type": "object",
            "properties": {field.name: _schema_of(hints[field.name]) for field in fields},
            "required": required,
            "additionalProperties": False,
        }
    return {"type": scalars[hint]}
