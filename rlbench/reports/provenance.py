"""Where the numbers come from: code, machines, packages, and the command behind every cell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from statistics import median

from rlbench.reports.coverage import Line
from rlbench.reports.escape import plain
from rlbench.reports.families import TIER_ORDER
from rlbench.reports.grid import MISSING, Entry, Grid, number_text

_SEEDS = re.compile(r"(--seeds?[ =])(\S+)")


def origins(lines: Sequence[Line]) -> Grid:
    """One line per suite, source, place of the records and kind of machine."""

    def key(line: Line) -> tuple[str, ...]:
        commit = f" ({line['commit'][:10]}{', dirty' if line['dirty'] else ''})"
        return (
            line["suite"],
            line["where"],
            line["source"],
            line["rlbench"] + (commit if line["commit"] else ""),
            f"{line['device']}: {line['gpu']}" if line["gpu"] else line["device"],
            f"{line['cpu']}, {line['threads']} thread{'s' if line['threads'] > 1 else ''}",
            f"Python {line['python']} on {line['platform']}, {line['packages']}",
            line["nondeterministic"] or "none",
        )

    names = (
        "suite", "where", "records", "source digest", "rlbench (commit)", "device", "CPU",
        "software", "nondeterministic operations",
    )  # fmt: skip
    rows = []
    for found, group in groupby(sorted(lines, key=key), key=key):
        count = len(list(group))
        suite, where, *rest = (Entry(text, text, "text") for text in found)
        rows.append((suite, where, Entry(str(count), float(count)), *rest))
    header = [Entry(name, kind="number" if name == "records" else "text") for name in names]
    return Grid(tuple(header), tuple(rows))


def commands(lines: Sequence[Line]) -> Grid:
    """One line per cell: seeds, median seconds of a trial, and what repeats it."""

    def key(line: Line) -> tuple[object, ...]:
        tier = TIER_ORDER.index(line["tier"])
        return line["suite"], tier, line["task"], line["row"], line["where"], line["source"]

    rows = []
    for _, group in groupby(sorted(lines, key=key), key=key):
        cell = list(group)
        first = cell[0]
        row = first["row"] + (" (reference)" if first["where"] == "reference" else "")
        seeds = sorted({line["seed"] for line in cell})
        known = [line["wall_s"] for line in cell if line["wall_s"] == line["wall_s"]]
        seconds = median(known) if known else None
        texts = (first["tier"], f"{first['task']} v{first['version']}", row)
        rows.append(
            (
                *(Entry(text, text, "text") for text in texts),
                Entry(_ranges(seeds), float(len(seeds)), "text"),
                Entry(MISSING, kind="missing")
                if seconds is None
                else Entry(number_text(seconds, 1), seconds),
                Entry(repeating([line["command"] for line in cell], seeds), kind="code"),
            )
        )
    names = ("tier", "task", "baseline", "seeds", "seconds", "command")
    header = [Entry(name, kind="number" if name == "seconds" else "text") for name in names]
    return Grid(tuple(header), tuple(rows))


def repeating(found: Sequence[str], seeds: Sequence[int]) -> str:
    """One command for all seeds of a cell where its trials differ in the seed alone."""
    distinct = list(dict.fromkeys(map(plain, found)))
    shapes = {_SEEDS.sub(r"\1N", command) for command in distinct}
    if len(distinct) > 1 and len(shapes) == 1:
        return _SEEDS.sub(lambda match: match[1] + _ranges(seeds), distinct[0])
    return "; ".join(distinct)


def _ranges(seeds: Sequence[int]) -> str:
    """`0-4,7`."""
    parts: list[list[int]] = []
    for seed in seeds:
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ",".join(f"{p[0]}-{p[-1]}" if len(p) > 1 else str(p[0]) for p in parts)
