"""Any detector, with the hyperparameters that tell ID validation from OOD validation best."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from rlbench.core.errors import UsageError
from rlbench.suites.ood.detection import Ranking, auroc
from rlbench.suites.ood.posthoc import make_detector, scores_of
from rlbench.suites.ood.splits import Detector, Split


class Tuned:
    """OpenOOD v1.5's protocol: AUROC on validation sets, never on what is tested.

    Every combination of the grid is fitted and scored; the first of the best is kept. One that
    the detector refuses on these sets, such as more neighbours than there are examples, is left
    out.
    """

    def __init__(
        self, detector: str, params: Mapping[str, Any], grid: Mapping[str, Sequence[Any]]
    ) -> None:
        """`detector` is `module:Class`; `params` are fixed, each key of `grid` lists its values.

        Raises:
            UsageError: the grid is empty, or the detector does not take these parameters.
        """
        if not grid or not all(grid.values()):
            raise UsageError(f"Tuned: grid: expected values for some parameter, found {grid!r:.80}")
        combinations = itertools.product(*grid.values())
        self._choices = [dict(zip(grid, values, strict=True)) for values in combinations]
        self._candidates = [make_detector(detector, {**params, **c}) for c in self._choices]
        self.needs = self._candidates[0].needs | {"val_ood"}
        self.notes: dict[str, Any] = {}
        """What was chosen, for the record."""

    def fit(self, train: Split, val: Split) -> None:
        """Choose.

        Raises:
            UsageError: the detector refuses every combination; says why the last one.
        """
        best = -1.0
        for choice, candidate in zip(self._choices, self._candidates, strict=True):
            try:
                found = self._validated(candidate, train, val)
            except UsageError as error:
                refused = error
                continue
            if found > best:
                best, self._chosen = found, candidate
                self.notes = {"tuned": choice, "tuned_auroc": found}
        if best < 0:
            raise refused

    def score(self, test: Split) -> Any:
        """The chosen detector's scores."""
        return self._chosen.score(test)

    @staticmethod
    def _validated(candidate: Detector, train: Split, val: Split) -> float:
        candidate.fit(train, val)
        return auroc(Ranking.of(scores_of(candidate, val), scores_of(candidate, val.ood)))
