"""Two agents: tabular Q-learning and chance."""

from __future__ import annotations

import numpy as np


class QLearner:
    """One-step Q-learning with an epsilon-greedy policy."""

    def __init__(self, lr: float, epsilon: float, steps: int) -> None:
        self.lr, self.epsilon, self.steps = lr, epsilon, steps
        self.q = np.zeros((0, 2))

    def begin(self, cells: int) -> None:
        self.q = np.zeros((cells, 2))

    def act(self, cell: int, rng: np.random.Generator, *, explore: bool) -> int:
        if explore and rng.random() < self.epsilon:
            return int(rng.integers(2))
        best = np.flatnonzero(self.q[cell] == self.q[cell].max())
        return int(rng.choice(best))

    def learn(self, cell: int, action: int, reward: float, after: int, over: bool) -> None:
        target = reward + (0.0 if over else 0.99 * float(self.q[after].max()))
        self.q[cell, action] += self.lr * (target - self.q[cell, action])


class Chance:
    """Left or right with equal odds."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.q = np.zeros((0, 2))

    def begin(self, cells: int) -> None:
        self.q = np.zeros((cells, 2))

    def act(self, cell: int, rng: np.random.Generator, *, explore: bool) -> int:
        return int(rng.integers(2))

    def learn(self, cell: int, action: int, reward: float, after: int, over: bool) -> None:
        """Chance learns nothing."""
