"""What this suite shows of its own in a report: is any detector better everywhere?

A package named `views` is no part of the suite's source digest: a change here makes no record
stale. Importing it imports nothing heavier than numpy.
"""

from __future__ import annotations

from functools import partial
from typing import get_args

from rlbench.core.spec import Origin
from rlbench.core.suite import View
from rlbench.suites.ood.views.show import exhibits

_DOC = (
    "AUROC of every detector on every pair, over the official seeds. Only complete cells enter, "
    "self-made and real pairs never meet, and detectors are ranked only against those that were "
    "allowed to see as much. After Tajwar et al. 2021 (arXiv 2109.05554)."
)


VIEWS = tuple(
    View(
        name=f"inconsistency-{origin}",
        title=f"Is any detector better everywhere? The {origin} pairs",
        build=partial(exhibits, origin=origin),
        doc=_DOC,
    )
    for origin in get_args(Origin)
)
"""One view for each origin of pairs."""
