"""The class behind a baseline: a recipe's, or a user's own that no registry knows.

A user's own class is named on the command line, `module:Class` or `path/to/file.py:Class`. Its spec
is read from its source without running it; only a worker imports it.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rlbench.core.errors import UsageError, closest
from rlbench.core.source import code_digest, module_file
from rlbench.core.spec import BaselineSpec


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
