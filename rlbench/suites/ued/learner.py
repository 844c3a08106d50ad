"""A student with its optimiser: what PPO does with a rollout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from rlbench.learn.checkpoint import optimiser_arrays, restore_optimiser
from rlbench.learn.ppo import Loss, PpoSettings, Sample, gae, normalise, ppo_loss
from rlbench.learn.recurrent import Packing, pack
from rlbench.learn.weights import load_arrays, to_arrays
from rlbench.suites.ued.rollout import Rollout
from rlbench.suites.ued.student import ActorCritic


class _Batch(NamedTuple):
    """A packed rollout, ready for any number of epochs."""

    packing: Packing
    prepared: Tensor
    direction: Tensor
    old: Sample


class Learner:
    """Updates one student."""

    def __init__(
        self,
        student: ActorCritic,
        settings: PpoSettings,
        rng: torch.Generator,
        device: torch.device | str = "cpu",
    ) -> None:
        """The student is moved to `device`; `rng` shuffles environments, on the CPU.

        Raises:
            TypeError: the student is no `nn.Module`.
        """
        if not isinstance(student, nn.Module):
            raise TypeError(f"student: expected an nn.Module, found {type(student).__name__}")
        self.student: ActorCritic = student
        self.module: nn.Module = student.to(device)
        self.settings, self._rng = settings, rng
        self._trained = [p for p in self.module.parameters() if p.requires_grad]
        self.optimiser = torch.optim.Adam(self._trained, lr=settings.lr, eps=1e-5, fused=True)
        self.gradient_steps = 0

    def set_lr(self, lr: float) -> None:
        """For the next update."""
        for group in self.optimiser.param_groups:
            group["lr"] = lr

    def advantage(self, rollout: Rollout) -> Tensor:
        """Generalised advantage estimates: float32 [T, n]."""
        return gae(
            rollout.reward,
            rollout.done,
            rollout.value,
            rollout.last_value,
            gamma=self.settings.gamma,
            gae_lambda=self.settings.gae_lambda,
        )

    def update(self, rollout: Rollout, advantage: Tensor) -> Loss:
        """All epochs over a rollout; the losses of the last gradient step."""
        target = advantage + rollout.value
        normal = normalise(advantage)
        n = rollout.done.shape[1]
        whole = None
        if self.settings.minibatches == 1:
            whole = self._batch(rollout, normal, target)
        for _ in range(self.settings.epochs):
            if whole is not None:
                loss = self._step(whole)
                continue
            order = torch.randperm(n, generator=self._rng).to(rollout.done.device)
            for part in order.chunk(self.settings.minibatches):
                loss = self._step(
                    self._batch(rollout.select(part), normal[:, part], target[:, part])
                )
        return loss

    def _batch(self, rollout: Rollout, advantage: Tensor, target: Tensor) -> _Batch:
        packing = pack(rollout.done)
        places = packing.index

        def packed(x: Tensor) -> Tensor:
            return x.flatten(0, 1).index_select(0, places)

        weight = packing.real / packing.real.sum()
        samples = (rollout.action, rollout.log_prob, rollout.value, advantage, target)
        old = Sample._make([*(packed(x) for x in samples), weight])
        prepared = self.student.prepare(packed(rollout.codes))
        return _Batch(packing, prepared, packed(rollout.direction), old)

    def _step(self, batch: _Batch) -> Loss:
        logits, value = self.student.unroll(batch.prepared, batch.direction, batch.packing)
        loss = ppo_loss(logits, value, batch.old, self.settings)
        self.optimiser.zero_grad(set_to_none=True)
        loss.total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._trained, self.settings.max_grad_norm)
        self.optimiser.step()
        self.gradient_steps += 1
        return Loss(*(part.detach() for part in loss))

    def state(self) -> dict[str, np.ndarray[Any, Any]]:
        """Weights, optimiser and count, for a checkpoint."""
        weights = {f"weights:{k}": v for k, v in to_arrays(self.module).items()}
        steps = {"gradient_steps": np.array(self.gradient_steps)}
        return weights | optimiser_arrays(self.optimiser) | steps

    def restore(self, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Put back what `state` gave."""
        mark = "weights:"
        weights = {k.removeprefix(mark): v for k, v in state.items() if k.startswith(mark)}
        load_arrays(self.module, weights)
        restore_optimiser(self.optimiser, state)
        self.gradient_steps = int(state["gradient_steps"])
