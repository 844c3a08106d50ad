"""From a level's des-file to the data file that NetHack reads, compiled once for each content.

NetHack's own tools do it: `dgn_comp` puts a level named `mylevel` first into the dungeon,
`lev_comp` compiles the des-file, `dlb` packs both with the quest texts. `lev_comp` accepts some
broken files, so its messages count as much as its exit status, and the level must be there.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from filelock import FileLock

from rlbench.core.assets import cache_folder
from rlbench.core.bundled import bundled
from rlbench.core.errors import MissingError, RlbenchError, SpecError
from rlbench.suites.skillhack.settings import TaskSettings

_FIRST_LEVEL = 'LEVEL:\t\t"mylevel" "none" @ (1, 1)\n'
_MAIN_DUNGEON = re.compile(r'^DUNGEON:.*"The Dungeons of Doom".*\n', re.MULTILINE)
_WHERE = re.compile(r"line (\d+)")


def level_file(level: str) -> Path:
    """Where the des-file of a level of this suite is."""
    return bundled("tasks") / "skillhack" / "des" / f"{level}.des"


@cache
def hack_folder() -> Path:
    """The folder of nle that holds NetHack's tools and data.

    Raises:
        MissingError: nle is not installed.
    """
    found = find_spec("nle")
    if found is None or found.origin is None:
        raise MissingError("NetHack is not installed: pip install 'rlbench[skillhack]'")
    return Path(found.origin).parent / "nethackdir"


def level_data(settings: TaskSettings) -> Path | None:
    """The data file of a task's level; None for others' environments, which make their own.

    Raises:
        SpecError: see `compiled`.
    """
    return compiled(settings.level, settings.level_sha256) if settings.level else None


def compiled(level: str, sha256: str) -> Path:
    """The data file of a level of this suite, from the cache or made now.

    Raises:
        SpecError: there is no such level, its content is not what `sha256` says, or NetHack's
            compiler refuses it; names the file, and the line where it can.
    """
    path = level_file(level)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SpecError(f"{path}: cannot read: {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise SpecError(f"{path}: expected sha256 {sha256}, found {found}")
    return compiled_text(content, str(path))


def compiled_text(content: bytes, shown: str) -> Path:
    """The data file for the text of a des-file; `shown` is the name that errors give it.

    Raises:
        SpecError: NetHack's compiler refuses it.
    """
    content = content.rstrip() + b"\n"  # a comment in the last line needs its end
    key = hashlib.sha256(version("nle").encode() + b"\0" + content).hexdigest()
    folder = cache_folder() / "nethack" / key
    target = folder / "nhdat"
    if target.is_file():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"), tempfile.TemporaryDirectory(dir=folder) as scratch:
        if not target.is_file():
            _make(content, shown, Path(scratch)).replace(target)
    return target


def _make(content: bytes, shown: str, scratch: Path) -> Path:
    """Compile and pack in `scratch`."""
    hack = hack_folder()
    _dungeon(hack, scratch)
    (scratch / "mylevel.des").write_bytes(content)
    done = _tool(scratch, hack / "lev_comp", "mylevel.des")
    said = " ".join((done.stdout + done.stderr).split())
    if done.returncode or "error" in said.lower() or not (scratch / "mylevel.lev").is_file():
        line = _WHERE.search(said)
        place = f"{shown}:{line[1]}" if line else shown
        raise SpecError(f"{place}: NetHack's level compiler says: {said or 'nothing'}")
    packed = _tool(scratch, hack / "dlb", "cf", "nhdat", "dungeon", "mylevel.lev", "quest.dat")
    if packed.returncode:
        raise RlbenchError(f"{shown}: NetHack's dlb failed: {packed.stderr.strip()}")
    return scratch / "nhdat"


def _dungeon(hack: Path, scratch: Path) -> None:
    """NetHack's dungeon with one more level, at its top."""
    plan = (hack / "dat" / "dungeon.def").read_text(encoding="utf-8")
    plan = _MAIN_DUNGEON.sub(lambda found: found[0] + _FIRST_LEVEL, plan)
    (scratch / "dungeon.pdf").write_text(plan, encoding="utf-8")
    made = _tool(scratch, hack / "dgn_comp", "dungeon.pdf")
    texts = _tool(scratch, hack / "dlb", "xf", str(hack / "nhdat"), "quest.dat")
    if made.returncode or texts.returncode:
        raise RlbenchError(f"{hack}: NetHack's tools failed: {made.stderr} {texts.stderr}".strip())


def _tool(folder: Path, program: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [os.fspath(program), *args]
    if shutil.which(command[0]) is None:
        raise MissingError(f"{program}: not an executable file; install nle again")
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
