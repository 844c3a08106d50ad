"""S5, a stack of diagonal linear recurrences (Smith et al. 2023, arXiv:2208.04933).

State x, input u, output y of a layer: `x_t = A x_(t-1) + B u_t`, `y_t = 2 Re(C x_t) + D u_t`, with
complex A on the diagonal, of which one of each conjugate pair is kept. A and B come from a
continuous system by zero-order hold. Started as HiPPO's normal part (section 4.4 and appendix B).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rlbench.learn.recurrent import Packing, State

MIN_STEP, MAX_STEP = 1e-3, 1e-1


class S5Layer(nn.Module):
    """Layer norm, recurrence, gated GELU, and the input added to it."""

    def __init__(self, width: int, states: int, blocks: int) -> None:
        """`states` counts both of each conjugate pair; `blocks` copies of HiPPO share them."""
        super().__init__()
        kept = states // 2
        self._blocks, self._states = blocks, states
        self.norm = nn.LayerNorm(width)
        self.eigenvalue = nn.Parameter(torch.empty(kept, 2))
        self.b = nn.Parameter(torch.empty(kept, width, 2))
        self.c = nn.Parameter(torch.empty(width, kept, 2))
        self.d = nn.Parameter(torch.empty(width))
        self.log_step = nn.Parameter(torch.empty(kept))
        self.gate = nn.Linear(width, width)

    @torch.no_grad()
    def initialise(self, rng: torch.Generator) -> None:
        """HiPPO eigenvalues, random input and output in its eigenbasis."""
        size = self._states // self._blocks
        values, vectors = hippo(size)
        values, vectors = values[: size // 2], vectors[:, : size // 2]
        basis = torch.block_diag(*[vectors] * self._blocks)  # type: ignore[no-untyped-call]
        self.eigenvalue.copy_(torch.view_as_real(values.repeat(self._blocks)))
        width = self.d.shape[0]
        b = torch.randn(self._states, width, generator=rng, dtype=torch.float64) / width**0.5
        self.b.copy_(torch.view_as_real(basis.mH @ b.to(basis.dtype)))
        pair = torch.randn(width, self._states, 2, generator=rng, dtype=torch.float64)
        c = torch.view_as_complex(pair) / (2 * self._states) ** 0.5
        self.c.copy_(torch.view_as_real(c @ basis))
        nn.init.normal_(self.d, generator=rng)
        nn.init.uniform_(self.log_step, math.log(MIN_STEP), math.log(MAX_STEP), generator=rng)
        nn.init.normal_(self.gate.weight, std=width**-0.5, generator=rng)
        nn.init.zeros_(self.gate.bias)

    def discrete(self) -> tuple[Tensor, Tensor]:
        """Log A, complex [k], and B, complex [k, width]."""
        value = torch.view_as_complex(self.eigenvalue)
        log_a = value * self.log_step.exp()
        scale = torch.expm1(log_a) / value
        return log_a, scale[:, None] * torch.view_as_complex(self.b)

    def output(self, x: Tensor, u: Tensor, skip: Tensor) -> Tensor:
        """From states [..., k] and normed inputs [..., width] to the layer's output."""
        y = 2 * (x @ torch.view_as_complex(self.c).t()).real + self.d * u
        y = nn.functional.gelu(y)
        return skip + y * torch.sigmoid(self.gate(y))

    def step(self, skip: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """One step: float [n, width] and states complex [n, k] to output and states."""
        u = self.norm(skip)
        log_a, b = self.discrete()
        x = log_a.exp() * x + u.to(b.dtype) @ b.t()
        return self.output(x, u, skip), x

    def forward(self, skip: Tensor, packing: Packing) -> Tensor:
        """All segments, each from the zero state: float [m, width] to [m, width]."""
        u = self.norm(skip)
        log_a, b = self.discrete()
        drive = u.to(b.dtype) @ b.t()
        x = torch.cat([scan(part, log_a).flatten(0, 1) for part in packing.split(drive)])
        return self.output(x, u, skip)


def scan(drive: Tensor, log_a: Tensor) -> Tensor:
    """`x_t = exp(log_a) x_(t-1) + drive_t` from x = 0, in log2(T) passes: complex [T, ..., k].

    After the pass with shift s, x_t holds the last 2 s terms of its sum.
    """
    x, shift = drive, 1
    while shift < x.shape[0]:
        x = torch.cat([x[:shift], x[shift:] + (log_a * shift).exp() * x[:-shift]])
        shift *= 2
    return x


class S5(nn.Module):
    """A dense layer and two S5 layers, with the interface of `recurrent.Memory`."""

    def __init__(self, n_in: int, n_out: int, *, layers: int = 2, blocks: int = 2) -> None:
        """As many states as outputs."""
        super().__init__()
        self.encode = nn.Linear(n_in, n_out)
        self.layers = nn.ModuleList(S5Layer(n_out, n_out, blocks) for _ in range(layers))
        self._states = n_out // 2

    def initialise(self, rng: torch.Generator) -> None:
        """Draw the weights anew; `rng` must be the CPU's."""
        nn.init.orthogonal_(self.encode.weight, generator=rng)
        nn.init.zeros_(self.encode.bias)
        for layer in self._stack():
            layer.initialise(rng)

    def start(self, n: int, device: torch.device) -> State:
        """The states before an episode's first step."""
        shape = (n, self._states)
        return tuple(torch.zeros(shape, dtype=torch.complex64, device=device) for _ in self.layers)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: float [n, n_in] and the states to float [n, n_out] and the states after."""
        x, after = self.encode(x), []
        for layer, before in zip(self._stack(), state, strict=True):
            x, new = layer.step(x, before)
            after.append(new)
        return x, tuple(after)

    def forward(self, x: Tensor, packing: Packing) -> Tensor:
        """All segments of a rollout, each from the zero state: float [m, n_in] to [m, n_out]."""
        x = self.encode(x)
        for layer in self._stack():
            x = layer(x, packing)
        return x

    def _stack(self) -> list[S5Layer]:
        return [layer for layer in self.layers if isinstance(layer, S5Layer)]


def hippo(size: int) -> tuple[Tensor, Tensor]:
    """Eigenvalues and eigenvectors of HiPPO-LegS's normal part.

    Returns:
        complex128 [size], by ascending imaginary part, and complex128 [size, size], in columns.
    """
    n = torch.arange(size, dtype=torch.float64)
    root = (2 * n + 1).sqrt()
    lower = torch.tril(root[:, None] * root) - torch.diag(n)
    rank_one = (n + 0.5).sqrt()
    normal = -lower + rank_one[:, None] * rank_one
    real = normal.diagonal().mean()
    skew = normal - torch.diag(normal.diagonal())
    imaginary, vectors = torch.linalg.eigh(skew.to(torch.complex128) * -1j)
    return torch.complex(real.expand(size), imaginary), vectors
