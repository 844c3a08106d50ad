"""Which experts a task gets, and what they would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from rlbench.core.errors import UsageError
from rlbench.suites.skillhack.eyes import Seen
from rlbench.suites.skillhack.learners.interface import Expert, ExpertTraining, World

Choice = Literal["own", "irrelevant", "missing", "all"]

IRRELEVANT: Mapping[str, str] = {
    "battle": "nav-water",
    "prepare-for-battle": "fight",
    "over-or-around": "eat",
    "target-practice": "nav-lava",
    "frozen-lava-cross": "throw",
    "medusa": "nav-lava",
    "identify-mimic": "nav-blind",
    "sea-monsters": "put-on",
}
"""The skill that does not help, per task (SkillHack's repository, `tasks_additional.json`)."""
ALL_SKILLS = (
    "pick-up", "wield", "fight", "wear", "eat", "unlock", "nav-lava", "zap-death", "throw",
    "zap-cold", "apply-frost-horn", "put-on", "nav-blind", "nav-lava-to-amulet", "take-off",
    "nav-water",
)  # fmt: skip
"""Those that some task needs (`train_with_all_skills`)."""
_PUBLISHED = "-published"


@dataclass(frozen=True)
class TeacherParams(ExpertTraining):
    """The part of a recipe that is about the experts."""

    teachers: Choice = "own"
    """The task's own skills; one irrelevant skill more; the last one missing; or all 16."""


def teacher_names(task: str, skills: Sequence[str], which: Choice) -> tuple[str, ...]:
    """The skill tasks whose experts a task gets; of published tasks, the published skills.

    Raises:
        UsageError: the task needs no skills, or nobody has said which one is irrelevant to it.
    """
    if not skills:
        raise UsageError(f"skillhack/{task}: no skills to learn from; it is a skill itself")
    base = task.removesuffix(_PUBLISHED)
    mark = task.removeprefix(base)
    names = {
        "own": tuple(skills),
        "missing": tuple(skills[:-1]),
        "all": tuple(name + mark for name in ALL_SKILLS),
    }
    if base in IRRELEVANT:
        names["irrelevant"] = (*skills, IRRELEVANT[base] + mark)
    if which not in names:
        raise UsageError(f"skillhack/{task}: nobody has said which skill is irrelevant to it")
    return names[which]


def teachers_of(world: World, params: TeacherParams) -> list[Expert]:
    """The experts of the world's task, trained if need be."""
    names = teacher_names(world.task, world.skills, params.teachers)
    training = ExpertTraining(params.expert_method, params.expert_steps)
    return world.experts(names, training)


@torch.no_grad()
def advice(experts: Sequence[Expert], seen: Seen) -> Tensor:
    """What the experts would do: tensors [..., obs] of shape [T, n, ...] to float [T, n, K, A]."""
    steps, n = seen[0].shape[:2]
    flat = tuple(part.flatten(0, 1) for part in seen)
    each = [expert.policy.step(flat, ())[0].logits.softmax(-1) for expert in experts]
    return torch.stack(each, 1).view(steps, n, len(experts), -1)
