"""Prioritised level replay and its offspring: PLR, robust PLR, ACCEL, and the parallel forms.

PLR (Jiang et al. 2021, arXiv:2010.03934) replays levels with a high score. Robust PLR (Jiang et
al. 2021, arXiv:2110.02439) learns from replayed levels only. ACCEL (Parker-Holder et al. 2022,
arXiv:2203.01302) also scores small edits of what it replays. The parallel forms (Jiang et al.
2023, arXiv:2311.12716) play new levels, replayed levels and edits in one rollout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from rlbench.suites.ued.buffer import LevelBuffer
from rlbench.suites.ued.feedback import Play
from rlbench.suites.ued.generate import scattered
from rlbench.suites.ued.interface import Proposal, World
from rlbench.suites.ued.levels import Levels, join
from rlbench.suites.ued.mutate import dcd_mutate, jaxued_mutate, minimax_mutate
from rlbench.suites.ued.regret import Score, return_less_value_loss

EASY = 4
"""Replayed levels that DCD edits, out of a rollout's."""

Mutator = Literal["minimax", "jaxued", "dcd"]
MUTATORS: Mapping[str, Callable[..., Levels]] = {
    "minimax": minimax_mutate,
    "jaxued": jaxued_mutate,
    "dcd": dcd_mutate,
}


