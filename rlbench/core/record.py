"""The record: the immutable JSON file that a finished trial leaves, with evidence and curve.

`seed-N.json` is published last and names its siblings' sha256, so whoever can read it has a whole
trial. Everything outside `volatile` is the same, byte for byte, when the trial is repeated on the
same kind of machine.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from rlbench.core.arrays import Arrays, unpack
from rlbench.core.decode import decode, json_schema
from rlbench.core.errors import CorruptError, MissingError
from rlbench.core.files import SHA256, file_digest, pretty, read_json
from rlbench.core.spec import NAME, Origin, Tier
from rlbench.core.trial import VARIANT, Cell

SCHEMA: Final = "rlbench.record/1"


@dataclass(frozen=True)
class TaskRef:
    """Which task, exactly, and what a report needs to place it without the task's spec."""

    id: str
    version: int
    spec_sha256: str
    title: str
    family: str
    group: str
    origin: Origin
    official_seeds: list[int]
    """The seeds that make a cell of this record's tier complete."""


@dataclass(frozen=True)
class Primary:
    """The task's primary metric: what its number means."""

    name: str
    unit: str
    direction: Literal["higher", "lower"]
    low: float
    high: float
    """The reference points at which the normalised score is 0 and 1."""


@dataclass(frozen=True)
class BaselineRef:
    """Which baseline, exactly."""

    id: str
    version: int
    variant: str
    algorithm: str
    params: dict[str, Any]
    overrides: dict[str, Any]
    algorithm_sha256: str | None = None
    track: str = ""
    """What it was allowed to see, where the suite tells tracks apart."""


@dataclass(frozen=True)
class Sibling:
    """A file beside the record."""

    file: str
    sha256: str


@dataclass(frozen=True)
class DataRef:
    """A data set that the trial read."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Code:
    """Which rlbench ran it; commit and dirty are null outside a git checkout."""

    rlbench: str
    commit: str | None
    dirty: bool | None


@dataclass(frozen=True)
class Environment:
    """The kind of machine and the versions that a number may depend on."""

    python: str
    platform: str
    cpu: str
    device: str
    gpu: str | None
    threads: int
    nondeterministic: list[str]
    """What torch warned that it did not do deterministically; empty when all was."""
    packages: dict[str, str]


@dataclass(frozen=True)
class Record:
    """Everything there is to know about a finished trial."""

    schema: Literal["rlbench.record/1"]
    identity: str
    identity_version: int
    source: str
    """Digest of the code that answered (suite and `learn`)."""
    suite: str
    task: TaskRef
    baseline: BaselineRef
    tier: Tier
    seed: int
    protocol: dict[str, Any]
    metrics: dict[str, float | None]
    """Every metric of the suite; None where it is not finite (then see `nonfinite`)."""
    nonfinite: dict[str, Literal["nan", "inf", "-inf"]]
    primary: Primary
    normalised: float | None
    """The primary metric on the scale where the task's reference points are 0 and 1."""
    evidence: Sibling
    curve: Sibling | None
    data: list[DataRef]
    environment: Environment
    code: Code
    command: str
    """What repeats this trial."""
    notes: dict[str, Any] = field(default_factory=dict)
    volatile: dict[str, Any] = field(default_factory=dict)
    """What differs from run to run: seconds, memory, host facts. Never compared."""

    def __post_init__(self) -> None:
        if not (SHA256.fullmatch(self.identity) and SHA256.fullmatch(self.source)):
            raise ValueError("identity, source: expected 64 hexadecimal digits")
        suite, _, name = self.task.id.partition("/")
        if suite != self.suite or not NAME.fullmatch(suite) or not NAME.fullmatch(name):
            raise ValueError(f"task.id: expected '{self.suite}/name', found {self.task.id!r}")
        owner, _, baseline = self.baseline.id.partition("/")
        if owner != suite or not NAME.fullmatch(baseline):
            raise ValueError(f"baseline.id: expected '{suite}/name', found {self.baseline.id!r}")
        if not VARIANT.fullmatch(word := self.baseline.variant):
            raise ValueError(f"baseline.variant: expected a plain word, found {word!r:.60}")
        if self.seed < 0 or self.task.version < 1:
            raise ValueError("seed, task.version: expected an integer from 0 and from 1")
        for kind, sibling in (("npz", self.evidence), ("csv", self.curve)):
            if sibling is not None and (
                sibling.file != f"seed-{self.seed}.{kind}" or not SHA256.fullmatch(sibling.sha256)
            ):
                raise ValueError(f"siblings: expected seed-{self.seed}.{kind} with its sha256")
        if self.primary.name not in self.metrics:
            raise ValueError(f"metrics: expected a value of '{self.primary.name}', the primary one")
        if self.nonfinite.keys() != {n for n, value in self.metrics.items() if value is None}:
            raise ValueError("nonfinite: expected the names of the metrics that are null")

    @property
    def cell(self) -> Cell:
        """The cell that this record is one seed of."""
        return Cell(
            self.suite,
            self.task.id.partition("/")[2],
            self.task.version,
            self.baseline.id.partition("/")[2],
            self.baseline.variant,
            self.tier,
        )

    def to_json(self) -> bytes:
        """The file's bytes."""
        return pretty(dataclasses.asdict(self))


