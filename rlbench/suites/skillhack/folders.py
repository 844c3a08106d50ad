"""Temporary folders of running games; those of processes that were killed are cleared away.

Each process with games has one folder and holds a lock on a file in it. The kernel lets go of the
lock however the process ends, so a folder whose lock is free belongs to nobody. The folder goes
with the last game in it, because not every process gets as far as its exit hooks.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

_LOCK = "lock"
_GUARD = threading.Lock()
"""Games come and go in several threads."""


def root() -> Path:
    """Where the folders of this user's processes are."""
    return Path(tempfile.gettempdir()) / f"rlbench-nethack-{os.getuid()}"


def new_folder() -> Path:
    """A new folder for one game, inside this process's own."""
    with _GUARD:
        return Path(tempfile.mkdtemp(dir=_of_process(os.getpid())[0]))


@contextmanager
def everything_in(folder: Path) -> Iterator[None]:
    """Whatever asks for a temporary folder meanwhile gets one inside this."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def drop_folder(folder: Path) -> None:
    """Remove a game's folder, and with the last one this process's own."""
    shutil.rmtree(folder, ignore_errors=True)
    own, pid = folder.parent, os.getpid()
    with _GUARD:
        is_mine = own.name.startswith(f"{pid}-") and own.is_dir()
        if is_mine and [path.name for path in own.iterdir()] == [_LOCK]:
            _leave(*_of_process(pid), pid)
            _of_process.cache_clear()


@cache
def _of_process(pid: int) -> tuple[Path, int]:
    """This process's folder and its lock; `pid` keeps a forked child from using its parent's."""
    base = root()
    base.mkdir(mode=0o700, exist_ok=True)
    with _gate(base):
        clear_forsaken(base)
        folder = Path(tempfile.mkdtemp(prefix=f"{pid}-", dir=base))
        lock = os.open(folder / _LOCK, os.O_CREAT | os.O_WRONLY, 0o600)  # open till the end
        fcntl.flock(lock, fcntl.LOCK_EX)
    atexit.register(_leave, folder, lock, pid)
    return folder, lock


def _leave(folder: Path, lock: int, pid: int) -> None:
    """Remove this process's folder, unless that is done or a forked child asks for it."""
    if os.getpid() != pid or not folder.exists():
        return
    with _gate(folder.parent):
        shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)


@contextmanager
def _gate(base: Path) -> Iterator[None]:
    """Nobody takes a folder that comes or goes for a forsaken one."""
    with (base / "gate").open("wb") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield


def clear_forsaken(base: Path) -> None:
    """Remove the folders in `base` that no living process holds."""
    for folder in base.iterdir():
        if not folder.is_dir():
            continue
        with (folder / _LOCK).open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(folder, ignore_errors=True)