class Replay:
    """All of them, by their parameters."""

    def __init__(
        self,
        *,
        score: Score = "max-mc",
        best_return: Literal["running", "last"] = "running",
        replay: float = 0.5,
        capacity: int = 4000,
        min_fill: float = 0.5,
        temperature: float = 0.3,
        staleness: float = 0.3,
        unique: bool = True,
        robust: bool = True,
        parallel: bool = False,
        edits: int = 0,
        mutator: Mutator = "minimax",
        edited: Literal["all", "easy"] = "all",
        base: Literal["task", "empty"] = "task",
    ) -> None:
        """Args are the method's hyperparameters.

        Args:
            score: the estimate of regret.
            best_return: with `max-mc`, the highest return ever seen on a level, or that of its
                last rollout (as minimax 0.2.0 keeps it).
            replay: chance that a rollout replays levels; the parallel forms always do.
            capacity: levels that the buffer holds.
            min_fill: part of the buffer that must be full before anything is replayed.
            temperature: of the ranks.
            staleness: weight of the time since a level was played.
            unique: whether equal levels are kept once.
            robust: whether to learn from replayed levels only.
            parallel: whether everything is played in one rollout.
            edits: changes to each replayed level; 0 for no edits (no ACCEL).
            mutator: whose edits.
            edited: which of the replayed levels are edited: each of them, or, as in DCD, the four
                with the smallest `return_less_value_loss`, each as often as makes a whole batch.
            base: new levels are the task's, or have no walls.

        Raises:
            ValueError: a number out of range.
        """
        if not (0 <= replay <= 1 and 0 <= min_fill <= 1 and edits >= 0):
            raise ValueError(
                f"expected replay and min_fill from 0 to 1, edits from 0;"
                f" found {replay}, {min_fill}, {edits}"
            )
        if parallel and edited == "easy":
            raise ValueError("edited: the parallel form edits levels before they are played")
        self.score, self.best_return, self.replay = score, best_return, replay
        self.capacity, self.min_fill = capacity, min_fill
        self.temperature, self.staleness, self.unique = temperature, staleness, unique
        self.robust, self.parallel = robust, parallel
        self.edits, self.mutator, self.base = edits, MUTATORS[mutator], base
        self.edited = edited

    def begin(self, world: World) -> None:
        """See `Curriculum.begin`."""
        maze = world.maze
        self._world = world
        self.buffer = LevelBuffer(
            self.capacity,
            maze.height,
            maze.width,
            temperature=self.temperature,
            staleness=self.staleness,
            unique=self.unique,
            device=maze.device,
        )
        nothing = torch.zeros(0, dtype=torch.int64, device=maze.device)
        self._replayed = nothing
        """The slots that the last proposal replays."""
        self._parents = nothing
        """The slots whose edits are to be scored next."""

    def propose(self) -> Proposal:
        """See `Curriculum.propose`."""
        if self.parallel:
            return self._propose_all()
        world, n = self._world, self._world.environments
        if len(self._parents):
            return Proposal(self._edited, trained=self._mask(n, False))
        lot = torch.rand((), generator=world.rng, device=world.rng.device)
        if self._warm and float(lot) < self.replay:
            self._replayed = self.buffer.draw(n, world.rng)
            return Proposal(self.buffer.levels[self._replayed])
        self.buffer.pass_time(n)
        return Proposal(self._new(n), trained=self._mask(n, not self.robust))

    def receive(self, proposal: Proposal, plays: Sequence[Play]) -> None:
        """See `Curriculum.receive`."""
        play = plays[0]
        if self.parallel:
            self._receive_all(proposal, play)
        elif len(self._parents):
            self._insert(proposal.levels, play, slice(None), self._generation(self._parents))
            self._parents = self._parents[:0]
        elif len(self._replayed):
            self._rescore(play, slice(None))
            if self.edits:
                self._edit(self._to_edit(play))
            self._replayed = self._replayed[:0]
        else:
            self._insert(proposal.levels, play, slice(None), None)

    # -- the parallel forms -------------------------------------------------------------------

    def _propose_all(self) -> Proposal:
        """New levels, then replayed ones (new ones before the buffer is warm), then edits."""
        world, n = self._world, self._world.environments
        if not self._warm:
            parts = 3 if self.edits else 2
            self.buffer.pass_time(parts * n)
            return Proposal(self._new(parts * n), trained=self._mask(parts * n, not self.robust))
        self._replayed = self.buffer.draw(n, world.rng)
        self.buffer.pass_time(n)
        batches = [self._new(n), self.buffer.levels[self._replayed]]
        trained = [self._mask(n, not self.robust), self._mask(n, True)]
        if self.edits:
            self._edit(self._replayed)
            batches.append(self._edited)
            trained.append(self._mask(n, False))
        return Proposal(join(batches), trained=torch.cat(trained))

    def _receive_all(self, proposal: Proposal, play: Play) -> None:
        n = self._world.environments
        if not len(self._replayed):
            self._insert(proposal.levels, play, slice(None), None)
            return
        # before anything is inserted, which may put another level into a replayed slot
        self._rescore(play, slice(n, 2 * n))
        parents = self._generation(self._replayed)
        self._insert(proposal.levels[:n], play, slice(0, n), None)
        if self.edits:
            self._insert(proposal.levels[2 * n :], play, slice(2 * n, None), parents)
            self._parents = self._parents[:0]
        self._replayed = self._replayed[:0]

    # -- both ---------------------------------------------------------------------------------

    @property
    def _warm(self) -> bool:
        return len(self.buffer) > 0 and len(self.buffer) >= self.min_fill * self.capacity

    def _new(self, n: int) -> Levels:
        world, maze = self._world, self._world.maze
        if self.base == "task":
            return world.draw(n, world.rng)
        return scattered(n, world.rng, height=maze.height, width=maze.width, n_walls=0)

    def _mask(self, n: int, value: bool) -> Tensor:
        return torch.full((n,), value, device=self._world.maze.device)

    def _to_edit(self, play: Play) -> Tensor:
        """The slots of the replayed levels to edit, after they were played: int64 [n]."""
        if self.edited == "all":
            return self._replayed
        ease = return_less_value_loss(play.episodes, play.advantage)
        easy = self._replayed[ease.sort(stable=True).indices[:EASY]]
        return easy.repeat(-(-len(self._replayed) // len(easy)))[: len(self._replayed)]

    def _edit(self, parents: Tensor) -> None:
        """Edits of the levels in these slots; kept, since the slots may soon hold other levels."""
        self._parents = parents
        self._edited = self.mutator(
            self.buffer.levels[self._parents], self._world.rng, edits=self.edits
        )

    def _generation(self, slots: Tensor) -> Tensor:
        return self.buffer.mutations[slots] + 1

    def _scored(self, play: Play, part: slice, slots: Tensor) -> tuple[Tensor, Tensor]:
        """Score and best return of the environments in `part`, whose levels are in `slots`."""
        known = torch.where(slots >= 0, self.buffer.best[slots.clamp(min=0)], -torch.inf)
        before = torch.full_like(play.episodes.max_return, -torch.inf)
        before[part] = known
        score = play.score(self.score, before)[part]
        kept = play.best(before if self.best_return == "running" else None)[part]
        return score, kept

    def _rescore(self, play: Play, part: slice) -> None:
        score, best = self._scored(play, part, self._replayed)
        self.buffer.update(self._replayed, score, best)

    def _insert(self, levels: Levels, play: Play, part: slice, mutations: Tensor | None) -> None:
        score, best = self._scored(play, part, self.buffer.find(levels))
        if mutations is None:
            mutations = torch.zeros_like(levels.goal)
        self.buffer.insert(levels, score, best, mutations)

    def hardest(self, n: int) -> Levels:
        """The levels with the highest estimated regret."""
        return self.buffer.hardest(n)

    def state(self) -> dict[str, Tensor]:
        """See `Resumable.state`; saved between rollouts, when edits may be waiting."""
        state = self.buffer.state() | {"parents": self._parents}
        if len(self._parents):
            edited = self._edited
            state |= {
                "edited_walls": edited.walls, "edited_agent": edited.agent,
                "edited_direction": edited.direction, "edited_goal": edited.goal,
            }  # fmt: skip
        return state

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """See `Resumable.restore`."""
        self.buffer.restore(dict(state))
        self._parents = state["parents"]
        if len(self._parents):
            names = ("walls", "agent", "direction", "goal")
            self._edited = Levels(*(state[f"edited_{name}"] for name in names))
