"""Peak memory of detectors on a bank of 1.28 million rows of 2,048 half-precision features on disk.

    python benchmarks/ood_bank.py            # twenty minutes, 8 GB of disk
    python benchmarks/ood_bank.py she knn    # some of them
    python benchmarks/ood_bank.py all        # with those that take products of rows and features
                                             # squared, six minutes or more each

Each is fitted on the bank and scores 64 examples, on one thread, in a process of its own, whose
peak of resident memory must stay below 2 GiB. Nothing but rlbench is needed.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is imported: one thread each

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rlbench.core.registry import Registry
from rlbench.suites.ood.posthoc import make_detector
from rlbench.suites.ood.splits import NEEDS, Head, Split
from rlbench.suites.ood.stream import rows_of

PEAK_GIB = 2.0
ROWS, WIDTH, CLASSES, QUERIES, BLOCK = 1_280_000, 2048, 1000, 64, 16_000
LIGHT = ("she", "dice", "fdbd", "react", "pod", "nnguide", "knn")
HEAVY = ("residual", "vim", "mahalanobis", "rmds")


def write_bank(folder: Path) -> None:
    """One random block over and over, each time scaled otherwise: quick, and of full rank."""
    rng = np.random.default_rng(0)
    z = np.maximum(rng.normal(size=(BLOCK, WIDTH)).astype(np.float32), 0)
    weight = rng.normal(size=(CLASSES, WIDTH)).astype(np.float32) / 20
    f = z @ weight.T
    y = np.arange(BLOCK) % CLASSES
    f[np.arange(BLOCK), y] = f.max(axis=1) + 1  # every class is there, and rightly predicted
    np.save(folder / "weight.npy", weight)
    sizes = {"features": WIDTH, "logits": CLASSES}
    files = {
        name: np.lib.format.open_memmap(
            folder / f"{name}.npy", "w+", dtype=np.float16, shape=(ROWS, width)
        )
        for name, width in sizes.items()
    }
    for i, start in enumerate(range(0, ROWS, BLOCK)):
        scale = 0.5 + i / (ROWS / BLOCK)
        for name, block in (("features", z), ("logits", f)):
            files[name][start : start + BLOCK] = block * scale
    np.save(folder / "labels.npy", np.tile(y, ROWS // BLOCK))


def on_bank(name: str, folder: Path) -> None:
    """Fit, score, and print CPU seconds and the peak of this process in GiB."""
    arrays = {p.stem: np.load(p, mmap_mode="r") for p in folder.glob("*.npy")}
    weight = torch.from_numpy(np.array(arrays.pop("weight")))
    rows: dict[str, Callable[[int, int], Tensor]] = {
        key: rows_of(array) for key, array in arrays.items()
    }
    logits = rows["logits"]
    rows["predictions"] = lambda start, stop: logits(start, stop).argmax(dim=1)

    def split(n: int) -> Split:
        fields: dict[str, Callable[[], Any]] = {
            key: partial(read, 0, n) for key, read in rows.items()
        }
        fields["head"] = lambda: Head(weight, torch.zeros(CLASSES))
        return Split(n, CLASSES, fields, frozenset(NEEDS), rows=rows)

    recipe = Registry.load().baselines[f"ood/{name}"]
    params = {key: param.value for key, param in recipe.params.items()}

    began = time.process_time()
    detector = make_detector(recipe.algorithm, params)
    detector.fit(split(ROWS), split(BLOCK))
    detector.score(split(QUERIES))
    seconds = time.process_time() - began
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


def child(*words: str) -> str:
    """What this file prints when it is run with `words`."""
    command = [sys.executable, __file__, *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main(words: list[str]) -> int:
    """Print the table; 1 when a peak is too high."""
    torch.set_num_threads(1)
    if words[:1] == ["--write"]:
        write_bank(Path(words[1]))
        return 0
    if words[:1] == ["--one"]:
        on_bank(words[1], Path(words[2]))
        return 0
    names = LIGHT + HEAVY if words == ["all"] else tuple(words) or LIGHT
    good = True
    with tempfile.TemporaryDirectory() as folder:
        # Not in this process: the peak of a child begins at what its parent holds.
        child("--write", folder)
        print(f"{f'{ROWS:,} x {WIDTH} on disk':36}{'CPU':>12}{'peak RSS':>12}", flush=True)
        for name in names:
            seconds, peak = map(float, child("--one", name, folder).split())
            print(f"{name:36}{seconds:10.1f} s{peak:8.2f} GiB", flush=True)
            good &= peak <= PEAK_GIB
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
