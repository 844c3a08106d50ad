"""How often `rlbench check` cries wolf, and what it finds: the two tables of its documentation.

    python benchmarks/gate.py pool  --work DIR     # 200 seeds of cheap cells, then resampling
    python benchmarks/gate.py plant --work DIR     # real faults in a copy of the source
    python benchmarks/gate.py repeat --work DIR    # unchanged code, other candidate seeds

`pool` measures the rules on numbers: reference, candidate and confirmation are drawn without
replacement from 200 seeds, through the gate's own functions. `plant` and `repeat` measure the
whole program: each fault is a text replacement in a copy of `rlbench/`, checked by the copy's own
`rlbench check` against reference records that the untouched source made. All are resumable: what
lies in DIR is not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rlbench.core.assets import AssetStore
from rlbench.core.context import Context
from rlbench.core.data import DataStore
from rlbench.core.files import pretty, write_atomic
from rlbench.core.hardware import settle
from rlbench.core.registry import Registry
from rlbench.core.stats import Array
from rlbench.gate.statistical import MANY_CELLS, first_look, second_look, suite_look
from rlbench.runner.plan import build_trial

ROOT = Path(__file__).parent.parent
POOL_TASKS = "ood/toy-*"
POOL_BASELINES = ("energy", "knn", "mahalanobis", "rmds", "vim")
POOL_SEEDS = range(1000, 1200)
LEAST_SD = 1e-3
"""A saturated cell (AUROC 1.000 on every seed) can neither alarm nor be degraded by its own sd."""
CHECKS, SUITE_CHECKS = 2_000, 200
PLANT_CELLS = "ood/toy-*,ood/digits8-*"


# -- resampling -----------------------------------------------------------------------------------


def fill_pool(folder: Path) -> dict[str, Array]:
    """Values of the primary metric `(seeds,)` by cell; one file a seed is kept in `folder`."""
    registry = Registry.load()
    suite = registry.suite("ood")
    for seed in POOL_SEEDS:
        path = folder / f"seed-{seed}.json"
        if path.exists():
            continue
        values: dict[str, float] = {}
        with tempfile.TemporaryDirectory() as name:
            for task in registry.find_tasks(POOL_TASKS):
                assets = AssetStore(Path(name), "pool")
                for baseline in registry.find_baselines(",".join(POOL_BASELINES)):
                    trial = build_trial(
                        registry, task, baseline, tier="smoke", seed=seed, overrides={}
                    )
                    settle(suite.modules, ("global", task.id, seed), 1)
                    data, checkpoint = DataStore(registry.data), Path(name) / "none.npz"
                    ctx = Context(trial, assets=assets, data=data, checkpoint=checkpoint)
                    metrics = suite.metrics_of(task, suite.run(trial, ctx).evidence)
                    values[f"{task.id} {baseline.name}"] = metrics[task.primary]
        write_atomic(path, pretty(values))
    rows = [json.loads((folder / f"seed-{seed}.json").read_text()) for seed in POOL_SEEDS]
    return {cell: np.array([row[cell] for row in rows]) for cell in rows[0]}


@dataclass(frozen=True)
class Draw:
    """One simulated check of one cell: disjoint sets of seeds."""

    reference: Array
    candidate: Array
    fresh: Array

    def dropped(self, by: float) -> Draw:
        """The same with new code that is worse by so much."""
        return Draw(self.reference, self.candidate - by, self.fresh - by)

    def alarms(self, cells: int) -> bool:
        """Whether both looks fall; no least effect, the hardest case for false alarms."""
        if not first_look(self.reference, self.candidate, 0.0).fell:
            return False
        return second_look(self.reference, self.fresh, 0.0, cells=cells).fell


def draw(values: Array, rng: np.random.Generator) -> Draw:
    """Ten, five and five of a cell's seeds."""
    chosen = rng.permutation(values)[:20]
    return Draw(chosen[:10], chosen[10:15], chosen[15:])


