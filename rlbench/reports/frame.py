"""Records as a pandas frame, one row a record; the door to everything to the right of a record."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rlbench.core.bundled import bundled
from rlbench.core.errors import CorruptError, MissingError, UsageError, closest
from rlbench.core.files import digest
from rlbench.core.record import Record, read_record
from rlbench.core.store import Store, Stored, default_results
from rlbench.reports.coverage import Line, complete_marks

if TYPE_CHECKING:
    import pandas as pd

Where = Literal["local", "reference"]
EXTRA = 'pip install "rlbench[report]"'

# Sorting by these makes the order depend on the records alone, never on the file system.
_ORDER = ["suite", "tier", "family", "task", "version", "row", "where", "source", "seed", "path"]


def load_results(
    *roots: Path | str,
    reference: bool = True,
    tasks: str = "*",
    baselines: str = "*",
    tier: str = "*",
    strict: bool = True,
) -> pd.DataFrame:
    """Read results folders into a frame with one row per record.

    Columns: `where` ("local", or "reference" for the records that come with rlbench), `suite`,
    `task` and `baseline` (ids, as on the command line), `row` (the baseline's short name with its
    variant, as tables show it), `version`, `title`, `family`, `group`, `origin`, `variant`,
    `track`, `tier`, `seed`, `official_seeds` (what completes the cell), `official`, `complete`
    (whether the record counts in a complete cell), `source`, `identity`, `metric`, `unit`,
    `direction`, `value` and `normalised` of the primary metric, its reference points `low` and
    `high`, one `metric.NAME` for each metric (NaN where not finite or another suite's), `wall_s`
    (seconds), the environment (`device`, `cpu`, `gpu`, `threads`, `nondeterministic`, `python`,
    `platform`, `packages`), the code (`rlbench`, `commit`, `dirty`), `command`, `protocol` and
    `recipe` (digests of what a column and a row must share), `curve` (a file, or empty), `path`.

    Args:
        roots: results folders; `results/local`, if it is there, when none is given.
        reference: add the reference records that came with this rlbench.
        tasks: ids or globs, separated by commas, such as `ood/*`.
        baselines: the same for `suite/name`, or a name alone, with or without `+variant`.
        tier: one tier, or several separated by commas.
        strict: raise at the first corrupt record; else leave it out and add its error line to
            `frame.attrs["problems"]`.

    Raises:
        CorruptError: a file is no whole record, and `strict`.
        UsageError: there is no such folder, or a pattern matches no record.
        MissingError: pandas is not installed.
    """
    pandas = _pandas()
    problems: list[str] = []
    lines: list[Line] = []
    for where, root in _folders(roots, reference):
        for found in _stored(Store(root), strict, problems):
            lines.append(_line(found.record, found.path, where))
    lines = select(lines, tasks, "task", ("task",))
    lines = select(lines, baselines, "baseline", ("baseline", "_row_id"))
    lines = _of_tiers(lines, tier)
    frame: pd.DataFrame = pandas.DataFrame(lines, columns=_columns(lines))
    frame = frame.sort_values(_ORDER, kind="stable", ignore_index=True)
    frame["complete"] = complete_marks(lines_of(frame))
    frame.attrs["problems"] = problems
    return frame


def _of_tiers(lines: list[Line], tiers: str) -> list[Line]:
    wanted = {word.strip() for word in tiers.split(",")}
    known = {line["tier"] for line in lines}
    if lines and (missing := sorted(wanted - known - {"*"})):
        raise UsageError(f"no result of tier '{missing[0]}' (there is {', '.join(sorted(known))})")
    return lines if "*" in wanted else [line for line in lines if line["tier"] in wanted]


def select(lines: list[Line], patterns: str, kind: str, keys: Sequence[str]) -> list[Line]:
    """The lines of which one of `keys` matches one of the comma-separated globs.

    Raises:
        UsageError: there are lines, and a pattern matches none of them.
    """
    wanted: set[int] = set()
    for pattern in filter(None, (item.strip() for item in patterns.split(","))):
        whole = pattern if "/" in pattern else f"*/{pattern}"
        hits = {
            index
            for index, line in enumerate(lines)
            if any(fnmatchcase(line[key], whole) for key in keys)
        }
        if lines and not hits:
            known = {line[key] for line in lines for key in keys}
            hint = closest(pattern, sorted(known | {name.partition("/")[2] for name in known}))
            raise UsageError(f"no result of a {kind} matches '{pattern}'{hint}")
        wanted |= hits
    return [lines[index] for index in sorted(wanted)]


def lines_of(frame: pd.DataFrame) -> list[Line]:
    """The frame's rows as plain dictionaries, in order."""
    return [{str(key): value for key, value in line.items()} for line in frame.to_dict("records")]


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise MissingError(f"reports need pandas: {EXTRA}") from error
    return pandas


def _folders(roots: Sequence[Path | str], reference: bool) -> Iterator[tuple[Where, Path]]:
    """Each results folder once; the reference folder is never taken for the user's own."""
    ours = bundled("results/reference")
    own = [Path(root) for root in roots]
    for root in own:
        if not root.is_dir():
            raise UsageError(f"{root}: no such results folder")
    if not own and default_results().is_dir():
        own = [default_results()]
    seen = set()
    for root in own:
        if (real := root.resolve()) not in seen and real != ours.resolve():
            seen.add(real)
            yield "local", root
    if ours.is_dir() and (reference or any(root.resolve() == ours.resolve() for root in own)):
        yield "reference", ours


def _stored(store: Store, strict: bool, problems: list[str]) -> Iterator[Stored]:
    for path in store.scan():
        try:
            record = read_record(path)
            if (home := store.folder(record.cell)) != path.parent:
                raise CorruptError(f"{path}: the record inside belongs in {home}")
        except CorruptError as error:
            if strict:
                raise
            problems.append(str(error))
            continue
        yield Stored(record, path)


def _line(record: Record, path: Path, where: Where) -> Line:
    task, primary, cell = record.task, record.primary, record.cell
    curve = path.parent / record.curve.file if record.curve is not None else None
    return {
        "where": where,
        "suite": record.suite,
        "task": task.id,
        "version": task.version,
        "title": task.title,
        "family": task.family,
        "group": task.group,
        "origin": task.origin,
        "baseline": record.baseline.id,
        "variant": record.baseline.variant,
        "track": record.baseline.track,
        "row": cell.row,
        "_row_id": f"{cell.suite}/{cell.row}",
        "tier": record.tier,
        "seed": record.seed,
        "official_seeds": tuple(task.official_seeds),
        "official": record.seed in task.official_seeds,
        "source": record.source,
        "identity": record.identity,
        "metric": primary.name,
        "unit": primary.unit,
        "direction": primary.direction,
        "value": _number(record.metrics.get(primary.name)),
        "normalised": _number(record.normalised),
        "low": primary.low,
        "high": primary.high,
        **{f"metric.{name}": _number(value) for name, value in sorted(record.metrics.items())},
        "wall_s": _number(record.volatile.get("wall_s")),
        **_provenance(record),
        "protocol": digest([task.id, task.spec_sha256, record.protocol]),
        "recipe": _recipe(record),
        "curve": str(curve) if curve is not None and curve.is_file() else "",
        "path": str(path),
    }


def _provenance(record: Record) -> Line:
    environment, code = record.environment, record.code
    return {
        "device": environment.device,
        "cpu": environment.cpu,
        "gpu": environment.gpu or "",
        "threads": environment.threads,
        "nondeterministic": ", ".join(environment.nondeterministic),
        "python": environment.python,
        "platform": environment.platform,
        "packages": ", ".join(f"{k} {v}" for k, v in sorted(environment.packages.items())),
        "rlbench": code.rlbench,
        "commit": code.commit or "",
        "dirty": bool(code.dirty),
        "command": record.command,
    }


def _recipe(record: Record) -> str:
    """What the trials of one cell must share on the baseline's side."""
    baseline = record.baseline
    return digest([baseline.version, baseline.params, baseline.algorithm_sha256])


def _number(value: Any) -> float:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if known else math.nan


def _columns(lines: Sequence[Line]) -> list[str]:
    """The frame's columns in a fixed order, the metrics of all suites in the middle."""
    metrics = sorted({key for line in lines for key in line if key.startswith("metric.")})
    before = [
        "where", "suite", "task", "version", "title", "family", "group", "origin", "baseline",
        "variant", "row", "track", "tier", "seed", "official_seeds", "official", "complete",
        "source", "identity", "metric", "unit", "direction", "value", "normalised", "low", "high",
    ]  # fmt: skip
    after = [
        "wall_s", "device", "cpu", "gpu", "threads", "nondeterministic", "python", "platform",
        "packages", "rlbench", "commit", "dirty", "command", "protocol", "recipe", "curve", "path",
    ]  # fmt: skip
    return [*before, *metrics, *after]
