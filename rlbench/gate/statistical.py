"""Two looks at a cell: Welch with a practical effect, then fresh seeds; one look at a suite.

Why two looks: with 40 cells a single test at 5 % raises an alarm in nine checks of ten. A second
set of seeds, run only for what was flagged, brings that to about one in twenty and costs little
power. Figures: docs/regression-gate.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rlbench.core.stats import iqm, permutation_test, welch
from rlbench.gate.verdict import Judgement

ALPHA = 0.05
STRICT_ALPHA = 0.01
"""Of the second look when there are many cells, and of both looks at a suite."""
MANY_CELLS = 15
PERMUTATIONS = 2_000


@dataclass(frozen=True)
class Look:
    """A comparison of new runs with the reference; `drop` is positive when they are worse."""

    drop: float
    sd: float
    p: float
    least: float
    """The smallest drop that counts."""
    alpha: float

    @property
    def fell(self) -> bool:
        """Whether the drop is both unlikely to be chance and large enough to matter."""
        return self.p < self.alpha and self.drop >= self.least


def first_look(reference: ArrayLike, candidate: ArrayLike, min_effect: float) -> Look:
    """Candidate runs against the reference: p < .05 and a drop of one pooled sd at least.

    Args:
        reference: `(runs,)`, higher is better.
        candidate: `(runs,)`, the same unit.
        min_effect: the least drop that matters, in that unit.
    """
    found = welch(candidate, reference, alternative="less")
    least = max(found.pooled_sd, min_effect)
    return Look(-found.difference, found.pooled_sd, found.p, least, ALPHA)


def second_look(reference: ArrayLike, fresh: ArrayLike, min_effect: float, *, cells: int) -> Look:
    """Fresh runs of a flagged cell against the same reference; stricter when `cells` are many.

    One standard deviation is not asked for again: it would halve the power against a drop of just
    that size, and the fresh seeds already guard against chance.
    """
    found = welch(fresh, reference, alternative="less")
    alpha = ALPHA if cells <= MANY_CELLS else STRICT_ALPHA
    return Look(-found.difference, found.pooled_sd, found.p, min_effect, alpha)


def suite_look(reference: ArrayLike, candidate: ArrayLike, least: float) -> Look:
    """IQM over cells by stratified permutation: many small drops that no cell shows alone.

    Args:
        reference: `(runs, cells)`, normalised scores.
        candidate: `(runs, cells)`, the same cells.
        least: the smallest drop of the IQM that matters.
    """
    found = permutation_test(candidate, reference, iqm, alternative="less", reps=PERMUTATIONS)
    sd = float(np.sqrt(np.var(np.asarray(reference), axis=0, ddof=1).mean()))
    return Look(-found.difference, sd, found.p, least, STRICT_ALPHA)


def judge(first: Look, second: Look | None, what: str) -> Judgement:
    """The judgement that two looks come to; `what` names the number and its unit."""
    numbers = _numbers("", first) | (_numbers("confirm_", second) if second else {})
    if not first.fell:
        return Judgement("no drop", f"{what} {-first.drop:+.4g} (p {first.p:.2g})", numbers)
    told = f"{what} fell by {first.drop:.4g} (sd {first.sd:.2g}, p {first.p:.2g})"
    if second is None:
        return Judgement("not run", f"{told}; the confirmation did not run", numbers)
    if not second.fell:
        needed = f"needed: below {second.alpha:g} and a drop of {second.least:.2g}"
        again = f"on fresh seeds {-second.drop:+.4g} (p {second.p:.2g}; {needed})"
        return Judgement("drop not confirmed", f"{told}, but {again}", numbers)
    again = f"and by {second.drop:.4g} (p {second.p:.2g}) on fresh seeds"
    return Judgement("drop", f"{told}, {again}", numbers)


def _numbers(prefix: str, look: Look) -> dict[str, float | int | None]:
    return {f"{prefix}{key}": getattr(look, key) for key in ("drop", "sd", "p", "least", "alpha")}
