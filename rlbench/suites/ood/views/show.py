"""From numbers to what a report shows: heat maps, diagrams, tables and one sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rlbench.core.stats import Interval
from rlbench.core.suite import DotPlot, Exhibit, HeatMap, RankAxis, Table
from rlbench.suites.ood.views.field import make_field, tracks
from rlbench.suites.ood.views.inconsistency import MARGIN, Inconsistency, analyse

if TYPE_CHECKING:
    import pandas as pd

MIN_DETECTORS = 3
"""Two detectors have one order to keep; `rlbench compare` is for them."""
MIN_PAIRS = 2
MANY_DETECTORS = 5
"""Fewer have so few orders that a correlation of orders says little."""
_NAMED = 8
_OTHER = "other"

Maker = Callable[[Inconsistency, str, str], Exhibit | None]
Lines = Iterable[Mapping[str, Any]]


def exhibits(frame: pd.DataFrame, *, origin: str) -> list[Exhibit]:
    """Everything about the pairs of one origin, track after track.

    Args:
        frame: from `load_results`; one suite, one tier, one source.
        origin: "self-made" or "real".

    Raises:
        ImportError: scipy is not installed.
    """
    if "metric.auroc" not in frame:
        return []
    mine = frame[frame["origin"] == origin].to_dict("records")
    lines = tracks({str(key): value for key, value in line.items()} for line in mine)
    shown: list[Exhibit] = []
    for track, part in lines.items():
        field = make_field(part)
        if len(field.detectors) >= MIN_DETECTORS and len(field.pairs) >= MIN_PAIRS:
            shown += _of_field(analyse(field), f"{origin} pairs, {track}", _slug(track))
    if len(lines) > 1:
        shown += _all_tracks(lines, origin)
    return shown


def _of_field(found: Inconsistency, where: str, slug: str) -> list[Exhibit]:
    makers: list[Maker] = [everywhere_table, rank_map, group_plot]
    if len(found.field.detectors) >= MANY_DETECTORS:
        makers = [everywhere_table, rank_map, tau_map, rank_axis, group_plot, families_table]
    shown = [make(found, where, slug) for make in makers]
    return [exhibit for exhibit in shown if exhibit is not None]


# -- one sentence and its table -------------------------------------------------------------------


def answer(found: Inconsistency) -> str:
    """Whether any detector of the field is better everywhere, in one sentence."""
    names, pairs = found.field.detectors, len(found.field.pairs)
    losses = found.worse.sum(axis=1)
    unbeaten = [i for i in range(len(names)) if losses[i] == 0]
    if not unbeaten:
        least = int(losses.argmin())
        few = int(losses[least])
        at_worst = _interval(found.regret[least])
        return (
            f"No: each of the {len(names)} detectors is significantly worse than the best on at "
            f"least {few} of {pairs} pairs. {names[least]} comes closest; at worst it is "
            f"{at_worst} AUROC behind the best, on {_worst(found, least)}."
        )
    listed = _listed([names[i] for i in unbeaten])
    if len(unbeaten) > 1:
        return (
            f"Not decided: {listed} are on none of {pairs} pairs told apart from the best by "
            "these seeds."
        )
    wins = found.wins[unbeaten[0]]
    if wins.point == 1:
        return (
            f"Yes, on these {pairs} pairs: {listed} is best on all of them, and every other "
            "detector is significantly worse than the best somewhere."
        )
    return (
        f"Perhaps: {listed} alone is on none of {pairs} pairs significantly worse than the best, "
        f"but it leads on {wins.point * pairs:.3g} of them only."
    )


def everywhere_table(found: Inconsistency, where: str, slug: str) -> Table:
    """For each detector where it is best, where it is worse, and how badly."""
    import pandas as pd

    pairs = len(found.field.pairs)
    losses = found.worse.sum(axis=1)
    frame = pd.DataFrame(
        {
            "detector": found.field.detectors,
            "rank": found.average,
            "won": found.wins,
            "best or tied": pairs - losses,
            "worse": losses,
            "regret": found.regret,
            "on": [_worst(found, i) for i in range(len(losses))],
        }
    )
    single = sum(len(pair.seeds) < 2 for pair in found.field.pairs)
    untested = f" {single} of the pairs have one seed and are not tested." if single else ""
    doc = (
        f"{answer(found)} Rank: average over {pairs} pairs. Won: share of pairs on which it is "
        "best. Worse: on how many it is significantly worse than the best (Welch's test of every "
        "two detectors on every pair, with Holm's correction for all of them together, 5 %) and "
        f"at least {MARGIN:g} AUROC behind; on the others it is best or tied.{untested} Regret: "
        "AUROC behind the best, on the pair where that is greatest. Brackets: 95 % bootstrap "
        "intervals over seeds."
    )
    return Table(f"everywhere-{slug}", f"Better everywhere: {where}", frame, doc)


def families_table(found: Inconsistency, where: str, slug: str) -> Table | None:
    """The same question inside each family of two or more pairs; None if there are not two."""
    import pandas as pd

    families = sorted({pair.family for pair in found.field.pairs})
    rows = []
    for family in families:
        at = [j for j, pair in enumerate(found.field.pairs) if pair.family == family]
        if len(at) >= MIN_PAIRS:
            part = analyse(found.field.part(range(len(found.field.detectors)), at))
            rows.append({"family": family, **_summary(part)})
    if len(rows) < 2:
        return None
    rows.append({"family": "all pairs", **_summary(found)})
    doc = "Mean Kendall tau inside one family and over all pairs of the origin; 1 is one order."
    return Table(f"families-{slug}", f"Family by family: {where}", pd.DataFrame(rows), doc)


def _summary(found: Inconsistency) -> dict[str, object]:
    names, ranks = found.field.detectors, found.average
    leaders = [name for name, rank in zip(names, ranks, strict=True) if rank == ranks[0]]
    unbeaten = [name for name, w in zip(names, found.worse, strict=True) if not w.any()]
    return {
        "pairs": len(found.field.pairs),
        "tau between pairs": found.mean_tau,
        "tau between seeds": found.seed_tau,
        "best average rank": f"{_listed(leaders)} ({ranks[0]:.1f})",
        "nowhere significantly worse": _listed(unbeaten) or "none",
    }


# -- figures --------------------------------------------------------------------------------------


def rank_map(found: Inconsistency, where: str, slug: str) -> HeatMap:
    """The headline: the rank of each detector on each pair, and its average."""
    field = found.field
    values = np.column_stack([found.ranks, found.average])
    texts = [[f"{rank:g}" for rank in row] for row in found.ranks.round(1)]
    for line, average in zip(texts, found.average, strict=True):
        line.append(f"{average:.1f}")
    doc = (
        "1 is best, by mean AUROC over seeds; ties take their mean rank. Rows go by average rank. "
        "If one detector were best everywhere, its row would be dark from end to end."
    )
    if field.left_out:
        more = len(field.left_out) - _NAMED
        named = ", ".join(field.left_out[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        doc += f" Left out, because what they miss would leave gaps: {named}."
    return HeatMap(
        name=f"ranks-{slug}",
        title=f"Rank on each pair: {where}",
        rows=field.detectors,
        columns=[*(pair.label for pair in field.pairs), "average"],
        values=values,
        texts=texts,
        ends=(float(len(field.detectors)), 1.0),
        groups=[*(pair.group for pair in field.pairs), ""],
        doc=doc,
    )


def tau_map(found: Inconsistency, where: str, slug: str) -> HeatMap:
    """Kendall's tau-b between the orders of detectors on every two pairs."""
    labels = [pair.label for pair in found.field.pairs]
    chance = (
        f"; two seeds of one pair agree with {found.seed_tau:.2f}"
        if not math.isnan(found.seed_tau)
        else ""
    )
    doc = (
        f"1: the same order of detectors on both pairs; 0: unrelated; -1: reversed. Mean over "
        f"pairs {_tau(found.mean_tau)}{chance}."
    )
    return HeatMap(
        name=f"tau-{slug}",
        title=f"Kendall's tau between pairs: {where}",
        rows=labels,
        columns=labels,
        values=found.tau,
        texts=[[_tau(value) for value in row] for row in found.tau],
        ends=(-1.0, 1.0),
        centred=True,
        groups=[pair.group for pair in found.field.pairs],
        doc=doc,
    )


