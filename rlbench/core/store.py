"""The results folder: where each trial's files lie, how they get there and how they are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock

from rlbench.core.decode import decode
from rlbench.core.errors import CorruptError
from rlbench.core.files import pretty, publish, read_json, write_atomic
from rlbench.core.record import Record, read_record
from rlbench.core.trial import Cell, Trial

FAILURE_SCHEMA = "rlbench.failure/1"


@dataclass(frozen=True)
class Failure:
    """Why a trial has no record yet; replaced by the next attempt."""

    schema: str
    identity: str
    label: str
    kind: str
    """error, crash, timeout, out-of-memory, missing, disk-full."""
    error: str
    """One line."""
    attempts: int
    log: list[str]
    """The last lines that the trial printed."""


@dataclass(frozen=True)
class Stored:
    """A record and where it was read from."""

    record: Record
    path: Path


class Store:
    """One results folder: `<suite>/<task>@<version>/<baseline>[+<variant>]/<tier>/seed-N.*`."""

    def __init__(self, root: Path) -> None:
        """`root` is made when something is first written."""
        self.root = root

    def folder(self, cell: Cell) -> Path:
        """Where a cell's files lie."""
        return self.root / cell.suite / f"{cell.task}@{cell.version}" / cell.row / cell.tier

    def path(self, trial: Trial, ending: str = "json") -> Path:
        """A trial's file."""
        return self.folder(trial.cell) / f"seed-{trial.seed}.{ending}"

    def work(self, trial: Trial, source: str) -> Path:
        """The checkpoint of an unfinished trial; another identity or source never meets it."""
        return self.root / ".work" / f"{trial.identity[:32]}-{source[:16]}.npz"

    def lock(self, trial: Trial) -> FileLock:
        """The lock that a trial is taken under; the kernel frees it when its holder dies."""
        folder = self.root / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{trial.identity[:32]}.lock")

    def read(self, trial: Trial) -> Record | None:
        """The trial's record, or None when there is none.

        Raises:
            CorruptError: there is a file, but it is no whole record.
        """
        path = self.path(trial)
        return read_record(path) if path.exists() else None

    def publish(
        self,
        trial: Trial,
        record: Record,
        evidence: bytes,
        curve: bytes | None,
        *,
        replace: bool = False,
    ) -> Path:
        """Put a finished trial's files in place, the record last.

        Args:
            trial: what was asked.
            record: what came out.
            evidence: the bytes of the npz that the record names.
            curve: the bytes of the csv, if it names one.
            replace: whether a stale or broken record is replaced; else publishing is create-only.

        Raises:
            FileExistsError: there is a record already.
            StorageError: the folder cannot take them.
        """
        target = self.path(trial)
        files = {self.path(trial, "npz"): evidence}
        if curve is not None:
            files[self.path(trial, "csv")] = curve
        files[target] = record.to_json()
        publish(files, create_only=target, withdraw=target if replace else None)
        for ending in ("failed.json", "log"):
            self.path(trial, ending).unlink(missing_ok=True)
        return target

    def clear_leftovers(self, trial: Trial) -> None:
        """Remove what a killed program left of its attempt to write this trial's files.

        Only for the holder of the trial's lock: nobody else writes them now.
        """
        folder, seed = self.folder(trial.cell), f"seed-{trial.seed}"
        leftovers = [f".{seed}.{ending}.*.tmp" for ending in ("json", "npz", "csv")]
        for path in (path for pattern in leftovers for path in folder.glob(pattern)):
            path.unlink(missing_ok=True)
        for path in (self.root / ".work").glob(f".{trial.identity[:32]}-*.tmp"):
            path.unlink(missing_ok=True)

    def write_failure(self, trial: Trial, failure: Failure) -> None:
        """Replace the trial's failure file."""
        write_atomic(self.path(trial, "failed.json"), pretty(asdict(failure)))

    def read_failure(self, trial: Trial) -> Failure | None:
        """Why the last attempt failed, or None."""
        path = self.path(trial, "failed.json")
        return read_failure(path) if path.exists() else None

    def scan(self) -> Iterator[Path]:
        """The paths of all records here, in a fixed order."""
        yield from sorted(self.root.glob("*/*@*/*/*/seed-*[0-9].json"))

    def records(self) -> Iterator[Stored]:
        """All records here.

        Raises:
            CorruptError: a file is no whole record, or lies where another cell's belong.
        """
        for path in self.scan():
            record = read_record(path)
            if (home := self.folder(record.cell)) != path.parent:
                raise CorruptError(f"{path}: the record inside belongs in {home}")
            yield Stored(record, path)


def read_failure(path: Path) -> Failure:
    """Read a failure file.

    Raises:
        CorruptError: it is none.
    """
    return decode(Failure, read_json(path), path, error=CorruptError)


def default_results() -> Path:
    """Where runs land when nothing else is said: `results/local` under the working folder."""
    return Path("results") / "local"
