"""rlbench: benchmark suites and one honest evaluation harness.

Example:
    import rlbench

    rlbench.run("ood/glyph-*", "msp,knn", tier="smoke")  # resumes by itself
    frame = rlbench.load_results()  # one row per record, a pandas DataFrame
    rlbench.report()  # writes report/index.html
    rlbench.check()  # has a change made an agent worse?
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "check", "load_results", "report", "run"]

if TYPE_CHECKING:
    from rlbench.cli.checking import check
    from rlbench.reports.build import build_report as report
    from rlbench.reports.frame import load_results
    from rlbench.runner.sweep import run

_HOMES = {
    "check": ("rlbench.cli.checking", "check"),
    "run": ("rlbench.runner.sweep", "run"),
    "load_results": ("rlbench.reports.frame", "load_results"),
    "report": ("rlbench.reports.build", "build_report"),
}


def __getattr__(name: str) -> Any:
    """Import a public function when it is first used, so that `import rlbench` is light."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rlbench' has no attribute '{name}'")
    import importlib

    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)
