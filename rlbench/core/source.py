"""The digest of the code that answers: a changed line makes a record stale and an asset new.

It covers every Python file of the suite's package and, of `rlbench/learn`, the modules that those
files name, and those that these name in turn. A suite's `views` are left out: they read records and
cannot change one. So are comments, docstrings and layout: mending a sentence must not cost a day of
reference runs.

A change that leaves every number as it was (another layout in memory, a faster order of the same
sums) need not cost that day either. `same_numbers.toml` in the suite's package may say so, and by
what that was shown; the code then goes by the digest of the older code.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import rlbench
from rlbench.core.decode import decode
from rlbench.core.errors import SpecError, UsageError
from rlbench.core.files import SHA256, digest
from rlbench.core.spec import read_toml

_LEARN = Path(rlbench.__file__).parent / "learn"
_LEARN_NAME = re.compile(r"\brlbench\.learn\b(?:\.(?=\w))?(\w*)")


@dataclass(frozen=True)
class _Same:
    """One claim that new code gives the numbers of older code, bit for bit."""

    code: str
    """Digest of the new code: any further change ends the claim."""
    source: str
    """The source that the older code's records name."""
    why: str
    """What changed."""
    shown: str
    """The command that compared the two, and what it said."""

    def __post_init__(self) -> None:
        for name in ("code", "source"):
            if not SHA256.fullmatch(getattr(self, name)):
                raise ValueError(f"{name}: expected 64 hexadecimal digits")


@dataclass(frozen=True)
class _SameNumbers:
    same: tuple[_Same, ...]


def suite_source(module: str) -> str:
    """The source digest (hex) of the suite registered by `module` (a dotted, imported name).

    Raises:
        UsageError: the module was not loaded from a file.
        SpecError: its `same_numbers.toml` is not as it should be.
    """
    file = getattr(sys.modules[module], "__file__", None)
    if file is None:
        raise UsageError(f"suite module {module} has no source file")
    path = Path(file)
    in_package = bool(sys.modules[module].__package__)
    if not in_package:
        return _folders_digest(path)
    code = _folders_digest(path.parent)
    return _same_numbers(path.parent / "same_numbers.toml").get(code, code)


def _same_numbers(file: Path) -> dict[str, str]:
    """Digests of code, and the source that each goes by."""
    if not file.exists():
        return {}
    claims = decode(_SameNumbers, read_toml(file), file).same
    sources = {claim.code: claim.source for claim in claims}
    if len(sources) < len(claims):
        raise SpecError(f"{file}: same: expected each code once")
    return sources


def _folders_digest(root: Path) -> str:
    own = _files(root)
    files = {f"suite/{name}": _meaning(path) for name, path in own.items()}
    files |= {f"learn/{path.name}": _meaning(path) for path in _learn_files(own.values())}
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


def _meaning(path: Path) -> str:
    """sha256 of what a Python file does: its tokens, without comments, docstrings and layout."""
    text = path.read_text(encoding="utf-8")
    try:
        return digest(list(_statements(text)))
    except (tokenize.TokenError, SyntaxError):  # no Python that runs; any change of it counts
        return digest(text)


def _statements(text: str) -> Iterator[list[str]]:
    """The tokens of each statement; those that are nothing but a string say nothing to Python."""
    lines = text.splitlines(keepends=True)
    statement: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NEWLINE:
            if any(item.type not in _SAYS_NOTHING for item in statement):
                yield _words(statement, lines)
                statement = []
            else:
                statement = [item for item in statement if item.type in _WORDS]
        elif token.type not in (tokenize.COMMENT, tokenize.NL):
            statement.append(token)


_WORDS = {tokenize.INDENT: ">", tokenize.DEDENT: "<"}
_SAYS_NOTHING = (tokenize.STRING, *_WORDS)
_F_START, _F_END = getattr(tokenize, "FSTRING_START", -1), getattr(tokenize, "FSTRING_END", -1)


def _words(statement: Sequence[tokenize.TokenInfo], lines: Sequence[str]) -> list[str]:
    """The statement's tokens as text; an f-string is one token, as in Python 3.11."""
    words, begin, nested = [], (0, 0), 0
    for token in statement:
        if token.type == _F_START:
            begin = begin if nested else token.start
            nested += 1
        elif token.type == _F_END:
            nested -= 1
            if not nested:
                words.append(_between(lines, begin, token.end))
        elif not nested:
            words.append(_WORDS.get(token.type, token.string))
    return words


def _between(lines: Sequence[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """The text from one (line, column) to another; lines count from 1."""
    (first, left), (last, right) = start, end
    if first == last:
        return lines[first - 1][left:right]
    return "".join([lines[first - 1][left:], *lines[first : last - 1], lines[last - 1][:right]])


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
