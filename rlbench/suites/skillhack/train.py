"""The training loop: act, keep, learn; resumable after every rollout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from rlbench.learn.checkpoint import generator_array, restore_generator
from rlbench.learn.recurrent import restart
from rlbench.suites.skillhack.interface import Environments, Step
from rlbench.suites.skillhack.learners.interface import Arrays, Learner, Rollout, Turn


@dataclass
class Counts:
    """What training has cost so far."""

    env_steps: int = 0
    learner_updates: int = 0
    """Rollouts learnt from."""
    episodes: int = 0
    """Finished ones."""


@dataclass(frozen=True, eq=False)
class Cycle:
    """What one rollout brought."""

    told: Mapping[str, float]
    """By the learner, for the curve."""
    returns: np.ndarray[Any, Any]
    """float64 [e], of the episodes that ended, in the order of their ends."""
    lengths: np.ndarray[Any, Any]
    """int64 [e], in steps."""
    success: np.ndarray[Any, Any]
    """bool [e]."""


def workers_for(n: int) -> int:
    """Processes that play n slots: as many as the trial may use threads (`--threads`).

    With one thread, as in sweeps, the games are played in the trial's own process.
    """
    threads = torch.get_num_threads()
    return min(threads, n) if threads > 1 else 0


class Trainer:
    """A learner, its environments and all that changes."""

    def __init__(
        self,
        learner: Learner,
        env: Environments,
        rngs: Mapping[str, torch.Generator],
        env_steps: int,
        *,
        published: bool,
    ) -> None:
        """Begin.

        Args:
            learner: acts and learns.
            env: not reset yet.
            rngs: those of the learner's world.
            env_steps: until when; the last rollout may go beyond it.
            published: whether the task's rules are, see `Rollout.cut`.
        """
        self.learner, self.counts = learner, Counts()
        self._env, self._rngs, self._budget = env, rngs, env_steps
        self._published = published
        self._seen = learner.see(env.reset())
        self._memory = learner.start(env.n)
        self._open = np.zeros((2, env.n))
        """Return and length so far of the open episodes."""

    @property
    def over(self) -> bool:
        """Whether the budget is spent, or there is nothing to learn."""
        return not self.learner.unroll or self.counts.env_steps >= self._budget

    @property
    def updates(self) -> int:
        """How many rollouts there will be."""
        per_rollout = max(self.learner.unroll, 1) * self._env.n
        return -(-self._budget // per_rollout) if self.learner.unroll else 0

    def cycle(self) -> Cycle:
        """One rollout, learnt from."""
        memory, seen = self._memory, [self._seen]
        turns: list[Turn] = []
        rewards, dones, cuts = [], [], []
        ended: list[tuple[np.ndarray[Any, Any], ...]] = []
        device = self._seen[0].device
        for _ in range(self.learner.unroll):
            turn = self.learner.act(self._seen, self._memory)
            step = self._env.step(turn.action.cpu().numpy())
            done = step.terminated | step.truncated
            rewards.append(step.reward.astype(np.float32))
            dones.append(done)
            cuts.append(step.truncated & (not self._published))
            turns.append(turn)
            ended.append(self._account(step, done))
            self._seen = self.learner.see(step.observation)
            self._memory = restart(turn.memory, torch.from_numpy(done).to(device))
            seen.append(self._seen)
        rollout = Rollout(
            tuple(torch.stack(part) for part in zip(*seen, strict=True)),
            memory,
            torch.stack([turn.chosen for turn in turns]),
            torch.stack([turn.log_prob for turn in turns]),
            torch.stack([turn.value for turn in turns]),
            *(torch.from_numpy(np.stack(part)).to(device) for part in (rewards, dones, cuts)),
        )
        told = self.learner.learn(rollout)
        returns, lengths, success = (np.concatenate(part) for part in zip(*ended, strict=True))
        self.counts.env_steps += rollout.done.numel()
        self.counts.learner_updates += 1
        self.counts.episodes += len(returns)
        return Cycle(told, returns, lengths.astype(np.int64), success)

    def _account(
        self, step: Step, done: np.ndarray[Any, Any]
    ) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return, length and success of the episodes that this step ended."""
        self._open[0] += step.reward
        self._open[1] += 1
        returns, lengths = self._open[:, done]
        self._open[:, done] = 0
        return returns, lengths, step.success[done]

    def state(self) -> Arrays:
        """Everything that changes."""
        arrays: Arrays = {f"rng:{name}": generator_array(rng) for name, rng in self._rngs.items()}
        arrays |= {f"learner:{name}": value for name, value in self.learner.state().items()}
        arrays |= {f"env:{name}": np.array(value) for name, value in self._env.state().items()}
        arrays |= {f"memory:{i}": part.cpu().numpy() for i, part in enumerate(self._memory)}
        arrays |= {f"count:{name}": np.array(n) for name, n in vars(self.counts).items()}
        return arrays | {"open": self._open.copy()}

    def restore(self, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Put back what `state` gave; open episodes are played again up to where they were."""

        def under(mark: str) -> Arrays:
            return {k.removeprefix(mark): v for k, v in arrays.items() if k.startswith(mark)}

        for name, rng in self._rngs.items():
            restore_generator(rng, arrays[f"rng:{name}"])
        self.learner.restore(under("learner:"))
        self._seen = self.learner.see(self._env.restore(under("env:")))
        device = self._seen[0].device
        kept = under("memory:")
        self._memory = tuple(
            torch.from_numpy(np.array(kept[str(i)])).to(device) for i in range(len(kept))
        )
        self.counts = Counts(**{name: int(value) for name, value in under("count:").items()})
        self._open = np.array(arrays["open"])
