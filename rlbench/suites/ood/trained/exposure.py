"""Fine-tuning with auxiliary outliers, which are never tested on: OE and energy fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from rlbench.suites.ood.detectors.logit import log_odds
from rlbench.suites.ood.material import Extra, Material, Trained
from rlbench.suites.ood.networks import ImageClassifier
from rlbench.suites.ood.splits import Split
from rlbench.suites.ood.trained.tuning import Schedule, fine_tune, to_uniform


@dataclass(frozen=True)
class _Exposed:
    """What both trainings share."""

    schedule: Schedule
    weight: float
    """Of the term that outliers have a part in."""
    classifies = True
    tunes = True
    uses: ClassVar[tuple[Extra, ...]] = ("outliers",)

    def empty(self, material: Material) -> ImageClassifier:
        """See `Training.empty`."""
        return material.empty()


@dataclass(frozen=True)
class UniformTraining(_Exposed):
    """Outliers are to get the uniform distribution (Hendrycks et al. 2019, section 4.3)."""

    @property
    def about(self) -> Mapping[str, Any]:
        """See `Training.about`."""
        return {"method": "oe", **asdict(self)}

    def train(self, material: Material) -> Trained:
        """See `Training.train`."""
        outliers = [material.extra("outliers")]
        return fine_tune(material, outliers, self.schedule, self.term)

    def term(self, inside: Tensor, outside: Tensor) -> Tensor:
        """A scalar, for logits [b, C] of ID examples and [o, C] of outliers."""
        return self.weight * to_uniform(outside)


@dataclass(frozen=True)
class EnergyTraining(_Exposed):
    """Energies are pushed below one margin on ID and above another on outliers."""

    m_in: float
    m_out: float

    @property
    def about(self) -> Mapping[str, Any]:
        """See `Training.about`."""
        return {"method": "energy-ft", **asdict(self)}

    def train(self, material: Material) -> Trained:
        """See `Training.train`."""
        outliers = [material.extra("outliers")]
        return fine_tune(material, outliers, self.schedule, self.term)

    def term(self, inside: Tensor, outside: Tensor) -> Tensor:
        """The squared hinges of Liu et al. 2020, equation 8; a scalar."""
        e_in, e_out = (-torch.logsumexp(logits, dim=1) for logits in (inside, outside))
        too_high = functional.relu(e_in - self.m_in).square().mean()
        too_low = functional.relu(self.m_out - e_out).square().mean()
        return self.weight * (too_high + too_low)


class OutlierExposure:
    """The maximum softmax probability of a classifier fine-tuned with outliers."""

    needs = frozenset({"logits"})

    def __init__(
        self, *, weight: float, epochs: int, rate: float, batch: int, outlier_batch: int
    ) -> None:
        self.training = UniformTraining(Schedule(epochs, rate, batch, outlier_batch), weight)

    def fit(self, train: Split, val: Split) -> None:
        """Nothing to learn beyond the network."""

    def score(self, test: Split) -> Tensor:
        """See `log_odds`."""
        return log_odds(test.logits)


class EnergyFineTuned:
    """The energy of a classifier whose energies were fine-tuned with outliers."""

    needs = frozenset({"logits"})

    def __init__(
        self,
        *,
        weight: float,
        m_in: float,
        m_out: float,
        epochs: int,
        rate: float,
        batch: int,
        outlier_batch: int,
    ) -> None:
        schedule = Schedule(epochs, rate, batch, outlier_batch)
        self.training = EnergyTraining(schedule, weight, m_in, m_out)

    def fit(self, train: Split, val: Split) -> None:
        """Nothing to learn beyond the network."""

    def score(self, test: Split) -> Tensor:
        """- log sum_c exp(f_c), float64."""
        return -torch.logsumexp(test.logits.double(), dim=1)
