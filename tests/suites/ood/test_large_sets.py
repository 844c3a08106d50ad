"""Sets larger than memory: examples and features go to disk as they are made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MAKE = """
import resource, sys
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from rlbench.core.assets import AssetStore
from rlbench.core.context import Context
from rlbench.core.data import DataStore
from rlbench.core.registry import Registry
from rlbench.core.trial import Trial
from rlbench.suites.ood import sources
from rlbench.suites.ood.examples import Part
from rlbench.suites.ood.features import Pipeline
from rlbench.suites.ood.params import OodParams, Protocol, SetRef

@dataclass(frozen=True)
class Wide:
    title, shape, classes, splits = "wide vectors", (512,), 2, ("train", "test", "ood")
    seeded, atlas, data = False, False, ""

    def load(self, ref, split, n, seed, files):
        y = np.arange(n) % 2
        return Part(y, lambda i: (y[i][:, None] + np.sin(i[:, None] * np.arange(1, 513.0))))

sources.SOURCES["wide"] = Wide()
registry = Registry.load()
spec = registry.tasks["ood/toy-hole"]
trial = Trial(spec, registry.baselines["ood/msp"], {}, {}, "smoke", seed=3)
root = Path(sys.argv[1])
ctx = Context(trial, assets=AssetStore(root, "0" * 64), data=DataStore({}), checkpoint=root / "c")

def make(n):
    sizes = Protocol(n_train=400, n_val=1, n_test=n)
    task = OodParams(SetRef("wide"), "softmax", ood=SetRef("wide"))
    return Pipeline(ctx, task, sizes).outputs(SetRef("wide"), "test")

make(2000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(make(30_000)["features"].nbytes // 1024)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""

MAP = """
import resource
import torch
from rlbench.core.heap import keep_freed_memory
from rlbench.suites.ood.splits import NEEDS, Split

keep_freed_memory()  # as workers do

def largest(parts):
    rows = {"logits": lambda start, stop: torch.zeros(stop - start, 1000)}
    fields = {"logits": lambda: None}
    split = Split(1000 * parts, 1000, fields, frozenset(NEEDS), rows=rows)
    split.map(lambda f: f.double().amax(dim=1), "logits")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

before = largest(2)
print(100 * 1000 * 1000 * 8 // 1024, largest(100) - before)
"""


def test_what_is_mapped_over_a_large_set_does_not_hold_its_parts() -> None:
    answer = subprocess.run([sys.executable, "-c", MAP], text=True, capture_output=True, check=True)
    size, growth = map(int, answer.stdout.split())  # KiB
    assert growth < size / 8


def test_memory_does_not_grow_with_the_number_of_examples(tmp_path: Path) -> None:
    words = [sys.executable, "-c", MAKE, str(tmp_path)]
    answer = subprocess.run(words, text=True, capture_output=True, check=True).stdout
    size, growth = map(int, answer.split())  # KiB
    assert size == 120_000
    assert growth < size / 8
