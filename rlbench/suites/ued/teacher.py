"""The teacher of PAIRED: a recurrent policy that designs levels tile by tile, and how it learns.

The network of Dennis et al. 2020 (arXiv:2012.02096) and minimax: 3x3 convolution with 128 filters
over the whole map, an embedding of the time, 50 numbers of noise, LSTM of 256 units, heads of 32.
With 13x13 levels the LSTM has 21,692 inputs, and nearly all work is the product with its 22
million input weights. But two maps that follow one another differ in one tile, so that at most
nine of 169 positions of the convolution change. The product is linear: it is computed in full for
the first map only, and for those nine positions afterwards, summed up over time. That is exact but
for rounding, forwards and backwards, and a twentieth of the work.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from rlbench.learn.ppo import Loss, PpoSettings, Sample, gae, normalise, ppo_loss
from rlbench.suites.ued.editor import Editor
from rlbench.suites.ued.levels import Levels
from rlbench.suites.ued.rollout import gumbel
from rlbench.suites.ued.student import HIDDEN, Heads, orthogonal, patches

FILTERS = 128
TIME = 10
NEVER = -1e9
"""The logit of an action that is not allowed; minus infinity would make the entropy NaN."""
State = tuple[Tensor, Tensor, Tensor]
"""Hidden state, cell, and the product of the present map with the input weights."""


class Design(NamedTuple):
    """The teacher's rollout: T steps, n levels."""

    image: Tensor
    """float32 [T, n, 3, height + 2, width + 2], before the action."""
    noise: Tensor
    """float32 [T, n, k]."""
    mask: Tensor
    """bool [T, n, tiles], the allowed actions."""
    action: Tensor
    """int64 [T, n]."""
    log_prob: Tensor
    """float32 [T, n]."""
    value: Tensor
    """float32 [T, n]."""


