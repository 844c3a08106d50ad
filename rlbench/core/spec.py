"""What a task and a baseline are: the typed form of the TOML files in `tasks/` and `baselines/`.

A task file declares one task, or a family of tasks that differ in few keys: the top level holds
what they share and each `[members.NAME]` table what is its own (merged over the shared keys). In
the same way the `[variants.NAME]` tables of a baseline file declare recipes of the same method with
other parameters, each with its own title, source, deviations and card.
"""

from __future__ import annotations

import math
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rlbench.core.decode import decode, describe
from rlbench.core.errors import SpecError, closest
from rlbench.core.files import canonical, digest

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
MAX_SPEC_BYTES = 1024 * 1024

Tier = Literal["smoke", "small", "medium", "paper", "custom"]
TIERS: tuple[Tier, ...] = ("smoke", "small", "medium", "paper")
"""The named budgets, smallest first; `custom` is what a changed budget turns any of them into."""

_OF_THE_METHOD = ("suite", "name", "algorithm")
_PROSE = ("title", "source", "deviations", "deviates_like", "card")
"""What a variant does not inherit: it would speak of the other recipe."""

OFFICIAL_SEEDS: Mapping[str, tuple[int, ...]] = {
    "smoke": (0, 1),
    "small": tuple(range(5)),
    "medium": (0, 1, 2),
    "paper": tuple(range(10)),
}

Origin = Literal["self-made", "real"]


@dataclass(frozen=True)
class Point:
    """A metric value that means something, and who says so."""

    value: float
    source: str


@dataclass(frozen=True)
class ReferencePoints:
    """The two values of the primary metric that the normalised score maps to 0 and 1."""

    low: Point
    high: Point

    def __post_init__(self) -> None:
        if self.low.value == self.high.value:
            raise ValueError(f"reference: low and high are both {self.low.value}")

    def normalise(self, value: float) -> float:
        """The score at which `low` is 0 and `high` is 1; also turns "lower is better" round."""
        return (value - self.low.value) / (self.high.value - self.low.value)


@dataclass(frozen=True)
class Published:
    """A figure that a paper prints; shown beside measured ones, always labelled as published."""

    baseline: str
    value: float
    source: str
    metric: str = ""
    note: str = ""
    tier: Tier | None = None
    """Shown only beside this baseline's own results at this tier; None: beside any results."""


@dataclass(frozen=True)
class TaskSpec:
    """One thing to be good at."""

    suite: str
    name: str
    version: int
    title: str
    family: str
    origin: Origin
    primary: str
    reference: ReferencePoints
    tiers: dict[str, dict[str, Any]]
    """Per tier, the protocol's settings (budgets, sizes) that this suite understands."""
    group: str = ""
    """A label inside the family, such as near or far."""
    params: dict[str, Any] = field(default_factory=dict)
    """What the suite needs to build the task, whatever the tier."""
    data: tuple[str, ...] = ()
    """Names of the data sets it reads."""
    seeds: dict[str, list[int]] = field(default_factory=dict)
    """Per tier, a shorter official seed list where a trial is dear."""
    published: tuple[Published, ...] = ()
    card: str = ""
    file: str = ""

    def __post_init__(self) -> None:
        for key in ("suite", "name", "family"):
            check_name(key, getattr(self, key))
        if self.version < 1:
            raise ValueError(f"version: expected an integer from 1, found {self.version}")
        if not self.tiers:
            raise ValueError(f"tiers: expected some of {', '.join(TIERS)}, found none")
        _check_tiers("tiers", self.tiers)
        _check_tiers("seeds", self.seeds)
        for tier, seeds in self.seeds.items():
            if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
                raise ValueError(f"seeds.{tier}: expected different integers from 0, found {seeds}")
        try:
            canonical([self.params, self.tiers])
        except (TypeError, ValueError) as error:
            raise ValueError(f"params, tiers: expected plain finite values: {error}") from error

    @property
    def id(self) -> str:
        """`suite/name`, as typed on the command line."""
        return f"{self.suite}/{self.name}"

    @property
    def sha256(self) -> str:
        """The hash of everything in the spec that can change a result; prose is left out.

        Tiers are left out too: a trial's protocol holds its own tier's settings, so that a new
        tier does not make the records of the others look foreign.
        """
        return digest(
            {
                "suite": self.suite,
                "name": self.name,
                "version": self.version,
                "primary": self.primary,
                "low": self.reference.low.value,
                "high": self.reference.high.value,
                "params": self.params,
                "data": list(self.data),
            }
        )

    def official_seeds(self, tier: str) -> tuple[int, ...]:
        """The seeds whose trials make a cell of `tier` complete (none for `custom`)."""
        return tuple(self.seeds.get(tier, OFFICIAL_SEEDS.get(tier, ())))


