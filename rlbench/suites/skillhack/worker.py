"""The process behind a `workers.Worker`: plays some slots; its standard input brings the orders."""

from __future__ import annotations

import json
import mmap
import os
import signal
import sys
from pathlib import Path
from typing import Any

from rlbench.core.decode import decode
from rlbench.suites.skillhack.settings import TaskSettings
from rlbench.suites.skillhack.slots import Slots
from rlbench.suites.skillhack.workers import DONE, shared_arrays


def main(config: dict[str, Any]) -> None:
    """Carry out orders until there are no more.

    Args:
        config: `settings`, `data`, `purpose`, `seed`; which slots (`first`, `count` of `n`) and
            the file descriptor `memory` of all arrays.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the owner hears of it and closes the input
    settings = decode(TaskSettings, config["settings"], "worker")
    memory = mmap.mmap(config["memory"], 0)
    arrays = shared_arrays(memory, config["n"], settings.max_steps)
    mine = slice(config["first"], config["first"] + config["count"])
    buffers = {name: array[mine] for name, array in arrays.items()}
    slots = Slots(
        settings,
        None if config["data"] is None else Path(config["data"]),
        purpose=config["purpose"],
        seed=config["seed"],
        first=config["first"],
        buffers=buffers,
    )
    while order := os.read(sys.stdin.fileno(), 1):
        slots.carry_out(order)
        os.write(sys.stdout.fileno(), DONE)
    slots.close()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
