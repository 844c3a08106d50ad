"""How much each of several scores should count: logistic regression on validation sets."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

L2 = 1e-2
"""Penalty on the weights of standardised scores, which separable sets would make infinite."""


def logistic_weights(inside: Tensor, outside: Tensor) -> Tensor:
    """The weights [m] of m scores in the linear rule that best tells OOD from ID.

    Scores are standardised for the fit, the weights are for scores as they are. Both sets count
    alike, however large.

    Args:
        inside: scores of ID validation, [n, m].
        outside: scores of OOD validation, [k, m].
    """
    x = torch.cat([inside, outside]).double()
    scale = x.std(dim=0).clamp_min(torch.finfo(torch.float64).tiny)
    x = (x - x.mean(dim=0)) / scale
    y = torch.cat([torch.zeros(len(inside)), torch.ones(len(outside))]).to(x)
    share = torch.where(y == 1, 0.5 / len(outside), 0.5 / len(inside))
    theta = torch.zeros(x.shape[1] + 1, dtype=x.dtype, device=x.device, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [theta], max_iter=200, tolerance_grad=1e-10, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        logits = x @ theta[1:] + theta[0]
        fit = functional.binary_cross_entropy_with_logits(logits, y, share, reduction="sum")
        loss = fit + L2 / 2 * theta[1:].square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        optimiser.step(closure)  # type: ignore[no-untyped-call]
    return theta.detach()[1:] / scale