@dataclass(frozen=True)
class Param:
    """One hyperparameter of a baseline, with the value that its source gives."""

    value: Any
    doc: str
    budget: bool = False
    """Whether changing it changes how much the trial is given."""
    choices: tuple[Any, ...] = ()
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        limited = self.low is not None or self.high is not None
        if limited and type(self.value) not in (int, float):
            raise ValueError(f"low, high: expected a number to limit, found {self.value!r}")

    def check(self, name: str, found: Any) -> Any:
        """Validate an override's type and range, and return it (an integer may stand for a float).

        Raises:
            ValueError: it does not fit; the text names the parameter and what was expected.
        """
        kind = type(self.value)
        if kind is float and type(found) is int:
            found = float(found) if abs(found) <= sys.float_info.max else math.inf
        if self.value is not None and type(found) is not kind:
            raise ValueError(f"{name}: expected {describe(kind)}, found {found!r}")
        if isinstance(found, float) and not math.isfinite(found):
            raise ValueError(f"{name}: expected a finite number, found {found!r}")
        if self.choices and found not in self.choices:
            raise ValueError(f"{name}: expected one of {list(self.choices)}, found {found!r}")
        if self.low is not None and found < self.low:
            raise ValueError(f"{name}: expected at least {self.low:g}, found {found!r}")
        if self.high is not None and found > self.high:
            raise ValueError(f"{name}: expected at most {self.high:g}, found {found!r}")
        return found


@dataclass(frozen=True)
class Override:
    """Other hyperparameters for a family of tasks."""

    tasks: str
    """A glob over task ids."""
    params: dict[str, Any]


@dataclass(frozen=True)
class BaselineSpec:
    """A named recipe: algorithm, every hyperparameter, source, deviations."""

    suite: str
    name: str
    """Of the method; its variants share it."""
    version: int
    title: str
    algorithm: str
    """`module:Class`, or `path/to/file.py:Class` for a user's own."""
    source: str
    """The paper or other text that defines the method."""
    params: dict[str, Param] = field(default_factory=dict)
    tiers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Per tier, the values of budget parameters."""
    overrides: tuple[Override, ...] = ()
    tasks: tuple[str, ...] = ("*",)
    """Globs over the ids of the tasks that it fits."""
    track: str = ""
    """What it is allowed to see, where the suite tells tracks apart."""
    deviations: tuple[str, ...] = ()
    deviates_like: tuple[str, ...] = ()
    """Recipes of the suite whose deviations are this one's too; the registry puts them first."""
    card: str = ""
    file: str = ""
    own: bool = False
    """A user's own class, given by path or module on the command line."""
    variant: str = ""
    """Which recipe of several for the method; empty for the default one."""

    def __post_init__(self) -> None:
        check_name("suite", self.suite)
        check_name("name", self.name)
        if self.variant:
            check_name("variant", self.variant)
        if self.version < 1:
            raise ValueError(f"version: expected an integer from 1, found {self.version}")
        _check_tiers("tiers", self.tiers)
        if ":" not in self.algorithm:
            raise ValueError(f"algorithm: expected 'module:Class', found {self.algorithm!r}")
        changes = [*self.tiers.values(), *(item.params for item in self.overrides)]
        for name, value in ((n, v) for change in changes for n, v in change.items()):
            if name not in self.params:
                raise ValueError(f"'{name}' is set for a tier or task but is no key of params")
            self.params[name].check(name, value)
        for name, param in self.params.items():
            param.check(f"params.{name}.value", param.value)

    @property
    def method(self) -> str:
        """`suite/name`, whatever the variant."""
        return f"{self.suite}/{self.name}"

    @property
    def row(self) -> str:
        """`name` or `name+variant`, as typed on the command line."""
        return f"{self.name}+{self.variant}" if self.variant else self.name

    @property
    def id(self) -> str:
        """`suite/name` or `suite/name+variant`."""
        return f"{self.suite}/{self.row}"


