from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

LIGHT = {"click", "rlbench", "colorama"}
"""What may be loaded, besides Python's own library, before a command does its work."""

PROGRAM = """
import json, sys
from rlbench.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as stop:
    assert not stop.code, stop.code
print("\\n" + json.dumps(sorted(sys.modules)))
"""


def modules(program: str, *words: str) -> set[str]:
    """The top-level modules that a program has loaded when it ends."""
    answer = subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    loaded: list[str] = json.loads(answer.stdout.splitlines()[-1])
    return {name.partition(".")[0] for name in loaded}


@pytest.mark.parametrize(
    "words",
    [["--help"], ["--version"], ["list"], ["list", "--json"], ["show", "walk/corridor-long"]],
    ids=" ".join,
)
def test_looking_things_up_loads_nothing_heavy(walk: Path, words: list[str]) -> None:
    bare = modules("import json, sys; print(json.dumps(sorted(sys.modules)))")
    loaded = modules(PROGRAM, *words) - bare - set(sys.stdlib_module_names)
    assert loaded <= LIGHT


def test_importing_the_package_loads_only_the_package() -> None:
    program = "import json, sys; import rlbench; print(json.dumps(sorted(sys.modules)))"
    bare = modules("import json, sys; print(json.dumps(sorted(sys.modules)))")
    assert modules(program) - bare - set(sys.stdlib_module_names) <= {"rlbench"}
