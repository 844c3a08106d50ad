"""Temporary folders of running games; those of processes that were killed are cleared away.

Each process has one folder and holds a lock on a file in it. The kernel lets go of the lock however
the process ends, so a folder whose lock is free belongs to nobody.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path


def root() -> Path:
    """Where the folders of this user's processes are."""
    return Path(tempfile.gettempdir()) / f"rlbench-nethack-{os.getuid()}"


def new_folder() -> Path:
    """A new folder for one game, inside this process's own."""
    return Path(tempfile.mkdtemp(dir=_of_process(os.getpid())))


@cache
def _of_process(pid: int) -> Path:
    """This process's folder; `pid` keeps a forked child from using its parent's."""
    base = root()
    base.mkdir(mode=0o700, exist_ok=True)
    with (base / "gate").open("wb") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)  # nobody takes a new folder for a forsaken one
        clear_forsaken(base)
        folder = Path(tempfile.mkdtemp(prefix=f"{pid}-", dir=base))
        lock = os.open(folder / "lock", os.O_CREAT | os.O_WRONLY, 0o600)  # open till the end
        fcntl.flock(lock, fcntl.LOCK_EX)
    atexit.register(_leave, folder, pid)
    return folder


def _leave(folder: Path, pid: int) -> None:
    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)


def clear_forsaken(base: Path) -> None:
    """Remove the folders in `base` that no living process holds."""
    for folder in base.iterdir():
        if not folder.is_dir():
            continue
        with (folder / "lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(folder, ignore_errors=True)
