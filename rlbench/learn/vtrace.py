"""V-trace: learning from the play of an older policy (arXiv:1802.01561, section 4)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Vtrace(NamedTuple):
    """What V-trace says of T steps; none of it carries a gradient."""

    target: Tensor
    """float [T, ...], the corrected value v_s of each step."""
    advantage: Tensor
    """float [T, ...], rho_s (r_s + gamma v_{s+1} - V_s), the weight of the policy's gradient."""
    ratio: Tensor
    """float [T, ...], the importance ratios before they are clipped."""


@torch.no_grad()
def vtrace(
    log_ratio: Tensor,
    discount: Tensor,
    reward: Tensor,
    value: Tensor,
    last_value: Tensor,
    *,
    clip_rho: float = 1.0,
    clip_c: float = 1.0,
) -> Vtrace:
    """Equation 1 of the paper in its recursive form, and the advantages of its section 4.2.

    Args:
        log_ratio: float [T, ...], log pi(a|x) - log mu(a|x): what learns over what acted.
        discount: float [T, ...], gamma, or 0 where the step ended its episode.
        reward: float [T, ...], for the action at step t.
        value: float [T, ...], V of the observation at step t, by what learns.
        last_value: float [...], V of the observation after the last step.
        clip_rho: the ratios' upper bound in the temporal differences; it decides the fixed point.
        clip_c: their bound in the traces; it decides the speed only.

    Returns:
        Of `value`'s shape throughout.
    """
    ratio = log_ratio.exp()
    rho, trace = ratio.clamp(max=clip_rho), ratio.clamp(max=clip_c)
    following = torch.cat([value[1:], last_value[None]])
    delta = rho * (reward + discount * following - value)
    beyond = torch.empty_like(value)  # v_s - V_s
    carried = torch.zeros_like(last_value)
    for t in range(value.shape[0] - 1, -1, -1):
        carried = delta[t] + discount[t] * trace[t] * carried
        beyond[t] = carried
    target = value + beyond
    after = torch.cat([target[1:], last_value[None]])
    return Vtrace(target, rho * (reward + discount * after - value), ratio)