def check_name(key: str, name: str) -> None:
    """Refuse names that are no safe path component.

    Raises:
        ValueError: `name` is not lower-case letters, digits, dot, dash, underscore.
    """
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{key}: expected lower-case letters, digits, dots, dashes; found {name!r}"
        )


def _check_tiers(key: str, tables: Mapping[str, Any]) -> None:
    for tier in tables:
        if tier not in TIERS:
            hint = closest(tier, TIERS)
            raise ValueError(f"{key}: expected some of {', '.join(TIERS)}, found '{tier}'{hint}")


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file.

    Raises:
        SpecError: unreadable, too big or not TOML; names the file and the line.
    """
    try:
        if path.stat().st_size > MAX_SPEC_BYTES:
            raise SpecError(f"{path}: larger than {MAX_SPEC_BYTES} bytes")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(f"{path}: cannot read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise SpecError(f"{path}: not valid TOML: {error}") from error


def read_tasks(path: Path, shown: str) -> list[TaskSpec]:
    """The tasks that a file declares; `shown` is the path that error messages and cards name."""
    table = read_toml(path)
    if "members" not in table:
        return [_task(table, shown, "")]
    members = _tables(table, "members", "task", shown)
    return [
        _task(_merge(table, {"name": f"{table.get('family', '')}-{name}", **own}), shown, name)
        for name, own in members.items()
    ]


def _task(table: dict[str, Any], shown: str, member: str) -> TaskSpec:
    where = f"{shown} (members.{member})" if member else shown
    return decode(TaskSpec, {**table, "file": shown}, where)


def read_baselines(path: Path, shown: str) -> list[BaselineSpec]:
    """The recipe that a file declares, and its variants; `shown` is as in `read_tasks`."""
    table = read_toml(path)
    variants = _tables(table, "variants", "variant", shown) if "variants" in table else {}
    recipe = decode(BaselineSpec, {**table, "file": shown}, shown)
    return [recipe, *(_variant(table, name, own, shown) for name, own in variants.items())]


def _variant(table: dict[str, Any], name: str, own: dict[str, Any], shown: str) -> BaselineSpec:
    where = f"{shown} (variants.{name})"
    for key in _OF_THE_METHOD:
        if key in own:
            raise SpecError(f"{where}: {key}: a variant has its recipe's, found {own[key]!r:.60}")
    params, changed = table.get("params", {}), own.get("params")
    for key in changed if isinstance(changed, dict) else ():
        if key not in params:
            raise SpecError(f"{where}: params.{key}: not in the recipe{closest(key, params)}")
    shared = {key: value for key, value in table.items() if key not in _PROSE}
    merged = _merge(shared, {**own, "variant": name, "file": shown})
    return decode(BaselineSpec, merged, where)


def _tables(table: dict[str, Any], key: str, each: str, shown: str) -> dict[str, dict[str, Any]]:
    """Take the tables under `key` out of a file's table, by name."""
    found = table.pop(key)
    if not isinstance(found, dict) or not found:
        raise SpecError(f"{shown}: {key}: expected one table per {each}, found {found!r:.60}")
    for name, own in found.items():
        if not isinstance(own, dict):
            raise SpecError(f"{shown}: {key}.{name}: expected a table, found {own!r:.60}")
    return found


def _merge(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`own` over `base`, table by table."""
    merged = dict(base)
    for key, value in own.items():
        known = merged.get(key)
        both = isinstance(known, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(known, value) if both else value  # type: ignore[arg-type]
    return merged
