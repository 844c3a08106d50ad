"""Whether this code gives the reference records' numbers: trials made again and compared.

    python benchmarks/same_numbers.py 'ood/glyph-*' '*'                  # seed 0 of each cell
    python benchmarks/same_numbers.py 'ood/toy-*' 'vim,pod' --seeds 0-4

Each trial that has a reference record is run afresh, from an empty asset cache, at tier `small`.
Metrics and evidence must be equal bit for bit, which only the same kind of machine can be asked
for. What it says about a change that should not have touched any number goes into the suite's
`same_numbers.toml`. Exit status 1: some differ, or there was nothing to compare.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from rlbench.core.bundled import bundled
from rlbench.core.record import read_record
from rlbench.core.store import Store, Stored
from rlbench.gate.golden import same_evidence, unlike


def main() -> int:
    """Print a line for each difference, and the counts."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tasks")
    parser.add_argument("baselines")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--jobs", default="1")
    words = parser.parse_args()
    reference = Store(bundled("results/reference"))
    found: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "rlbench", "run", words.tasks, words.baselines]
        command += ["--tier", "small", "--seeds", words.seeds, "--jobs", words.jobs]
        fresh = Store(Path(folder) / "results")
        ran = subprocess.run(
            [*command, "--results", str(fresh.root)],
            env=os.environ | {"RLBENCH_CACHE": str(Path(folder) / "cache")},
            check=False,
        )
        if ran.returncode:  # it has said why
            return ran.returncode
        for new in fresh.records():
            path = reference.folder(new.record.cell) / new.path.name
            if not path.exists():
                continue
            old = Stored(read_record(path), path)
            equal = same_evidence(old, new) and old.record.metrics == new.record.metrics
            found["equal" if equal else "different"] += 1
            sources[old.record.source] += 1
            if not equal:
                other = unlike(old.record, new.record)
                print(f"different: {path}", f"({', '.join(other)} too)" if other else "")
    print(f"{found['equal']} equal, {found['different']} different; sources of the reference:")
    for source, n in sources.items():
        print(f"{source}  {n}")
    return 0 if found["equal"] and not found["different"] else 1


if __name__ == "__main__":
    sys.exit(main())
