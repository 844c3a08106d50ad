"""What there is: tasks, baselines, data sets and suites, found by name, glob or path.

Specs come from the bundled folders, from every folder in `$RLBENCH_PATH`, and from packages that
register the entry point `rlbench.specs`; suites from the entry point `rlbench.suites`. Reading the
registry imports no suite; `suite()` imports one when it is needed.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import re
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

from rlbench.core.bundled import bundled
from rlbench.core.data import DataSpec, read_data_specs
from rlbench.core.errors import MissingError, SpecError, UsageError, closest
from rlbench.core.source import code_digest, module_file
from rlbench.core.spec import BaselineSpec, TaskSpec, read_baseline, read_tasks
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
            baseline = read_baseline(path, _shown(path, baselines, shown_root))
            _add_unique(self.baselines, baseline.id, baseline)

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

        A word with a colon is a user's own class; it belongs to no suite until `own` gives it one.

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


# -- a user's own class ---------------------------------------------------------------------------


def is_own(word: str) -> bool:
    """Whether a BASELINE word names a class (`module:Class`, `path/to/file.py:Class`)."""
    return ":" in word


def own_baseline(word: str, suite: str, overrides: Iterable[str]) -> BaselineSpec:
    """The spec of a user's own class, read from its source without running it.

    Args:
        word: `module:Class` or `path/to/file.py:Class`.
        suite: the suite of the tasks that it is to run on.
        overrides: names of the parameters that the user sets.

    Raises:
        UsageError: no such file or class, or a parameter that its constructor does not take.
    """
    _, name = split_algorithm(word)
    path = algorithm_file(word)
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        raise UsageError(f"{path}: cannot read as Python: {error}") from error
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    if name not in classes:
        raise UsageError(f"{path}: no class '{name}' at its top level{closest(name, classes)}")
    accepted = _parameters(classes[name])
    for key in overrides:
        if accepted is not None and key not in accepted:
            known = ", ".join(accepted) or "none"
            raise UsageError(f"{name} takes no parameter '{key}'{closest(key, accepted)} ({known})")
    try:
        return BaselineSpec(
            suite=suite,
            name="own-" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_+", "-", name).lower(),
            version=1,
            title=f"{name} (your own)",
            algorithm=word,
            source="the user",
            own=True,
        )
    except ValueError as error:
        raise UsageError(f"{path}: class {name}: {error}") from error


def _parameters(node: ast.ClassDef) -> list[str] | None:
    """What the class's constructor takes, as far as its own source tells; None if it does not."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            if item.args.kwarg:
                return None
            return [arg.arg for arg in [*item.args.args[1:], *item.args.kwonlyargs]]
    if node.bases:
        return None
    if node.decorator_list:  # a dataclass's fields
        return [
            item.target.id
            for item in node.body
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
        ]
    return []


def split_algorithm(word: str) -> tuple[str, str]:
    """`module-or-path` and class name.

    Raises:
        UsageError: the word has no colon or no class name.
    """
    where, _, name = word.rpartition(":")
    if not where or not name.isidentifier():
        raise UsageError(f"expected 'module:Class' or 'path/to/file.py:Class', found '{word}'")
    return where, name


def algorithm_file(word: str) -> Path:
    """The source file of an algorithm.

    Raises:
        UsageError: there is none.
    """
    where, _ = split_algorithm(word)
    path = Path(where) if where.endswith(".py") else module_file(where)
    if path is None or not path.is_file():
        raise UsageError(f"'{word}': no such {'file' if where.endswith('.py') else 'module'}")
    return path


def outside_digest(baseline: BaselineSpec, suite_module: str) -> str | None:
    """The source hash of an algorithm that the suite's own source digest does not cover."""
    where, _ = split_algorithm(baseline.algorithm)
    package = suite_module.rpartition(".")[0]
    if package and (where == package or where.startswith(f"{package}.")):
        return None
    return code_digest(algorithm_file(baseline.algorithm))


def load_algorithm(word: str) -> Any:
    """Import the class that an algorithm names. Only for specs that this machine's user chose.

    Raises:
        UsageError: it cannot be imported.
    """
    where, name = split_algorithm(word)
    try:
        if where.endswith(".py"):
            path = Path(where).absolute()
            module_name = f"rlbench_own_{path.stem}"
            spec = importlib.util.spec_from_file_location(module_name, path)
            if spec is None or spec.loader is None:
                raise ImportError(f"{path} cannot be loaded")
            module = importlib.util.module_from_spec(spec)
            sys.modules[module_name] = module
            spec.loader.exec_module(module)
        else:
            module = importlib.import_module(where)
        return getattr(module, name)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"'{word}' cannot be imported: {error}") from error


def with_absolute_path(baseline: BaselineSpec) -> BaselineSpec:
    """The spec with a file path that holds in another working folder."""
    where, name = split_algorithm(baseline.algorithm)
    if not where.endswith(".py"):
        return baseline
    return replace(baseline, algorithm=f"{Path(where).absolute()}:{name}")


def suites_of(tasks: Sequence[TaskSpec]) -> list[str]:
    """The suites that tasks belong to, each once, in order."""
    return list(dict.fromkeys(task.suite for task in tasks))