def rank_axis(found: Inconsistency, where: str, slug: str) -> RankAxis:
    """Average ranks with Nemenyi's critical difference (Demsar 2006)."""
    test = found.friedman
    p = "p < 0.001" if test.f_p < 0.001 else f"p = {test.f_p:.3f}"
    doc = (
        f"Average rank over {len(found.field.pairs)} pairs, best on the left. Bars join detectors "
        "that Nemenyi's test does not tell apart (5 %). Friedman's test, in Iman and Davenport's "
        f"form, that all rank alike: {p}. Both take pairs for independent; pairs that share a "
        "classifier are not, so the true distance is rather greater."
    )
    return RankAxis(
        name=f"critical-{slug}",
        title=f"Critical difference: {where}",
        rows=found.field.detectors,
        ranks=found.average.tolist(),
        bars=found.bars,
        distance=found.distance,
        doc=doc,
    )


def group_plot(found: Inconsistency, where: str, slug: str) -> DotPlot:
    """Each detector's mean AUROC on the near and on the far pairs."""
    sizes = [pair.group or _OTHER for pair in found.field.pairs]
    series = {}
    for group, intervals in found.groups.items():
        label = group or _OTHER
        count = sizes.count(label)
        series[f"{label} ({count} pair{'s' if count > 1 else ''})"] = intervals
    return DotPlot(
        name=f"near-far-{slug}",
        title=f"Near against far: {where}",
        rows=found.field.detectors,
        series=series,
        axis="mean AUROC →",
        doc="Mean over the pairs of a group, with 95 % bootstrap intervals over seeds.",
    )


