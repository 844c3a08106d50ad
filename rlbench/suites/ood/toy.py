"""Five toy pairs in which a detector wins or fails for a reason that can be drawn on paper.

Each has two balanced classes, written s = -1 and s = +1; N(m, s) has standard deviation s.

between: x1 ~ N(2s, 1), the other nine N(0, 1); out: x1 ~ N(0, .3), others N(0, .5).
far-in-class: in as above; out: x1 ~ N(7, .3), others N(0, 1).
off-subspace: x1 ~ N(2s, 1), others N(0, .05); out: the same but x10 ~ N(.5, .05).
wrong-covariance: in the plane, N((-6, 0), .3) and N((6, 0), 3); out: a half ring of radius 2 on the
    far side of (-6, 0), angle U(90°, 270°), noise .1.
hole: in the plane, x1 ~ N(3s, .4), x2 ~ N(-4, .4) or N(4, .4) with equal chance; out: x1 the same,
    x2 ~ N(0, .4).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rlbench.suites.ood.examples import ID_SPLITS, Array, Classes, Drawn, Examples, unlabelled

DIM = 10

Draw = Callable[[np.random.Generator, Array], Array]
"""From a generator and the classes' signs (n,), to vectors (n, d)."""


def _normal(rng: np.random.Generator, mean: Array, spread: Array | float) -> Array:
    return mean + spread * rng.standard_normal(mean.shape)


def _first_axis(s: Array, distance: float) -> Array:
    """Means (n, 10) at `distance` times the sign on the first axis."""
    return np.pad((distance * s)[:, None], ((0, 0), (0, DIM - 1)))


def _spread(first: float, others: float) -> Array:
    return np.array([first] + [others] * (DIM - 1))


def _between(rng: np.random.Generator, s: Array) -> Array:
    return _normal(rng, _first_axis(s, 2.0), 1.0)


def _between_out(rng: np.random.Generator, s: Array) -> Array:
    return _normal(rng, _first_axis(s, 0.0), _spread(0.3, 0.5))


def _far_out(rng: np.random.Generator, s: Array) -> Array:
    return _normal(rng, _first_axis(np.ones_like(s), 7.0), _spread(0.3, 1.0))


def _flat(rng: np.random.Generator, s: Array) -> Array:
    return _normal(rng, _first_axis(s, 2.0), _spread(1.0, 0.05))


def _flat_out(rng: np.random.Generator, s: Array) -> Array:
    x = _flat(rng, s)
    x[:, -1] += 0.5
    return x


def _two_sizes(rng: np.random.Generator, s: Array) -> Array:
    mean = np.stack([6.0 * s, np.zeros_like(s)], axis=1)
    return _normal(rng, mean, np.where(s < 0, 0.3, 3.0)[:, None])


def _half_ring(rng: np.random.Generator, s: Array) -> Array:
    angle = rng.uniform(np.pi / 2, 3 * np.pi / 2, len(s))
    mean = np.stack([-6.0 + 2.0 * np.cos(angle), 2.0 * np.sin(angle)], axis=1)
    return _normal(rng, mean, 0.1)


def _hole(rng: np.random.Generator, s: Array) -> Array:
    side = 4.0 * rng.choice([-1.0, 1.0], len(s))
    return _normal(rng, np.stack([3.0 * s, side], axis=1), 0.4)


def _hole_out(rng: np.random.Generator, s: Array) -> Array:
    return _normal(rng, np.stack([3.0 * s, np.zeros_like(s)], axis=1), 0.4)


def _toy(title: str, dim: int, inside: Draw, outside: Draw) -> Drawn:
    def make(rng: np.random.Generator, classes: Classes, n: int) -> Examples:
        y = np.arange(n, dtype=np.int64) % len(classes)
        return Examples(inside(rng, 2.0 * np.array(classes)[y] - 1.0), y)

    def make_ood(rng: np.random.Generator, classes: Classes, n: int) -> Examples:
        return unlabelled(outside(rng, 2.0 * (np.arange(n) % 2) - 1.0))

    makers = dict.fromkeys(ID_SPLITS, make) | {"ood": make_ood}
    return Drawn(title, (dim,), 2, makers, seeded=True)


TOYS = {
    "toy-between": _toy("out between the classes", DIM, _between, _between_out),
    "toy-far-in-class": _toy("out beyond one class", DIM, _between, _far_out),
    "toy-off-subspace": _toy("out of a flat subspace", DIM, _flat, _flat_out),
    "toy-wrong-covariance": _toy("classes of two sizes", 2, _two_sizes, _half_ring),
    "toy-hole": _toy("a hole at each class mean", 2, _hole, _hole_out),
}
