"""The digest of the code that answers: a changed line makes a record stale and an asset new.

It covers every Python file of the suite's package and of `rlbench/learn`, except a suite's
`views`: they read records and cannot change one.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path

import rlbench
from rlbench.core.errors import UsageError
from rlbench.core.files import digest

_LEARN = Path(rlbench.__file__).parent / "learn"


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
    files = {f"suite/{name}": sha for name, sha in _files(root).items()}
    files |= {f"learn/{name}": sha for name, sha in _files(_LEARN).items()}
    return digest(files)


def _files(root: Path) -> dict[str, str]:
    if root.is_file():
        return {root.name: code_digest(root)}
    found = sorted(root.rglob("*.py"))
    names = {path: path.relative_to(root).as_posix() for path in found}
    return {
        name: code_digest(path)
        for path, name in names.items()
        if name != "views.py" and not name.startswith("views/")
    }


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
