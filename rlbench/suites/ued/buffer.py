"""The level buffer of prioritised level replay (Jiang et al. 2021, arXiv:2010.03934).

Levels are drawn in proportion to `(1 - staleness) * P_score + staleness * P_age`: P_score by the
rank of their score, P_age by how many draws ago they were played.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rlbench.suites.ued.levels import Levels, find, is_repeat


def replay_distribution(
    score: Tensor, age: Tensor, filled: Tensor, *, temperature: float, staleness: float
) -> Tensor:
    """The probability of each slot of being drawn.

    Args:
        score: float64 [k]; the lower index has the better rank among equals.
        age: int64 [k], draws since the level was last played.
        filled: bool [k]; at least one.
        temperature: the lower, the more the best rank is preferred.
        staleness: weight of the age, 0 to 1.

    Returns:
        float64 [k].
    """
    by_score = rank_weights(score, filled, temperature)
    return mixed(by_score, age, filled, staleness)


def rank_weights(score: Tensor, filled: Tensor, temperature: float) -> Tensor:
    """`(1 / rank) ^ (1 / temperature)` over filled slots, normalised: float64 [k]."""
    order = torch.where(filled, score, -torch.inf).sort(descending=True, stable=True).indices
    rank = torch.empty_like(score)
    rank[order] = torch.arange(1, len(score) + 1, dtype=score.dtype, device=score.device)
    weight = torch.where(filled, rank ** (-1 / temperature), 0.0)
    return weight / weight.sum()


def mixed(by_score: Tensor, age: Tensor, filled: Tensor, staleness: float) -> Tensor:
    """Weights by score and by age together; without any age, those by score alone."""
    ages = torch.where(filled, age, 0).to(by_score.dtype)
    total = ages.sum()
    by_age = torch.where(total > 0, ages / total.clamp(min=1), by_score)
    return (1 - staleness) * by_score + staleness * by_age


class LevelBuffer:
    """A fixed number of slots for levels with scores, all tensors on one device."""

    def __init__(
        self,
        capacity: int,
        height: int,
        width: int,
        *,
        temperature: float,
        staleness: float,
        unique: bool,
        device: torch.device | str,
    ) -> None:
        """An empty buffer; `unique` keeps levels that differ at most in direction only once.

        Raises:
            ValueError: a setting that makes no distribution.
        """
        if capacity < 1 or temperature <= 0 or not 0 <= staleness <= 1:
            raise ValueError(
                "expected capacity from 1, temperature above 0, staleness from 0 to 1;"
                f" found {capacity}, {temperature}, {staleness}"
            )
        self.temperature, self.staleness, self.unique = temperature, staleness, unique
        whole = torch.zeros(capacity, dtype=torch.int64, device=device)
        blank = Levels(
            torch.zeros(capacity, height, width, dtype=torch.bool, device=device),
            whole, whole.clone(), whole.clone(),
        )  # fmt: skip
        self.levels = blank
        self.keys = torch.full_like(blank.keys(), -1)
        self.score = torch.full((capacity,), -torch.inf, dtype=torch.float64, device=device)
        self.best = torch.full((capacity,), -torch.inf, device=device)
        """float32: highest return seen on the level."""
        self.age = whole.clone()
        self.mutations = whole.clone()
        """int64: edits between the level and the generated one that it descends from."""
        self.count = 0
        """Slots in use: the first ones."""

    def __len__(self) -> int:
        return self.count

    @property
    def capacity(self) -> int:
        """Slots."""
        return self.score.shape[0]

    @property
    def filled(self) -> Tensor:
        """Bool [capacity]."""
        return torch.arange(self.capacity, device=self.score.device) < self.count

    def distribution(self) -> Tensor:
        """The probability of each slot of being drawn next: float64 [capacity]."""
        return replay_distribution(
            self.score,
            self.age,
            self.filled,
            temperature=self.temperature,
            staleness=self.staleness,
        )

    def pass_time(self, draws: int) -> None:
        """Levels that are not from here were played: everything here becomes older."""
        self.age += draws * self.filled

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """`n` slots, one after another; each draw ages all levels but the drawn one: int64 [n].

        Raises:
            ValueError: the buffer is empty.
        """
        if self.count == 0:
            raise ValueError("draw: the buffer is empty")
        filled = self.filled
        by_score = rank_weights(self.score, filled, self.temperature)
        slots = []
        for _ in range(n):
            chance = mixed(by_score, self.age, filled, self.staleness)
            slot = torch.multinomial(chance, 1, generator=rng)
            self.age += filled
            self.age[slot] = 0
            slots.append(slot)
        return torch.cat(slots)

    def find(self, levels: Levels) -> Tensor:
        """The slot of each level, -1 for those that are not here (or if repeats are allowed)."""
        if not self.unique:
            return torch.full((len(levels),), -1, device=self.score.device)
        return find(levels.keys(), self.keys[: self.count])

    def update(self, slots: Tensor, score: Tensor, best: Tensor) -> None:
        """Give levels that are here new scores; of a slot named twice the first counts."""
        first = ~is_repeat(slots[:, None])
        self.score[slots[first]] = score[first].to(torch.float64)
        self.best[slots[first]] = best[first]

    def insert(self, levels: Levels, score: Tensor, best: Tensor, mutations: Tensor) -> None:
        """Take levels in, one after another.

        Each goes to the first empty slot or, when there is none, takes the place of the level that
        would least likely be drawn, unless that has the higher score. A level that is here already
        only gets its new score; of equal levels in one call the first counts.

        Args:
            levels: n of them.
            score: float [n].
            best: float32 [n], the highest return seen.
            mutations: int64 [n].
        """
        keys = levels.keys()
        repeat = is_repeat(keys) if self.unique else torch.zeros_like(score, dtype=torch.bool)
        known = self.find(levels)
        for i, skip in enumerate(repeat.tolist()):
            if skip:
                continue
            slot = int(known[i])
            # an earlier level of this call may have taken the place of this one's twin
            if slot >= 0 and torch.equal(self.keys[slot], keys[i]):
                self.score[slot], self.best[slot] = score[i], best[i]
                continue
            place = self._place(float(score[i]))
            if place is not None:
                self._put(place, levels[i : i + 1])
                self.score[place], self.best[place] = score[i], best[i]
                self.age[place], self.mutations[place] = 0, mutations[i]

    def _place(self, score: float) -> int | None:
        if self.count < self.capacity:
            self.count += 1
            return self.count - 1
        place = int(self.distribution().argmin())
        return place if score >= float(self.score[place]) else None

    def _put(self, slot: int, level: Levels) -> None:
        mine = self.levels
        mine.walls[slot], mine.agent[slot] = level.walls[0], level.agent[0]
        mine.direction[slot], mine.goal[slot] = level.direction[0], level.goal[0]
        self.keys[slot] = level.keys()[0]

    def hardest(self, n: int) -> Levels:
        """The `n` levels with the highest scores, or all there are, highest first."""
        order = self.score[: self.count].sort(descending=True, stable=True).indices
        return self.levels[order[:n]]

    def state(self) -> dict[str, Tensor]:
        """Everything that changes, for a checkpoint."""
        levels = self.levels
        return {
            "walls": levels.walls, "agent": levels.agent, "direction": levels.direction,
            "goal": levels.goal, "score": self.score, "best": self.best, "age": self.age,
            "mutations": self.mutations, "count": torch.tensor(self.count),
        }  # fmt: skip

    def restore(self, state: dict[str, Tensor]) -> None:
        """Put back what `state` gave."""
        self.levels = Levels(state["walls"], state["agent"], state["direction"], state["goal"])
        self.score, self.best, self.age = state["score"], state["best"], state["age"]
        self.mutations, self.count = state["mutations"], int(state["count"])
        self.keys = self.levels.keys()
