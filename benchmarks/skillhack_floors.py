"""How often chance wins, dies and runs out of time in every published NetHack environment.

    python benchmarks/skillhack_floors.py DIR                     # 2,000 episodes each: 10 minutes
    python benchmarks/skillhack_floors.py DIR --episodes 20

DIR keeps one file per environment; those that are there are not measured again, so that a run that
was stopped goes on where it was. Every action is drawn with equal chance.

The figures are held against 200 episodes each of SkillHack's own code (ucl-dark/skillhack at
74c71bb), ported by hand to nle 1.3.0: core and display seed of episode i are i, moon and date are
fixed, and the event that only the gymnasium port fires at reset is left out. Each comparison is
Fisher's exact test of two shares. There are three for each environment; Holm's procedure keeps the
chance of a single false alarm among all of them below 5%. Exit status 1: some disagree.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import fisher_exact

from rlbench.core.registry import Registry
from rlbench.core.seeding import small_seed
from rlbench.suites.ood.views.inconsistency import holm
from rlbench.suites.skillhack.agents import Random
from rlbench.suites.skillhack.evaluate import evaluate
from rlbench.suites.skillhack.interface import Cause
from rlbench.suites.skillhack.settings import task_settings
from rlbench.suites.skillhack.vector import make_vector

ENVIRONMENTS = 8
PORT_EPISODES = 200
FAMILY_ERROR = 0.05
KINDS = ("success", "death", "timeout")

PORT: dict[str, tuple[float, float, float]] = {
    "apply-frost-horn": (2.0, 52.5, 45.5),
    "battle": (0.5, 53.0, 46.5),
    "eat": (4.0, 25.5, 70.5),
    "fight": (33.0, 44.5, 22.5),
    "frozen-lava-cross": (0.0, 75.0, 25.0),
    "identify-mimic": (0.0, 8.0, 62.0),
    "medusa": (0.0, 5.5, 94.5),
    "nav-blind": (33.0, 0.0, 67.0),
    "nav-blind-fixed": (16.5, 0.0, 83.5),
    "nav-lava": (9.5, 90.5, 0.0),
    "nav-lava-to-amulet": (0.0, 44.5, 55.5),
    "nav-over-lava": (20.5, 3.0, 76.5),
    "nav-water": (54.5, 0.0, 45.5),
    "over-or-around": (0.0, 11.5, 88.5),
    "pick-up": (7.0, 38.0, 55.0),
    "prepare-for-battle": (0.0, 0.0, 100.0),
    "put-on": (33.0, 46.0, 21.0),
    "sea-monsters": (0.0, 33.0, 67.0),
    "take-off": (66.0, 34.0, 0.0),
    "target-practice": (0.0, 8.0, 92.0),
    "throw": (4.0, 34.5, 61.5),
    "unlock": (0.5, 16.0, 83.5),
    "wear": (67.0, 22.0, 11.0),
    "wield": (62.0, 13.0, 25.0),
    "zap-cold": (6.5, 58.0, 35.5),
    "zap-death": (0.5, 48.0, 51.5),
}
"""Percent of the port's episodes that ended in success, death and time-out."""


class Comparison(NamedTuple):
    """One share on both sides."""

    name: str
    kind: str
    ours: float
    port: float
    p: float


def measure(name: str, episodes: int) -> dict[str, Any]:
    """Counts by kind, mean return and mean length of random episodes."""
    settings = task_settings(Registry.load().tasks[f"skillhack/{name}-published"])
    seed = small_seed("skillhack", "floors", 0)
    player = Random().policy(settings, np.random.default_rng(seed))
    with make_vector(settings, purpose="evaluate", seed=seed, n=ENVIRONMENTS) as env:
        found = evaluate(player.act, env, episodes)
    cause = found["episode_cause"]
    return {
        "episodes": episodes,
        "success": int(found["episode_success"].sum()),
        "death": int((cause == Cause.DEATH).sum()),
        "timeout": int((cause == Cause.TIMEOUT).sum()),
        "mean_return": round(float(found["episode_return"].mean(dtype=np.float64)), 4),
        "mean_length": round(float(found["episode_length"].mean()), 2),
    }


def measured(folder: Path, name: str, episodes: int) -> dict[str, Any]:
    """From the folder, or measured now and kept there."""
    path = folder / f"{name}-{episodes}.json"
    if not path.exists():
        part = path.with_suffix(".part")
        part.write_text(json.dumps(measure(name, episodes), indent=1) + "\n", encoding="utf-8")
        part.replace(path)
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def compare(name: str, found: dict[str, Any]) -> list[Comparison]:
    """Our shares beside the port's."""
    rows, n = [], found["episodes"]
    for kind, percent in zip(KINDS, PORT[name], strict=True):
        k, theirs = found[kind], round(percent / 100 * PORT_EPISODES)
        table = [[k, n - k], [theirs, PORT_EPISODES - theirs]]
        rows.append(Comparison(name, kind, k / n, percent / 100, float(fisher_exact(table)[1])))
    return rows


def main() -> None:
    """Measure what is missing, print the table and the verdict."""
    parser = argparse.ArgumentParser(description="Random floors of the published environments.")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--episodes", type=int, default=2000)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    rows: list[Comparison] = []
    print(f"{'ours (port), percent':20}" + "".join(f"{kind:>16}" for kind in KINDS), flush=True)
    for name in PORT:
        found = measured(args.folder, name, args.episodes)
        here = compare(name, found)
        rows += here
        cells = (f"{100 * row.ours:8.2f} ({100 * row.port:5.1f})" for row in here)
        tail = f"  return {found['mean_return']:6.2f}  length {found['mean_length']:6.1f}"
        print(f"{name:20}{''.join(cells)}{tail}", flush=True)
    adjusted = holm(np.array([row.p for row in rows]))
    print(f"smallest adjusted p: {min(adjusted):.3g} of {len(rows)} tests")
    wrong = [(row, p) for row, p in zip(rows, adjusted, strict=True) if p < FAMILY_ERROR]
    for row, p in wrong:
        print(f"{row.name}: {row.kind}: {row.ours:.4f}, port {row.port:.4f}, adjusted p {p:.2g}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
