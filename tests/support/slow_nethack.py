"""The published environments through the public classes of nle and minihack: slow, but not ours.

It is what a user would write who ports SkillHack to gymnasium by hand. The fast environments are
held against it bit for bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from minihack import MiniHackSkill, RewardManager
from nle.nethack import Command

from rlbench.suites.skillhack.compile import level_file
from rlbench.suites.skillhack.interface import KEYS
from rlbench.suites.skillhack.settings import TaskSettings

SEEN = ["glyphs", "chars", "colors", "specials", "blstats", "message"]


class _Together(RewardManager):  # type: ignore[misc]
    """Pays when all events have happened."""

    def collect_reward(self) -> float:
        return float(super().collect_reward()) if self._check_complete() else 0.0


class SlowSkill(MiniHackSkill):  # type: ignore[misc]
    """One published environment."""

    def __init__(self, settings: TaskSettings, *, options: tuple[str, ...] | None = None) -> None:
        self._task = settings
        self._may_pick = settings.pick_first
        options = options or (("autopickup",) if settings.autopickup else None)
        chosen = {} if options is None else {"options": options}
        super().__init__(
            des_file=level_file(settings.level).read_text(encoding="utf-8"),
            reward_manager=_manager(settings),
            reward_win=1,
            reward_lose=-1,
            penalty_step=-settings.frozen_penalty,
            max_episode_steps=settings.max_steps,
            actions=KEYS,
            observation_keys=SEEN,
            fix_moon_phase=True,
            **chosen,
        )

    def begin(self, core: int, disp: int) -> dict[str, Any]:
        """Reset with NetHack's seeds."""
        self.seed(core, disp, reseed=False)
        self._may_pick = self._task.pick_first
        return dict(self.reset()[0])

    def step(self, action: int) -> Any:
        letter = self._task.drink
        letters = self.last_observation[self._observation_keys.index("inv_letters")]
        if self._may_pick:
            self.nethack.step(Command.PICKUP)
        if letter and (self._may_pick or ord(letter) in letters):
            self.nethack.step(Command.QUAFF)
            self.nethack.step(ord(letter))
        self._may_pick = False
        return super().step(action)

    def _is_episode_end(self, observation: Any) -> Any:
        if self._steps == 0:  # reset asks too, since nle moved to gymnasium
            return self.StepStatus.RUNNING
        return super()._is_episode_end(observation)

    def _reward_fn(
        self, last_observation: Any, action: Any, observation: Any, end_status: Any
    ) -> float:
        won = end_status == self.StepStatus.TASK_SUCCESSFUL
        lost = end_status in (self.StepStatus.DEATH, self.StepStatus.ABORTED)
        reward = 0.0
        if self.reward_manager is not None:
            reward = self.reward_manager.collect_reward()
        if lost:
            reward += self.reward_lose
        reward += self._get_time_penalty(last_observation, observation)
        return float(reward + self._task.stairs_reward if won else reward)


def _manager(settings: TaskSettings) -> RewardManager | None:
    if not settings.events and not settings.step_penalty:
        return None
    manager = _Together() if settings.together else RewardManager()
    for event in settings.events:
        manager.add_message_event(
            list(event.messages),
            reward=event.reward,
            repeatable=event.repeatable,
            terminal_required=event.required,
            terminal_sufficient=event.sufficient,
        )
    if not any(event.required for event in settings.events):
        manager.add_message_event(["no such message"], reward=0, terminal_required=True)
    manager.add_custom_reward_fn(lambda *_: -settings.step_penalty)
    return manager


class _NotOver:
    """As much of a `Step` as a player looks at between two episodes' ends."""

    terminated = truncated = np.zeros(1, np.bool_)


NOT_OVER = _NotOver()
