"""Fields: detectors that may be ranked against each other, on pairs that all of them completed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlbench.core.stats import Array

POST_HOC = "post-hoc"
"""The track of a detector that names none, as a user's own class does: it sees no more."""
TRACKS = (POST_HOC, "uses OOD validation", "training", "uses outliers", "transductive")
"""In the order of what a detector may see; other names come behind them."""
_GROUPS = ("near", "far")
_METRIC = "metric.auroc"

Known = Mapping[str, Mapping[str, Mapping[int, float]]]
"""AUROC by detector, pair and seed."""


@dataclass(frozen=True)
class Pair:
    """A task in which an in-distribution set meets an out-of-distribution set."""

    key: str
    """Digest of task, spec and protocol."""
    label: str
    family: str
    group: str
    """near, far or another word, as the task says."""
    seeds: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Field:
    """A whole table: every detector has every seed of every pair."""

    detectors: tuple[str, ...]
    pairs: tuple[Pair, ...]
    scores: tuple[Array, ...]
    """For each pair the AUROC `(detectors, seeds)`, a fraction; higher is better."""
    left_out: tuple[str, ...] = ()
    """The detectors and pairs that were dropped to make it whole, and what they have, in words."""

    @property
    def means(self) -> Array:
        """Mean AUROC over seeds `(detectors, pairs)`."""
        return rounded(np.stack([table.mean(axis=1) for table in self.scores], axis=1))

    def part(self, detectors: Sequence[int], pairs: Sequence[int]) -> Field:
        """Those detectors on those pairs, by position and in that order."""
        return Field(
            tuple(self.detectors[i] for i in detectors),
            tuple(self.pairs[j] for j in pairs),
            tuple(self.scores[j][list(detectors)] for j in pairs),
            self.left_out,
        )


def rounded(means: Array) -> Array:
    """Without the last digits, in which sums of equal runs in another order differ."""
    return np.round(means, 12)


def tracks(lines: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The records that count, by track; those of tasks without an AUROC are left out."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for line in lines:
        if line["complete"] and line.get(_METRIC, np.nan) == line.get(_METRIC, np.nan):
            found[line["track"] or POST_HOC].append(line)
    known = [track for track in TRACKS if track in found]
    return {track: found[track] for track in [*known, *sorted(set(found) - set(known))]}


def make_field(lines: Iterable[Mapping[str, Any]]) -> Field:
    """The field that the records of some detectors make, detectors by name, pairs near to far.

    Args:
        lines: records that count (see `tracks`), as lines of `load_results`, of one origin.
    """
    known: dict[str, dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    pairs: dict[str, Pair] = {}
    for line in lines:
        key = line["protocol"]
        known[line["row"]][key][line["seed"]] = float(line[_METRIC])
        if key not in pairs:
            name = line["task"].partition("/")[2]
            seeds = tuple(sorted(line["official_seeds"]))
            pairs[key] = Pair(key, name, line["family"], line["group"], seeds)
    pairs = _told_apart(pairs)
    whole = {name: {k for k in known[name] if set(known[name][k]) == set(pairs[k].seeds)}
             for name in known}  # fmt: skip
    rows, keys = whole_part(whole)
    ordered = sorted((pairs[key] for key in keys), key=_pair_order)
    scores = [np.array([[known[r][p.key][s] for s in p.seeds] for r in rows]) for p in ordered]
    left = [
        _has(name, len(whole[name]), len(pairs), "pairs") for name in sorted(set(known) - set(rows))
    ]
    for pair in sorted((pairs[key] for key in set(pairs) - keys), key=_pair_order):
        holders = sum(pair.key in each for each in whole.values())
        left.append(_has(pair.label, holders, len(known), "detectors"))
    return Field(tuple(rows), tuple(ordered), tuple(scores), tuple(left))


def whole_part(have: Mapping[str, Set[str]]) -> tuple[list[str], set[str]]:
    """Detectors and pairs such that each detector has each pair.

    What lacks the greatest share of its fields is dropped until nothing is missing, so that one
    new pair does not cost all detectors and one new detector does not cost all pairs. Of equals
    the detector goes first, and the last by name.
    """
    rows = sorted(have)
    keys = sorted(set().union(*have.values())) if have else []
    while rows and keys:
        lacks = [(1 - len(have[r] & set(keys)) / len(keys), 1, r) for r in rows]
        lacks += [(1 - sum(k in have[r] for r in rows) / len(rows), 0, k) for k in keys]
        share, is_row, name = max(lacks)
        if share == 0:
            break
        (rows if is_row else keys).remove(name)
    return rows, set(keys)


def _pair_order(pair: Pair) -> tuple[object, ...]:
    known = _GROUPS.index(pair.group) if pair.group in _GROUPS else len(_GROUPS)
    return known, not pair.group, pair.group, pair.family, pair.label


def _told_apart(pairs: Mapping[str, Pair]) -> dict[str, Pair]:
    """Versions of one task get a mark."""
    labels = [pair.label for pair in pairs.values()]
    return {
        key: pair
        if labels.count(pair.label) == 1
        else Pair(key, f"{pair.label} ({key[:6]})", pair.family, pair.group, pair.seeds)
        for key, pair in pairs.items()
    }


def _has(name: str, count: int, of: int, what: str) -> str:
    return f"{name} ({count} of {of} {what})"
