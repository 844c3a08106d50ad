"""The published learner's running deviation, by which rewards are divided."""

from __future__ import annotations

import torch
from torch import Tensor


class Moments:
    """Welford's sums over batches [T, n], with SkillHack's way of counting.

    The published code advances its count by T, not T * n, and divides the batch's sum by T as well
    (repository ucl-dark/skillhack, `NetHackNet.update_running_moments`), so that the deviation is
    larger than the rewards' by about the root of n. Losses and learning rates were tuned with it.
    """

    def __init__(self) -> None:
        """Nothing has been heard."""
        self.numbers = torch.tensor([0.0, 0.0, 1e-8], dtype=torch.float64)
        """Sum, sum of squared deviations, count."""

    def update(self, batch: Tensor) -> float:
        """Take in a batch, float [T, n]; the deviation after it."""
        total, squares, count = self.numbers.tolist()
        new = batch.detach().to("cpu", torch.float64)
        steps, mean = len(new), float(new.sum()) / len(new)
        between = count * steps / (count + steps) * (mean - total / count) ** 2
        squares += float((new - mean).square().sum()) + between
        self.numbers = torch.tensor(
            [total + float(new.sum()), squares, count + steps], dtype=torch.float64
        )
        return float((self.numbers[1] / self.numbers[2]).sqrt())