class _Grouped(torch.autograd.Function):
    """Rows [k, a], the next `counts[g]` of them times weight g of [groups, a, b]: [k, b].

    Written by hand so that the gradient of the weights is made in one place, once.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, counts: list[int]) -> Tensor:
        ctx.save_for_backward(rows, weight)
        ctx.counts = counts
        out = rows.new_empty(rows.shape[0], weight.shape[2])
        groups = (torch.split(part, counts) for part in (rows, out))
        for group, part, w in zip(*groups, weight, strict=True):
            torch.mm(group, w, out=part)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        rows, weight = ctx.saved_tensors
        for_rows, for_weight = torch.empty_like(rows), torch.empty_like(weight)
        groups = (torch.split(part, ctx.counts) for part in (rows, gradients[0], for_rows))
        for group, gradient, for_group, w, for_w in zip(*groups, weight, for_weight, strict=True):
            torch.mm(gradient, w.t(), out=for_group)
            torch.mm(group.t(), gradient, out=for_w)
        return for_rows, for_weight, None


class Teacher(nn.Module):
    """The network."""

    _patch: Tensor

    def __init__(self, editor: Editor) -> None:
        """Weights are undefined before `initialise` or loading."""
        super().__init__()
        self._height, self._width = editor.height, editor.width
        tiles = editor.n_actions
        self.convolution = nn.Linear(27, FILTERS)
        self.time = nn.Embedding(editor.steps, TIME)
        self.map_weight = nn.Parameter(torch.empty(tiles, FILTERS, 4 * HIDDEN))
        self.rest_weight = nn.Parameter(torch.empty(TIME + editor.noise, 4 * HIDDEN))
        self.memory_weight = nn.Parameter(torch.empty(HIDDEN, 4 * HIDDEN))
        self.bias = nn.Parameter(torch.empty(4 * HIDDEN))
        self.heads = Heads(HIDDEN, tiles)
        index = patches(editor.height + 2, editor.width + 2)
        self.register_buffer("_patch", index.view(tiles, 9), persistent=False)

    @torch.no_grad()
    def initialise(self, rng: torch.Generator) -> None:
        """Orthogonal gate by gate, biases zero; `rng` must be the CPU's."""
        orthogonal(self.convolution, 2**0.5, rng)
        nn.init.normal_(self.time.weight, std=TIME**-0.5, generator=rng)
        n_map = self.map_weight.shape[0] * FILTERS
        for gate in range(4):
            part = slice(gate * HIDDEN, (gate + 1) * HIDDEN)
            weight = torch.empty(n_map + self.rest_weight.shape[0], HIDDEN)
            nn.init.orthogonal_(weight, generator=rng)
            self.map_weight[:, :, part] = weight[:n_map].view(-1, FILTERS, HIDDEN)
            self.rest_weight[:, part] = weight[n_map:]
            square = torch.empty(HIDDEN, HIDDEN)
            self.memory_weight[:, part] = nn.init.orthogonal_(square, generator=rng)
        nn.init.zeros_(self.bias)
        self.heads.initialise(rng)

    def products(self, image: Tensor) -> Tensor:
        """What each map contributes to the LSTM's gates: [T, n, ...] to [T, n, 4 * HIDDEN].

        Maps that follow one another may differ in one tile at most, and the first ones are equal.
        """
        steps, n = image.shape[:2]
        first = torch.relu(self.convolution(self._patches(image[0, :1])))[0]
        place, owner, change = self._differences(image[:-1].flatten(0, 1), image[1:].flatten(0, 1))
        # the first map counts as a change at every position, for one owner more
        everywhere = torch.arange(len(first), device=place.device)
        total = self._multiplied(
            torch.cat([everywhere, place]),
            torch.cat([torch.zeros_like(everywhere), owner + 1]),
            torch.cat([first, change]),
            1 + (steps - 1) * n,
        )
        whole, changes = total[0].expand(1, n, -1), total[1:].view(steps - 1, n, total.shape[1])
        return torch.cat([whole, changes]).cumsum(0)

    def follow(self, product: Tensor, before: Tensor, image: Tensor) -> Tensor:
        """The product [n, gates] of the maps `image`, from that of the maps before them."""
        return product + self._multiplied(*self._differences(before, image), len(image))

    def _differences(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Where maps with at most one changed tile, [m, ...], differ after the convolution.

        Returns:
            Per such place: its position int64 [k], its map int64 [k], the difference [k, FILTERS].
        """
        place, inside = self._touched(before, after)
        cells = self._patch[place].flatten(1)

        def seen(image: Tensor) -> Tensor:
            picked = image.flatten(2).gather(2, cells[:, None].expand(-1, 3, -1))
            parts = picked.view(len(image), 3, 9, 9).permute(0, 2, 3, 1)[inside].flatten(1)
            return torch.relu(self.convolution(parts))

        return place[inside], inside.nonzero()[:, 0], seen(after) - seen(before)

    def _multiplied(self, place: Tensor, owner: Tensor, rows: Tensor, owners: int) -> Tensor:
        """Rows times the weights of their positions, summed by owner: [owners, gates]."""
        place, order = place.sort(stable=True)
        counts = torch.bincount(place, minlength=len(self.map_weight)).tolist()
        products: Tensor = _Grouped.apply(rows[order], self.map_weight, counts)  # type: ignore[no-untyped-call]
        total = products.new_zeros(owners, products.shape[1])
        return total.index_add(0, owner[order], products)

    def _touched(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        """Positions of the convolution that see the changed tile, and which of them exist.

        Returns:
            int64 [m, 9] and bool [m, 9], all False where nothing changed.
        """
        changed = (before != after).any(1)[:, 1:-1, 1:-1].flatten(1)
        tile = changed.to(torch.uint8).argmax(1)
        side = torch.arange(-1, 2, device=tile.device)
        y = (tile // self._width)[:, None] + side.repeat_interleave(3)
        x = (tile % self._width)[:, None] + side.repeat(3)
        inside = (y >= 0) & (y < self._height) & (x >= 0) & (x < self._width)
        inside &= changed.any(1)[:, None]
        return torch.where(inside, y * self._width + x, 0), inside

    def _patches(self, image: Tensor) -> Tensor:
        cells = image.flatten(2)[:, :, self._patch]
        return cells.permute(0, 2, 3, 1).flatten(2)

    def rest(self, time: Tensor, noise: Tensor) -> Tensor:
        """What time and noise contribute to the gates, and the bias: [..., 4 * HIDDEN]."""
        both = torch.cat([self.time(time), noise], -1)
        return both @ self.rest_weight + self.bias

    def remember(self, gates: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """A step of the LSTM, from the gates without the hidden state's part."""
        i, f, g, o = torch.addmm(gates, hidden, self.memory_weight).chunk(4, 1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(cell), cell

    def unroll(self, design: Design) -> tuple[Tensor, Tensor]:
        """Logits [T, n, tiles] and values [T, n] of a whole rollout."""
        steps, n = design.action.shape
        time = torch.arange(steps, device=design.action.device)[:, None].expand(steps, n)
        gates = self.products(design.image) + self.rest(time, design.noise)
        hidden = cell = gates.new_zeros(n, HIDDEN)
        outputs = []
        # not gates[t], whose gradient would be as large as all of gates, once per step
        for now in gates.unbind(0):
            hidden, cell = self.remember(now, hidden, cell)
            outputs.append(hidden)
        logits, value = self.heads(torch.stack(outputs))
        return logits.masked_fill(~design.mask, NEVER), value


@torch.no_grad()
def design(teacher: Teacher, editor: Editor, n: int, rng: torch.Generator) -> tuple[Levels, Design]:
    """Let the teacher make `n` levels; actions are sampled."""
    canvas = editor.start(n, rng)
    hidden = cell = torch.zeros(n, HIDDEN, device=rng.device)
    before = product = None
    kept: list[tuple[Tensor, ...]] = []
    for _ in range(editor.steps):
        seen = editor.observe(canvas, rng)
        if before is None or product is None:
            product = teacher.products(seen.image[None])[0]
        else:
            product = teacher.follow(product, before, seen.image)
        before = seen.image
        gates = product + teacher.rest(seen.time, seen.noise)
        hidden, cell = teacher.remember(gates, hidden, cell)
        logits, value = teacher.heads(hidden)
        logits = logits.masked_fill(~seen.mask, NEVER)
        action = (logits + gumbel(tuple(logits.shape), rng)).argmax(1)
        log_prob = torch.log_softmax(logits, 1).gather(1, action[:, None])[:, 0]
        kept.append((seen.image, seen.noise, seen.mask, action, log_prob, value))
        canvas = editor.step(canvas, action, rng)
    rollout = Design._make(torch.stack(part) for part in zip(*kept, strict=True))
    return editor.levels(canvas), rollout


class TeacherLearner:
    """Updates a teacher by PPO; the reward comes at the end of the design."""

    def __init__(self, teacher: Teacher, settings: PpoSettings) -> None:
        """`settings` are the teacher's own."""
        self.teacher, self.settings = teacher, settings
        self.optimiser = torch.optim.Adam(
            teacher.parameters(), lr=settings.lr, eps=1e-5, fused=True
        )

    def update(self, rollout: Design, regret: Tensor) -> Loss:
        """Learn from levels with the regret float [n] that they brought about."""
        reward = torch.zeros_like(rollout.value)
        reward[-1] = regret
        done = torch.zeros_like(reward, dtype=torch.bool)
        done[-1] = True
        advantage = gae(
            reward, done, rollout.value, torch.zeros_like(regret),
            gamma=self.settings.gamma, gae_lambda=self.settings.gae_lambda,
        )  # fmt: skip
        target = advantage + rollout.value
        weight = torch.full_like(advantage, 1 / advantage.numel())
        old = Sample(
            rollout.action, rollout.log_prob, rollout.value, normalise(advantage), target, weight
        )
        for _ in range(self.settings.epochs):
            logits, value = self.teacher.unroll(rollout)
            loss = ppo_loss(logits, value, old, self.settings)
            self.optimiser.zero_grad(set_to_none=True)
            loss.total.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.teacher.parameters(), self.settings.max_grad_norm)
            self.optimiser.step()
        return Loss(*(part.detach() for part in loss))
