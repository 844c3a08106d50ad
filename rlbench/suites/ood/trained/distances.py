"""Learnt distances between feature vectors, and their means over exemplars in closed form.

The four of POD's code (arXiv 2109.05554) that have parameters, and the plain one. A distance is a
logit: it is trained so that its sigmoid is the chance that two examples are of different classes.
Means over exemplars would take [n, exemplars, D] numbers; each form below needs [n, D] and [n, C].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlbench.suites.ood.detectors.gaussian import class_means

Form = Literal["l1", "l2", "bilinear", "cosine", "euclid"]
TEMPERATURE = 0.1
EMBEDDING = 128
"""Width of what the cosine compares."""


class Distance(Protocol):
    """A distance between rows."""

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        """[n], between the rows of [n, D] and [n, D]."""

    def to_classes(self, z: Tensor, exemplars: Tensor, y: Tensor, n_classes: int) -> Tensor:
        """Mean distance to each class's exemplars, float64 [n, C].

        Args:
            z: [n, D].
            exemplars: [e, D].
            y: int64 [e], their classes; each has one at least.
            n_classes: C.
        """


class WeightedL1(nn.Module):
    """w . |a - b| + bias; the code's version 1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weigh = nn.Linear(width, 1)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """See `Distance`."""
        distance: Tensor = self.weigh((a - b).abs())[:, 0]
        return distance

    def to_classes(self, z: Tensor, exemplars: Tensor, y: Tensor, n_classes: int) -> Tensor:
        """Weights go into the vectors, those below zero apart: then it is Minkowski's distance."""
        w = self.weigh.weight.double()[0]
        z, exemplars = z.double(), exemplars.double()
        parts = [torch.cdist(z * part, exemplars * part, p=1) for part in (w.relu(), (-w).relu())]
        return _class_columns(parts[0] - parts[1], y, n_classes) + self.weigh.bias.double()


class WeightedL2(nn.Module):
    """w . (a - b)^2 + bias; the code's version 2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weigh = nn.Linear(width, 1)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """See `Distance`."""
        distance: Tensor = self.weigh((a - b).square())[:, 0]
        return distance

    def to_classes(self, z: Tensor, exemplars: Tensor, y: Tensor, n_classes: int) -> Tensor:
        """W . (z - m)^2 and the mean of w . (p_i - m)^2, where m is the mean of the p_i."""
        form = torch.diag(self.weigh.weight.double()[0])
        means = _quadratic(z, exemplars, y, n_classes, form)
        return means + self.weigh.bias.double()


class Bilinear(nn.Module):
    """(a - b)^T M (a - b); the code's version 3."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.form = nn.Linear(width, width, bias=False)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """See `Distance`."""
        gap = a - b
        distance: Tensor = (self.form(gap) * gap).sum(dim=1)
        return distance

    def to_classes(self, z: Tensor, exemplars: Tensor, y: Tensor, n_classes: int) -> Tensor:
        """As for the weighted L2, with M for the diagonal."""
        return _quadratic(z, exemplars, y, n_classes, self.form.weight.double())


class Cosine(nn.Module):
    """- cos(g(a), g(b)) / T, g a network of two layers; the code's version 4."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.critic = nn.Sequential(
            nn.Linear(width, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, EMBEDDING)
        )

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """See `Distance`."""
        g_a, g_b = self.critic(torch.cat([a, b])).chunk(2)
        return -functional.cosine_similarity(g_a, g_b) / TEMPERATURE

    def to_classes(self, z: Tensor, exemplars: Tensor, y: Tensor, n_classes: int) -> Tensor:
        """The product with the mean of the exemplars' unit vectors."""
        g_z, g_p = (functional.normalize(self.critic(v), eps=1e-8) for v in (z, exemplars))
        return -g_z.double() @ class_means([(g_p, y)], n_classes, "Cosine").T / TEMPERATURE


class Euclid(nn.Module):
    """|a - b|^2, without parameters; the code's version 5."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """See `Distance`."""
        return (a - b).square().sum(dim=1)

    def to_classes(self, z: Tensor, exemplars: Tensor, y: Tensor, n_classes: int) -> Tensor:
        """As for the weighted L2, with weights of 1."""
        eye = torch.eye(self.width, dtype=torch.float64, device=z.device)
        return _quadratic(z, exemplars, y, n_classes, eye)


FORMS: Mapping[Form, type[WeightedL1 | WeightedL2 | Bilinear | Cosine | Euclid]] = {
    "l1": WeightedL1,
    "l2": WeightedL2,
    "bilinear": Bilinear,
    "cosine": Cosine,
    "euclid": Euclid,
}


def make_distance(form: Form, width: int) -> nn.Module:
    """The distance of that name between vectors of `width` entries."""
    return cast(nn.Module, FORMS[form](width))


def _quadratic(z: Tensor, exemplars: Tensor, y: Tensor, n_classes: int, form: Tensor) -> Tensor:
    """Mean of (z - p_i)^T A (z - p_i) over the exemplars of each class, [n, C].

    About the class mean m the mixed terms cancel, which leaves (z - m)^T A (z - m) and the mean of
    (p_i - m)^T A (p_i - m).
    """
    z, exemplars = z.double(), exemplars.double()
    centres = class_means([(exemplars, y)], n_classes, "Pod")
    off = exemplars - centres[y]
    spreads = class_means([(((off @ form) * off).sum(dim=1, keepdim=True), y)], n_classes, "Pod")
    both = form + form.T
    squares = ((z @ form) * z).sum(dim=1, keepdim=True)
    own = ((centres @ form) * centres).sum(dim=1)
    return squares - z @ both @ centres.T + own + spreads[:, 0]


def _class_columns(distances: Tensor, y: Tensor, n_classes: int) -> Tensor:
    """Means over the columns [n, e] of each class, [n, C]."""
    return class_means([(distances.T, y)], n_classes, "Pod").T
