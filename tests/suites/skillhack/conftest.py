"""NetHack has to be there; tests that take minutes have to be asked for."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("nle", reason="the extra skillhack is not installed")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("long") and not os.environ.get("RLBENCH_SLOW"):
        pytest.skip("takes more than a minute; RLBENCH_SLOW=1 runs it")
