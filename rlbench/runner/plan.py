"""From words on the command line to trials, and what the results folder already knows of them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from importlib.util import find_spec
from typing import Any, Literal

from rlbench.core.algorithm import is_own, outside_digest, own_baseline, with_absolute_path
from rlbench.core.bundled import bundled
from rlbench.core.data import DataStore
from rlbench.core.errors import CorruptError, UsageError
from rlbench.core.record import Record, read_record
from rlbench.core.registry import Registry
from rlbench.core.source import suite_source
from rlbench.core.spec import BaselineSpec, TaskSpec
from rlbench.core.store import Store
from rlbench.core.suite import Suite
from rlbench.core.trial import Trial, resolve_params

State = Literal["todo", "done", "stale", "broken", "failed", "blocked"]
DEFAULT_SECONDS = {"smoke": 5.0, "small": 60.0, "medium": 1200.0, "paper": 7200.0}
"""A guess for trials of which no record tells how long they take."""


@dataclass(frozen=True)
class Wish:
    """What the user asked for, before anything is looked up."""

    tasks: str
    baselines: str
    tier: str = "small"
    seeds: tuple[int, ...] | None = None
    """None means the official list of the tier."""
    overrides: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Item:
    """A trial and what is known of it."""

    trial: Trial
    source: str
    state: State
    why: str = ""
    seconds: float | None = None
    """Median wall time of its cell's records, if there are any."""

    @property
    def pending(self) -> bool:
        """Whether `run` has work to do on it (stale ones only when asked)."""
        return self.state in ("todo", "broken", "failed")

    @property
    def expected_seconds(self) -> float:
        """How long it will take, by record or by guess."""
        return self.seconds or DEFAULT_SECONDS[self.trial.base_tier]


@dataclass(frozen=True)
class Plan:
    """Every trial that the wish names."""

    items: tuple[Item, ...]
    skipped: int
    """Pairs that globs met and that do not fit."""

    def count(self, *states: State) -> int:
        """How many trials are in one of the states."""
        return sum(item.state in states for item in self.items)


def make_plan(registry: Registry, wish: Wish, store: Store) -> Plan:
    """Look up what a wish names and what the results folder knows of it.

    Raises:
        UsageError: a name matches nothing, or a pair named outright does not fit.
    """
    trials, skipped = find_trials(registry, wish)
    readiness = _Readiness(registry)
    sources = {s: suite_source(registry.suite_module(s)) for s in {t.task.suite for t in trials}}
    reference = Store(bundled("results/reference"))
    seconds = _seconds(trials, [store, reference])
    items = []
    for trial in trials:
        source = sources[trial.task.suite]
        state, why = look_up(store, trial, source)
        if state not in ("done", "stale") and (problem := readiness.problem(trial.task)):
            state, why = "blocked", problem
        items.append(Item(trial, source, state, why, seconds.get(trial.cell)))
    return Plan(tuple(items), skipped)


def find_trials(registry: Registry, wish: Wish) -> tuple[list[Trial], int]:
    """The trials that a wish names, and how many task-baseline pairs were skipped."""
    trials: list[Trial] = []
    skipped = 0
    for task in registry.find_tasks(wish.tasks):
        outright = {word.strip() for word in wish.tasks.split(",")}
        for baseline, named in _baselines_for(registry, wish, task):
            reason = _misfit(registry.suite(task.suite), task, baseline, wish.tier)
            if reason is None:
                trials += _trials(registry, task, baseline, wish)
            elif named and task.id in outright:
                raise UsageError(f"{task.id} and {baseline.row} do not fit: {reason}")
            else:
                skipped += 1
    if not trials:
        raise UsageError(f"no baseline of '{wish.baselines}' fits a task of '{wish.tasks}'")
    return trials, skipped


def _baselines_for(
    registry: Registry, wish: Wish, task: TaskSpec
) -> Iterable[tuple[BaselineSpec, bool]]:
    """The baselines for a task, each with whether its name was written out."""
    words = [word.strip() for word in wish.baselines.split(",") if word.strip()]
    catalogue = ",".join(word for word in words if not is_own(word))
    if catalogue:
        for baseline in registry.find_baselines(catalogue):
            if baseline.suite == task.suite:
                yield baseline, baseline.row in words or baseline.id in words
    for word in filter(is_own, words):
        yield with_absolute_path(own_baseline(word, task.suite, wish.overrides or {})), True
    if not words:
        raise UsageError("no baseline named")