def split_nonfinite(
    metrics: Mapping[str, float],
) -> tuple[dict[str, float | None], dict[str, Literal["nan", "inf", "-inf"]]]:
    """Metrics for strict JSON: finite values as they are, the others as None and by name."""
    values: dict[str, float | None] = {}
    nonfinite: dict[str, Literal["nan", "inf", "-inf"]] = {}
    for name, raw in sorted(metrics.items()):
        value = float(raw)
        if math.isnan(value):
            nonfinite[name] = "nan"
        elif math.isinf(value):
            nonfinite[name] = "inf" if value > 0 else "-inf"
        values[name] = None if name in nonfinite else value
    return values, nonfinite


def read_record(path: Path) -> Record:
    """Read a record from anybody and check that its siblings are what it says.

    A sibling may be absent (evidence too big to commit), but never different.

    Raises:
        CorruptError: not a record, or a sibling's checksum is wrong.
    """
    data = read_json(path)
    if data.get("schema") != SCHEMA:
        raise CorruptError(f"{path}: schema: expected '{SCHEMA}', found {data.get('schema')!r:.40}")
    record = decode(Record, data, path, error=CorruptError)
    if path.name != f"seed-{record.seed}.json":
        raise CorruptError(f"{path}: seed: expected the file's name to say {record.seed}")
    for sibling in (record.evidence, record.curve):
        if sibling is None:
            continue
        beside = path.parent / sibling.file
        if beside.exists() and file_digest(beside) != sibling.sha256:
            raise CorruptError(f"{beside}: not what {path.name} says: the sha256 differs")
    return record


def read_evidence(path: Path, record: Record) -> Arrays:
    """The evidence beside the record at `path`.

    Raises:
        MissingError: absent.
        CorruptError: not an npz of plain arrays.
    """
    evidence = path.parent / record.evidence.file
    if not evidence.exists():
        raise MissingError(
            f"{evidence}: not here: reference records come without their evidence; to make it, run"
            f" what 'command' in {path.name} says"
        )
    return unpack(evidence)


def evidence_beside(path: Path) -> Arrays:
    """The evidence beside the record at `path`, unread; nothing where it is kept elsewhere.

    Raises:
        CorruptError: not an npz of plain arrays.
    """
    evidence = path.with_suffix(".npz")
    return unpack(evidence) if evidence.exists() else {}


def record_schema() -> dict[str, Any]:
    """The JSON Schema of a record."""
    return json_schema(Record, SCHEMA)
