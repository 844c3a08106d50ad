"""What there is: tasks, baselines, data sets and suites, found by name, glob or path.

Specs come from the bundled folders, from every folder in `$RLBENCH_PATH`, and from packages that
register the entry point `rlbench.specs`; suites from the entry point `rlbench.suites`. Reading the
registry imports no suite; `suite()` imports one when it is needed.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TypeVar

from rlbench.core.bundled import bundled
from rlbench.core.data import DataSpec, read_data_specs
from rlbench.core.errors import MissingError, SpecError, UsageError, closest
from rlbench.core.source import module_file
from rlbench.core.spec import BaselineSpec, TaskSpec, read_baselines, read_tasks
from rlbench.core.suite import Suite

S = TypeVar("S", TaskSpec, BaselineSpec)


@dataclass
class Registry:
    """Everything that the command line can name."""

    tasks: dict[str, TaskSpec] = field(default_factory=dict)
    baselines: dict[str, BaselineSpec] = field(default_factory=dict)
    data: dict[str, DataSpec] = field(default_factory=dict)

    @classmethod
    def load(cls) -> Registry:
        """Read all specs.

        Raises:
            SpecError: a bundled file or one under `$RLBENCH_PATH` is malformed, or declares a name
                twice. A broken installed package is only warned of.
        """
        registry = cls()
        registry._add(bundled("tasks"), bundled("baselines"), "")
        for item in os.environ.get("RLBENCH_PATH", "").split(os.pathsep):
            if item:
                registry.add_root(Path(item).expanduser())
        for point in entry_points(group="rlbench.specs"):
            try:
                origin = module_file(point.value)
                if origin is None:
                    raise SpecError(f"no module {point.value}")
                registry.add_root(origin.parent)
            except Exception as error:  # whatever a stranger's package does, the rest works
                warnings.warn(f"plug-in '{point.name}' is left out: {error}", stacklevel=2)
        return registry

    def add_root(self, root: Path) -> None:
        """Add the specs in `root/tasks` and `root/baselines`, all of them or none.

        Raises:
            SpecError: neither folder is there, or a file in them is malformed.
        """
        if not (root / "tasks").is_dir() and not (root / "baselines").is_dir():
            raise SpecError(f"{root}: expected a folder 'tasks' or 'baselines' in it")
        whole = Registry(dict(self.tasks), dict(self.baselines), dict(self.data))
        whole._add(root / "tasks", root / "baselines", str(root))
        self.tasks, self.baselines, self.data = whole.tasks, whole.baselines, whole.data

    def _add(self, tasks: Path, baselines: Path, shown_root: str) -> None:
        for path in sorted(tasks.rglob("*.toml")):
            shown = _shown(path, tasks, shown_root)
            if path.name == "data.toml":
                for name, data in read_data_specs(path, shown).items():
                    if name in self.data:
                        raise SpecError(f"{shown}: data set '{name}' is already declared")
                    self.data[name] = data
            elif path.parent != tasks:
                for task in read_tasks(path, shown):
                    _add_unique(self.tasks, task.id, task)
        for path in sorted(baselines.rglob("*.toml")):
            for baseline in read_baselines(path, _shown(path, baselines, shown_root)):
                _add_unique(self.baselines, baseline.id, baseline)
        for name in [name for name, spec in self.baselines.items() if spec.deviates_like]:
            self.baselines[name] = _with_deviations(self.baselines[name], self.baselines, ())

    @cached_property
    def _suites(self) -> Mapping[str, EntryPoint]:
        found: dict[str, EntryPoint] = {}
        for point in entry_points(group="rlbench.suites"):
            first = found.setdefault(point.name, point)
            if first.value != point.value:
                names = f"registered as {first.value} and as {point.value}; the first is used"
                warnings.warn(f"suite '{point.name}' is {names}", stacklevel=2)
        return found

    @property
    def suite_names(self) -> list[str]:
        """The registered suites."""
        return sorted(self._suites)

    def suite(self, name: str) -> Suite:
        """Import a suite's object.

        Raises:
            UsageError: there is no such suite.
            MissingError: it is there but cannot be imported.
        """
        if name not in self._suites:
            raise UsageError(f"no suite '{name}'{closest(name, self._suites)}")
        try:
            suite: Suite = self._suites[name].load()
        except Exception as error:
            raise MissingError(f"suite '{name}' cannot be imported: {error}") from error
        return suite

    def suite_module(self, name: str) -> str:
        """The dotted module that registers a suite."""
        return self._suites[name].module

    def find_tasks(self, patterns: str) -> list[TaskSpec]:
        """Tasks by id, glob, or several separated by commas.

        Raises:
            UsageError: a pattern matches nothing.
        """
        return _find(patterns, self.tasks, "task")

    def find_baselines(self, patterns: str) -> list[BaselineSpec]:
        """Baselines by name or `suite/name`, glob, or several separated by commas.

        A variant's name is `name+variant`; `name` alone is the default recipe. A word with a colon
        is a user's own class; see `core.algorithm`.

        Raises:
            UsageError: a pattern matches nothing.
        """
        return _find(patterns, self.baselines, "baseline")


def _shown(path: Path, folder: Path, root: str) -> str:
    return (Path(root) / folder.name / path.relative_to(folder)).as_posix()


def _add_unique(known: dict[str, S], name: str, spec: S) -> None:
    if name in known:
        raise SpecError(f"{spec.file}: '{name}' is already declared in {known[name].file}")
    known[name] = spec


def _with_deviations(
    spec: BaselineSpec, known: Mapping[str, BaselineSpec], readers: tuple[str, ...]
) -> BaselineSpec:
    """The recipe with the deviations of those that it names, which may name others in turn."""
    told: list[str] = []
    for row in spec.deviates_like:
        name = f"{spec.suite}/{row}"
        if name not in known or name in (*readers, spec.id):
            found = "names itself" if name in known else f"no recipe '{name}'{closest(name, known)}"
            raise SpecError(f"{spec.file}: deviates_like: {found}")
        told += _with_deviations(known[name], known, (*readers, spec.id)).deviations
    deviations = tuple(dict.fromkeys([*told, *spec.deviations]))
    return replace(spec, deviations=deviations)


def _find(patterns: str, known: Mapping[str, S], kind: str) -> list[S]:
    short: list[str] = [name.partition("/")[2] for name in known]
    found: dict[str, S] = {}
    for pattern in filter(None, (item.strip() for item in patterns.split(","))):
        whole = pattern if "/" in pattern else f"*/{pattern}"
        matches = {name: spec for name, spec in known.items() if fnmatchcase(name, whole)}
        if not matches:
            hint = closest(pattern, [*known, *short])
            raise UsageError(f"no {kind} matches '{pattern}'{hint} (rlbench list {kind}s)")
        found |= matches
    if not found:
        raise UsageError(f"no {kind} named")
    return list(found.values())
