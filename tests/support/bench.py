"""A bench on which the engine is tried: the walk suite, a private cache, a results folder."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

import rlbench
from rlbench.core.store import Store
from rlbench.runner.sweep import Summary

TESTS = Path(__file__).parent.parent
PLUGIN = TESTS / "plugin"
FAULTS = TESTS / "runner" / "faults.py"


@dataclass
class Bench:
    """Runs sweeps in one folder, from this process or as a program."""

    folder: Path
    environment: dict[str, str]

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def store(self) -> Store:
        return Store(self.results)

    def run(self, tasks: str, baselines: str, **options: Any) -> Summary:
        summary: Summary = rlbench.run(
            tasks, baselines, results=self.results, **{"tier": "smoke", **options}
        )
        return summary

    def program(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "rlbench", *words, "--results", str(self.results)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env={**self.environment, **environment},
        )

    def contents(self) -> dict[str, bytes]:
        """Every published file, records without what may differ from run to run."""
        return contents(self.results)

    def workers(self) -> list[psutil.Process]:
        """Worker processes of this bench that are alive."""
        return [p for p in psutil.process_iter() if self._is_mine(p)]

    def _is_mine(self, process: psutil.Process) -> bool:
        try:
            mine = process.environ().get("RLBENCH_CACHE") == self.environment["RLBENCH_CACHE"]
            return mine and "rlbench.runner.worker" in process.cmdline()
        except psutil.Error:
            return False


def contents(results: Path) -> dict[str, bytes]:
    found = {}
    for path in sorted(results.glob("*/*@*/*/*/*")):
        data = path.read_bytes()
        if path.suffix == ".json":
            record = json.loads(data)
            record.pop("volatile", None)
            data = json.dumps(record, sort_keys=True).encode()
        found[path.relative_to(results).as_posix()] = data
    return found


def own(name: str) -> str:
    """The command-line word for a faulty agent."""
    return f"{FAULTS}:{name}"
