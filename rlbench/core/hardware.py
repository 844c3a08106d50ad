"""What kind of machine this is, and torch put into the one state that every trial starts from."""

from __future__ import annotations

import os
import platform
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rlbench.core.errors import MissingError, UsageError
from rlbench.core.heap import keep_freed_memory
from rlbench.core.seeding import small_seed

PACKAGES = (
    "numpy", "torch", "scikit-learn", "gymnasium", "minigrid", "nle", "minihack", "mujoco",
    "minari", "gymnasium-robotics", "lm-eval", "transformers", "pillow",
)  # fmt: skip
"""Whose versions a record holds: those that can change a number."""


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def gpus() -> tuple[str, ...]:
    """Names of the CUDA GPUs, without importing torch; those hidden by the environment left out."""
    tool, visible = shutil.which("nvidia-smi"), os.environ.get("CUDA_VISIBLE_DEVICES")
    if tool is None or visible in ("", "-1"):
        return ()
    chosen = [f"--id={visible}"] if visible else []
    query = [tool, "--query-gpu=name", "--format=csv,noheader", *chosen]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, check=True, timeout=20)
    except (subprocess.SubprocessError, OSError):  # no driver behind the tool: no GPU to use
        return ()
    return tuple(line.strip() for line in answer.stdout.splitlines() if line.strip())


@cache
def cpu_name() -> str:
    """The CPU's model name."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE)
        if found:
            return found.group(1).strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Installed versions of the packages that can change a number."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def pick_device(wish: str) -> str:
    """`cpu` or `cuda` from `auto`, `cpu` or `cuda`.

    Raises:
        UsageError: another word.
        MissingError: `cuda` was asked for and there is no GPU.
    """
    if wish not in ("auto", "cpu", "cuda"):
        raise UsageError(f"--device: expected auto, cpu or cuda, found '{wish}'")
    if wish == "cuda" and not gpus():
        raise MissingError("no CUDA GPU is visible (nvidia-smi lists none); use --device cpu")
    return "cuda" if wish != "cpu" and gpus() else "cpu"


def thread_environment(threads: int) -> dict[str, str]:
    """Environment variables that hold numeric libraries to a number of threads."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return dict.fromkeys(names, str(threads))


def settle(modules: Sequence[str], words: Sequence[str | int], threads: int) -> None:
    """Put the process into the state that every trial starts from, whatever ran before.

    Global generators are seeded for the sake of user code that draws from them; rlbench itself
    never does.
    """
    seed = small_seed(*words)
    random.seed(seed)
    import numpy as np

    np.random.set_state(np.random.RandomState(seed % 2**32).get_state())  # noqa: NPY002
    if "torch" in modules:
        import torch

        keep_freed_memory()
        torch.set_num_threads(threads)
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.manual_seed(seed)


def machine() -> Mapping[str, str]:
    """Python, platform and CPU, as a record names them."""
    return {
        "python": platform.python_version(),
        "platform": f"{sys.platform}-{platform.machine()}",
        "cpu": cpu_name(),
    }
