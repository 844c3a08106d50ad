"""Where the declarative folders are: in a checkout beside the package, in a wheel inside it."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent.parent


def bundled(name: str) -> Path:
    """The folder `tasks`, `baselines` or `results/reference` that came with this rlbench."""
    inside = _PACKAGE / "_bundled"
    return (inside if inside.is_dir() else _PACKAGE.parent) / name


def checkout() -> Path | None:
    """The root of the git checkout that this rlbench is imported from, if it is one."""
    root = _PACKAGE.parent
    return root if (root / ".git").exists() and (root / "pyproject.toml").is_file() else None
