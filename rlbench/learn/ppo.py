"""Proximal policy optimisation: advantages and loss (Schulman et al. 2017, arXiv:1707.06347)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True)
class PpoSettings:
    """What a PPO learner is told; the values are those of minimax's domain randomisation."""

    lr: float = 1e-4
    """Adam's learning rate."""
    gamma: float = 0.995
    gae_lambda: float = 0.98
    clip: float = 0.2
    """Of the policy ratio and of the change of the value."""
    epochs: int = 5
    minibatches: int = 1
    """Groups of environments per epoch, each with its own gradient step."""
    value_coef: float = 0.5
    entropy_coef: float = 1e-3
    max_grad_norm: float = 0.5

    def __post_init__(self) -> None:
        for name in ("lr", "clip", "max_grad_norm"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: expected a positive number, found {getattr(self, name)}")
        for name in ("epochs", "minibatches"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, found {getattr(self, name)}")
        for name in ("gamma", "gae_lambda"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected 0 to 1, found {getattr(self, name)}")


def gae(
    reward: Tensor,
    done: Tensor,
    value: Tensor,
    last_value: Tensor,
    *,
    gamma: float,
    gae_lambda: float,
) -> Tensor:
    """Generalised advantage estimates (Schulman et al. 2016, arXiv:1506.02438, eq. 16).

    Args:
        reward: float [T, ...], for the action at step t.
        done: bool [T, ...], whether that action ended the episode, time-outs included: nothing is
            bootstrapped across it.
        value: float [T, ...], V of the observation at step t.
        last_value: float [...], V of the observation after the last step.
        gamma: discount.
        gae_lambda: weight of longer returns.

    Returns:
        float [T, ...].
    """
    goes_on = (~done).to(value.dtype)
    following = torch.cat([value[1:], last_value[None]])
    delta = reward + gamma * following * goes_on - value
    decay = gamma * gae_lambda * goes_on
    advantage = torch.empty_like(value)
    carried = torch.zeros_like(last_value)
    for t in range(value.shape[0] - 1, -1, -1):
        carried = torch.addcmul(delta[t], decay[t], carried)
        advantage[t] = carried
    return advantage


def normalise(advantage: Tensor) -> Tensor:
    """Mean 0 and deviation 1 over everything; the divisor is n, and 1e-5 is added to the root."""
    return (advantage - advantage.mean()) / (advantage.std(correction=0) + 1e-5)


class Sample(NamedTuple):
    """What a step of the loss compares with; all of one shape."""

    action: Tensor
    """int64."""
    log_prob: Tensor
    """Of the action, when it was taken."""
    value: Tensor
    """V, when the action was taken."""
    advantage: Tensor
    """Normalised."""
    target: Tensor
    """The return that V should have had: advantage before normalisation plus value."""
    weight: Tensor
    """1 / (number of samples), 0 for padding."""


class Loss(NamedTuple):
    """Scalars; `total` is to be minimised."""

    total: Tensor
    policy: Tensor
    value: Tensor
    entropy: Tensor
    kl: Tensor
    """An estimate of the divergence from the policy that acted."""


def ppo_loss(logits: Tensor, value: Tensor, old: Sample, settings: PpoSettings) -> Loss:
    """The clipped surrogate with clipped value loss and entropy bonus.

    Args:
        logits: float [..., actions], of the policy that learns.
        value: float [...], its V.
        old: from the rollout.
        settings: coefficients.
    """
    every = torch.log_softmax(logits, -1)
    log_prob = every.gather(-1, old.action[..., None])[..., 0]
    log_ratio = log_prob - old.log_prob
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1 - settings.clip, 1 + settings.clip)
    gain = torch.minimum(ratio * old.advantage, clipped * old.advantage)
    near = old.value + (value - old.value).clamp(-settings.clip, settings.clip)
    miss = torch.maximum((value - old.target).square(), (near - old.target).square())
    policy_loss = -(gain * old.weight).sum()
    value_loss = 0.5 * (miss * old.weight).sum()
    entropy = -((every.exp() * every).sum(-1) * old.weight).sum()
    total = policy_loss + settings.value_coef * value_loss - settings.entropy_coef * entropy
    kl = (((ratio - 1) - log_ratio) * old.weight).sum()
    return Loss(total, policy_loss, value_loss, entropy, kl)
