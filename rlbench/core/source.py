"""The digest of the code that answers: a changed line makes a record stale and an asset new.

It covers every Python file of the suite's package and, of `rlbench/learn`, the modules that those
files name, and those that these name in turn. A suite's `views` are left out: they read records and
cannot change one.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import rlbench
from rlbench.core.errors import UsageError
from rlbench.core.files import digest

_LEARN = Path(rlbench.__file__).parent / "learn"
_LEARN_NAME = re.compile(r"\brlbench\.learn\b(?:\.(?=\w))?(\w*)")


def suite_source(module: str) -> str:
    """The source digest (hex) of the suite registered by `module` (a dotted, imported name).

    Raises:
        UsageError: the module was not loaded from a file.
    """
    file = getattr(sys.modules[module], "__file__", None)
    if file is None:
        raise UsageError(f"suite module {module} has no source file")
    path = Path(file)
    in_package = bool(sys.modules[module].__package__)
    return _folders_digest(path.parent if in_package else path)


def _folders_digest(root: Path) -> str:
    own = _files(root)
    files = {f"suite/{name}": code_digest(path) for name, path in own.items()}
    files |= {f"learn/{path.name}": code_digest(path) for path in _learn_files(own.values())}
    return digest(files)


def _files(root: Path) -> dict[str, Path]:
    if root.is_file():
        return {root.name: root}
    names = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*.py"))}
    return {
        name: path
        for name, path in names.items()
        if name != "views.py" and not name.startswith("views/")
    }


def _learn_files(readers: Iterable[Path]) -> set[Path]:
    """The modules of `learn` that files name, in whatever way, and those that these name in turn.

    Read as text, so that no way of importing escapes; a file that names the package and none of its
    modules is taken to use all of them.
    """
    known = {path.stem: path for path in _LEARN.glob("*.py")}
    found: set[Path] = set()
    waiting = list(readers)
    while waiting:
        text = waiting.pop().read_text(encoding="utf-8", errors="replace")
        names = {match[1] for match in _LEARN_NAME.finditer(text)}
        modules = set(known) if "" in names else names | {"__init__"} if names else names
        new = {known[name] for name in modules & set(known)} - found
        found |= new
        waiting += new
    return found


def code_digest(path: Path) -> str:
    """sha256 of a source file, the same for both habits of ending a line."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def module_file(module: str) -> Path | None:
    """The file of a module, found without importing it (its parent packages are imported)."""
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    return Path(found.origin) if found and found.origin and found.has_location else None