def _all_tracks(lines: Mapping[str, Lines], origin: str) -> list[Exhibit]:
    """All tracks side by side on the pairs that they share, without a rank."""
    import pandas as pd

    track_of = {line["row"]: track for track, part in lines.items() for line in part}
    field = make_field(line for part in lines.values() for line in part)
    if len(field.detectors) < 2 or len(field.pairs) < MIN_PAIRS:
        return []
    found = analyse(field)
    order = sorted(
        range(len(field.detectors)),
        key=lambda i: list(lines).index(track_of[found.field.detectors[i]]),
    )
    columns: dict[str, list[object]] = {
        "detector": [found.field.detectors[i] for i in order],
        "track": [track_of[found.field.detectors[i]] for i in order],
    }
    for group, intervals in found.groups.items():
        columns[f"{group or _OTHER}, mean AUROC"] = [intervals[i] for i in order]
    doc = (
        "What a detector may see differs from track to track, so they are not ranked together. "
        "uses OOD validation: settings chosen on other OOD examples; training: its own way of "
        "training the classifier; uses outliers: trained with other OOD examples; "
        "transductive: unlabelled examples of the very sets that are told apart."
    )
    title = f"All tracks: {origin} pairs"
    return [Table("tracks", title, pd.DataFrame(columns), doc)]


# -- words ----------------------------------------------------------------------------------------


def _tau(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}".replace("-0.00", "0.00")


def _interval(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return f"{interval.point:.3f}"
    return f"{interval.point:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _worst(found: Inconsistency, index: int) -> str:
    return found.field.pairs[found.worst[index]].label


def _listed(names: Sequence[str]) -> str:
    if len(names) > _NAMED:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
    *most, last = names or [""]
    return f"{', '.join(most)} and {last}" if most else last


def _slug(text: str) -> str:
    return text.replace(" ", "-")