def false_alarms(
    pool: Sequence[Array], cells: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Share of checks of unchanged code with an alarm, and cells confirmed per check."""
    alarms = confirmed = 0
    for _ in range(CHECKS):
        drawn = [draw(pool[i], rng) for i in rng.integers(len(pool), size=cells)]
        flagged = [d for d in drawn if first_look(d.reference, d.candidate, 0.0).fell]
        confirmed += len(flagged)
        alarms += any(d.alarms(cells) for d in flagged)
    return alarms / CHECKS, confirmed / CHECKS


def power(pool: Sequence[Array], cells: int, drop: float, rng: np.random.Generator) -> float:
    """Share of drops by `drop` standard deviations that are found, over all cells of the pool."""
    found = 0
    for _ in range(CHECKS):
        values = pool[int(rng.integers(len(pool)))]
        found += draw(values, rng).dropped(drop * float(values.std(ddof=1))).alarms(cells)
    return found / CHECKS


def suite_rate(pool: Sequence[Array], cells: int, drop: float, rng: np.random.Generator) -> float:
    """Share of checks in which the suite falls twice when all cells drop by `drop` sd."""
    alarms = 0
    for _ in range(SUITE_CHECKS):
        chosen = [pool[i] for i in rng.integers(len(pool), size=cells)]
        drawn = [draw(v, rng).dropped(drop * float(v.std(ddof=1))) for v in chosen]
        reference = np.stack([d.reference for d in drawn], axis=1)
        looks = (
            np.stack([getattr(d, part) for d in drawn], axis=1) for part in ("candidate", "fresh")
        )
        alarms += all(suite_look(reference, new, 0.0).fell for new in looks)
    return alarms / SUITE_CHECKS


def show_pool(work: Path) -> None:
    """Print the table of rates."""
    pool = fill_pool(work / "pool")
    noisy = [values for values in pool.values() if values.std(ddof=1) >= LEAST_SD]
    rng = np.random.default_rng(0)
    print(f"{len(noisy)} of {len(pool)} cells vary (sd >= {LEAST_SD:g}), {len(POOL_SEEDS)} seeds")
    print("| cells | false alarm per check | confirmed per check | power 1 sd | 2 sd | 3 sd |"
          " suite: false alarm | all cells down .5 sd | 1 sd |\n|" + "---|" * 9)  # fmt: skip
    for cells in (10, 40):
        rate, confirmed = false_alarms(noisy, cells, rng)
        found = [power(noisy, cells, drop, rng) for drop in (1.0, 2.0, 3.0)]
        whole = [suite_rate(noisy, cells, drop, rng) for drop in (0.0, 0.5, 1.0)]
        numbers = [f"{rate:.3f}", f"{confirmed:.2f}", *(f"{x:.2f}" for x in found)]
        numbers += [f"{whole[0]:.3f}", *(f"{x:.2f}" for x in whole[1:])]
        print(f"| {cells} | " + " | ".join(numbers) + " |")
    print(f"confirmation at .05 up to {MANY_CELLS} cells, at .01 above")


# -- planted faults -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """A text replacement in the source, and the name under which the table shows it."""

    name: str
    file: str
    old: str
    new: str


OOD = "rlbench/suites/ood"
FAULTS = (
    Fault(
        "wrong sign of ViM's energy term",
        f"{OOD}/detectors/vim.py",
        "residual(z) - torch.logsumexp(f.double(), dim=1)",
        "residual(z) + torch.logsumexp(f.double(), dim=1)",
    ),
    Fault(
        "wrong sign of the shortcut in one layer, when features are read",
        f"{OOD}/networks.py",
        """
        for block in self.blocks:
            x = block(x)
""",
        """
        for block in self.blocks:
            wrong = block is self.blocks[2] and not self.training
            x = functional.relu(block(x) - 2 * block.shortcut(x)) if wrong else block(x)
""",
    ),
    Fault(
        "classifier's learning rate x 3",
        f"{OOD}/descent.py",
        '"resnet8": Recipe(batch=64, peak=0.1,',
        '"resnet8": Recipe(batch=64, peak=0.3,',
    ),
    Fault(
        "images not normalised",
        f"{OOD}/inputs.py",
        "return images.sub_(mean).div_(std)",
        "return images",
    ),
    Fault(
        "kNN's features not scaled to length one",
        f"{OOD}/detectors/knn.py",
        "functional.normalize(z, eps=1e-12) if self.unit else z",
        "z",
    ),
    Fault(
        "Mahalanobis without whitening",
        f"{OOD}/detectors/gaussian.py",
        "whitening = torch.linalg.solve_triangular(factor, eye, upper=False)",
        "whitening = eye",
    ),
)


def rlbench(tree: Path, words: Sequence[str]) -> tuple[int, str]:
    """Exit status and standard output of a source tree's own command."""
    path = os.pathsep.join(filter(None, [str(tree), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "rlbench", *words],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def copy_of(folder: Path, fault: Fault | None) -> Path:
    """The source under `folder`, with a fault in it.

    Raises:
        ValueError: the text that the fault replaces is not there (once) any more.
    """
    for name in ("rlbench", "tasks", "baselines"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    if fault is not None:
        path = folder / fault.file
        text = path.read_text(encoding="utf-8")
        if text.count(fault.old) != 1:
            raise ValueError(f"{fault.file}: expected once: {fault.old!r}")
        path.write_text(text.replace(fault.old, fault.new), encoding="utf-8")
    return folder


def reference_of(work: Path) -> Path:
    """Reference records of the cells that faults are planted in, made from the untouched source."""
    reference = work / "reference"
    if not reference.is_dir():
        making = work / "reference.part"
        shutil.rmtree(making, ignore_errors=True)
        with tempfile.TemporaryDirectory() as name:
            words = ("check", "--accept", "--against", str(making), "--cells", PLANT_CELLS)
            status, said = rlbench(copy_of(Path(name), None), words)
        if status != 0:
            raise SystemExit(f"the reference could not be made:\n{said}")
        making.rename(reference)
    return reference


def checked(work: Path, name: str, run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The JSON of a check, from an earlier call if there is one."""
    path = work / "checks" / f"{name}.json"
    if not path.exists():
        write_atomic(path, pretty(run()))
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def planted_check(reference: Path, fault: Fault) -> dict[str, Any]:
    """What `rlbench check` says of a source with a fault."""
    with tempfile.TemporaryDirectory() as name:
        tree = copy_of(Path(name), fault)
        words = ("check", "--against", str(reference), "--cells", PLANT_CELLS, "--json")
        status, out = rlbench(tree, words)
    return {"exit": status, **json.loads(out)}


def unchanged_check(reference: Path, number: int) -> dict[str, Any]:
    """What the check says of unchanged code when its seeds are others."""
    from rlbench.cli.checking import run_check
    from rlbench.cli.fresh import fresh_bench, gate_cells
    from rlbench.core.store import Store
    from rlbench.gate.cells import select

    first = 3_000 + 10 * number
    with fresh_bench() as bench:
        verdict = run_check(
            bench,
            select(gate_cells(), PLANT_CELLS),
            Store(reference),
            candidate_seeds=range(first, first + 5),
            confirmation_seeds=range(first + 5, first + 10),
        )
    return {"exit": int(verdict.exit_code), **verdict.to_json()}


def row(name: str, found: dict[str, Any]) -> str:
    """A line of the table."""
    cells = found["cells"]
    golden = [cell["finding"] for cell in cells if cell["kind"] == "golden"]
    other = [cell["finding"] for cell in cells if cell["kind"] == "statistical"]
    down = [suite for suite in found["suites"] if suite["status"] == "regression"]
    suites = [f"{suite['suite']} ({suite['origin']})" for suite in down]
    shown = (
        f"{golden.count('differs')} of {len(golden)}",
        f"{other.count('drop')} of {len(other)}",
        str(other.count("drop not confirmed")),
        ", ".join(suites) or "-",
        str(found["exit"]),
    )
    return f"| {name} | " + " | ".join(shown) + " |"


def show_checks(work: Path, rows: Sequence[tuple[str, str, Callable[[], dict[str, Any]]]]) -> None:
    """Run the checks that are not there yet and print a line for each."""
    print("| source | golden differ | statistical regressions | flagged, not confirmed |"
          " suites down | exit |\n|" + "---|" * 6)  # fmt: skip
    for shown, name, run in rows:
        print(row(shown, checked(work, name, run)), flush=True)


def main() -> None:
    """Parse the words and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["pool", "plant", "repeat"])
    parser.add_argument("--work", type=Path, required=True, help="where to keep what was made")
    parser.add_argument("--checks", type=int, default=8, help="how many unchanged checks to run")
    asked = parser.parse_args()
    work = asked.work.absolute()
    if asked.what == "pool":
        show_pool(work)
        return
    reference = reference_of(work)
    if asked.what == "plant":
        show_checks(
            work,
            [
                (f.name, f"fault-{i}", lambda f=f: planted_check(reference, f))  # type: ignore[misc]
                for i, f in enumerate(FAULTS)
            ],
        )
        return
    show_checks(
        work,
        [
            (f"unchanged, seeds from {3_000 + 10 * n}", f"unchanged-{n}",
             lambda n=n: unchanged_check(reference, n))  # type: ignore[misc]
            for n in range(asked.checks)
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
