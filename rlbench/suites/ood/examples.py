"""Labelled examples, and the kinds of source that give them: drawn at will, fixed, published."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rlbench.core.errors import MissingError, UsageError
from rlbench.core.seeding import generator
from rlbench.suites.ood.params import SetRef, Split

if TYPE_CHECKING:
    from rlbench.core.data import DataSet

Array = np.ndarray[Any, Any]
ID_SPLITS: tuple[Split, ...] = ("train", "val", "test")
UNLABELLED = -1


@dataclass(frozen=True)
class Examples:
    """Inputs with their classes."""

    x: Array
    """Images, uint8 (n, h, w) grey or (n, h, w, 3); or vectors, float64 (n, d)."""
    y: Array
    """Class index, int64 (n,); -1 where there is none."""


def unlabelled(x: Array) -> Examples:
    """Examples without classes."""
    return Examples(x, np.full(len(x), UNLABELLED, dtype=np.int64))


@dataclass(frozen=True)
class Part:
    """Labelled examples that are read a few at a time: a set, or a part of a published one."""

    y: Array
    """Class indices, int64 (n,); -1 where there is none."""
    take: Callable[[Array], Array]
    """Reads the examples of these indices only; see `Examples.x`."""

    @classmethod
    def of(cls, examples: Examples) -> Part:
        """What is in memory already."""
        return cls(examples.y, lambda chosen: examples.x[chosen])

    def rows(self, count: int) -> Iterator[Examples]:
        """All in order, at most `count` at a time; one empty `Examples` where there are none."""
        for start in range(0, max(len(self.y), 1), count):
            chosen = np.arange(start, min(start + count, len(self.y)))
            yield Examples(self.take(chosen), self.y[chosen])

    def whole(self) -> Examples:
        """All at once, for a set that fits into memory."""
        return Examples(self.take(np.arange(len(self.y))), self.y)


Classes = tuple[int, ...]
Maker = Callable[[np.random.Generator, Classes, int], Examples]
"""Draws n examples of the named classes; y counts the classes in the order given."""
Reader = Callable[["DataSet | None"], Examples]
"""Reads a whole fixed set."""
Shares = Mapping[Split, tuple[float, float]]
"""Which part of a fixed set's order belongs to a split, as fractions from and to."""


@dataclass(frozen=True)
class Drawn:
    """A source that a generator draws to any size; every split has a stream of its own."""

    title: str
    shape: tuple[int, ...]
    """Of one example."""
    classes: int
    """How many there are to choose from; 0 where examples have none."""
    makers: Mapping[Split, Maker]
    seeded: bool = False
    """Drawn anew for every trial seed, instead of being one data set for all."""
    atlas: bool = False
    """Whether the glyph atlas decides its pixels."""
    data: str = ""

    @property
    def splits(self) -> tuple[Split, ...]:
        """What it can be asked for."""
        return tuple(self.makers)

    def load(self, ref: SetRef, split: Split, n: int, seed: int, files: DataSet | None) -> Part:
        """Draw `n` examples; see `sources.load`."""
        if n < 1:
            raise UsageError(f"source '{ref.source}' is drawn to size: expected n >= 1, found {n}")
        rng = generator("ood", ref.source, split, *([seed] if self.seeded else []))
        classes = ref.classes or tuple(range(self.classes))
        return Part.of(self.makers[split](rng, classes, n))


@dataclass(frozen=True)
class Fixed:
    """A finite data set, put in one fixed random order and cut into splits.

    `train`, `val` and `test` never overlap. `ood` is the whole set: it is asked for by tasks whose
    in-distribution set is another source, or other classes of this one.
    """

    title: str
    shape: tuple[int, ...]
    classes: int
    read: Reader
    shares: Shares
    data: str = ""
    """The declared data set that holds its files; empty where an installed library ships it."""
    seeded: bool = False
    atlas: bool = False

    @property
    def splits(self) -> tuple[Split, ...]:
        """What it can be asked for."""
        return tuple(self.shares)

    def load(self, ref: SetRef, split: Split, n: int, seed: int, files: DataSet | None) -> Part:
        """The first `n` examples of the split (0: all); see `sources.load`. `seed` has no say."""
        whole = self.read(files)
        order = generator("ood", ref.source, "order").permutation(len(whole.y))
        start, stop = (round(len(order) * share) for share in self.shares[split])
        chosen = order[start:stop]
        if ref.classes:
            chosen = chosen[np.isin(whole.y[chosen], ref.classes)]
        if n > len(chosen):
            raise UsageError(
                f"source '{ref.source}' has {len(chosen)} {split} examples of the classes asked"
                f" for, expected at least {n}"
            )
        chosen = chosen[: n or None]
        return Part(relabelled(whole.y[chosen], ref.classes), lambda i: whole.x[chosen[i]])


@dataclass(frozen=True)
class Cut:
    """What a split takes of a part: a Python slice of each class's images."""

    part: str
    start: int | None = None
    stop: int | None = None

    def of(self, group: Array) -> Array:
        """The slice of one class's indices."""
        return group[self.start : self.stop]


@dataclass(frozen=True)
class Share:
    """What a split takes of a part: the images of each class between two fractions."""

    part: str
    start: float = 0.0
    stop: float = 1.0

    def of(self, group: Array) -> Array:
        """The share of one class's indices."""
        return group[round(self.start * len(group)) : round(self.stop * len(group))]


@dataclass(frozen=True)
class Published:
    """A data set with parts of its own, in an order of its own, which is kept.

    Of n examples asked for, each class gives its first n / N, where N is the size of the split:
    POD's low-data protocol, with base rate n / N.
    """

    title: str
    shape: tuple[int, ...]
    classes: int
    read: Callable[[DataSet, str], Part]
    """Reads the part of that name."""
    cuts: Mapping[Split, Cut | Share]
    data: str
    seeded: bool = False
    atlas: bool = False

    @property
    def splits(self) -> tuple[Split, ...]:
        """What it can be asked for."""
        return tuple(self.cuts)

    def load(self, ref: SetRef, split: Split, n: int, seed: int, files: DataSet | None) -> Part:
        """At most `n` examples of the split (0: all); see `sources.load`. `seed` has no say."""
        if files is None:
            raise MissingError(f"source '{ref.source}' is read from files, and none were given")
        cut = self.cuts[split]
        part = self.read(files, cut.part)
        kept = [c for c in np.unique(part.y) if not ref.classes or c in ref.classes]
        groups = [cut.of(np.flatnonzero(part.y == c)) for c in kept]
        total = sum(map(len, groups))
        least = min((n * len(group) // total for group in groups if total), default=0)
        if n > total or not total or (n and not least):
            raise UsageError(
                f"source '{ref.source}' has {total} {split} examples of {len(kept)} classes,"
                f" expected at least {max(n, 1)} and one of each class, found {n} asked for"
            )
        chosen = np.sort(np.concatenate([g[: n * len(g) // total if n else None] for g in groups]))
        return Part(relabelled(part.y[chosen], ref.classes), lambda i: part.take(chosen[i]))


Source = Drawn | Fixed | Published


def relabelled(y: Array, classes: Classes) -> Array:
    """Class indices counted in the order of `classes`, int64 (n,); as they are when it is empty."""
    if not classes:
        return y.astype(np.int64)
    position = np.full(max(classes) + 1, UNLABELLED, dtype=np.int64)
    position[list(classes)] = np.arange(len(classes))
    return position[y]