def _misfit(suite: Suite, task: TaskSpec, baseline: BaselineSpec, tier: str) -> str | None:
    if tier not in task.tiers:
        return f"the task has no tier '{tier}' (it has {', '.join(task.tiers)})"
    if not any(fnmatchcase(task.id, pattern) for pattern in baseline.tasks):
        return f"the baseline is for {', '.join(baseline.tasks)}"
    return suite.misfit(task, baseline)


def _trials(registry: Registry, task: TaskSpec, baseline: BaselineSpec, wish: Wish) -> list[Trial]:
    try:
        registry.suite(task.suite).check_task(task)
    except ValueError as error:
        raise UsageError(f"{task.file}: {error}") from error
    seeds = task.official_seeds(wish.tier) if wish.seeds is None else wish.seeds
    first = build_trial(
        registry, task, baseline, tier=wish.tier, seed=seeds[0], overrides=wish.overrides or {}
    )
    return [replace(first, seed=seed) for seed in seeds]


def build_trial(
    registry: Registry,
    task: TaskSpec,
    baseline: BaselineSpec,
    *,
    tier: str,
    seed: int,
    overrides: Mapping[str, Any],
) -> Trial:
    """One trial with its parameters resolved."""
    return Trial(
        task=task,
        baseline=baseline,
        params=resolve_params(task, baseline, tier, overrides),
        overrides=overrides,
        base_tier=tier,
        seed=seed,
        algorithm_sha256=outside_digest(baseline, registry.suite_module(task.suite)),
    )


def look_up(store: Store, trial: Trial, source: str) -> tuple[State, str]:
    """What the results folder knows of a trial."""
    try:
        record = store.read(trial)
        failure = store.read_failure(trial) if record is None else None
    except CorruptError as error:
        return "broken", str(error)
    if record is None:
        return ("failed", failure.error) if failure else ("todo", "")
    difference = staleness(record, trial, source)
    return ("stale", difference) if difference else ("done", "")


def staleness(record: Record, trial: Trial, source: str) -> str:
    """Why a record is not this trial's answer any more, or the empty string."""
    if record.identity != trial.identity:
        if record.baseline.algorithm_sha256 != trial.algorithm_sha256:
            return "the algorithm's source changed"
        return "the task's or the baseline's spec changed"
    return "" if record.source == source else f"the source of suite {record.suite} changed"


class _Readiness:
    """Whether a task can run here; each suite and data set is looked at once."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._data = DataStore(registry.data)
        self._known: dict[tuple[str, tuple[str, ...]], str] = {}

    def problem(self, task: TaskSpec) -> str:
        key = (task.suite, task.data)
        if key not in self._known:
            suite = self._registry.suite(task.suite)
            problems = [missing_modules(suite), *(self._data.missing(name) for name in task.data)]
            self._known[key] = next(filter(None, problems), "")
        return self._known[key]


def missing_modules(suite: Suite) -> str:
    """The command that installs what a suite lacks here, or the empty string."""
    absent = [name for name in suite.modules if find_spec(name) is None]
    if not absent:
        return ""
    return f"suite '{suite.name}' needs {', '.join(absent)}: pip install \"{suite.extra}\""


def _seconds(trials: Sequence[Trial], stores: Sequence[Store]) -> dict[Any, float]:
    """Median wall seconds of each cell, from its records in the first store that has any."""
    found = {}
    for trial in {trial.cell: trial for trial in trials}.values():
        for store in stores:
            walls = []
            for path in sorted(store.folder(trial.cell).glob("seed-*[0-9].json")):
                try:
                    wall = read_record(path).volatile.get("wall_s")
                except CorruptError:
                    continue  # look_up reports it
                walls += [float(wall)] if isinstance(wall, int | float) else []
            if walls:
                found[trial.cell] = statistics.median(walls)
                break
    return found
