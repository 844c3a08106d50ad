"""The teacher of PAIRED: a recurrent policy that designs levels tile by tile, and how it learns.

The network of Dennis et al. 2020 (arXiv:2012.02096) and minimax: 3x3 convolution with 128 filters
over the whole map, an embedding of the time, 50 numbers of noise, LSTM of 256 units, heads of 32.
With 13x13 levels the LSTM has 21,692 inputs, and nearly all work is the product with its 22
million input weights. Two maps that follow one another differ in one tile, and `incremental` makes
the product from what changes: exactly but for rounding, forwards and backwards, in about a
thirtieth of the work.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from rlbench.learn.ppo import Loss, PpoSettings, Sample, gae, normalise, ppo_loss
from rlbench.suites.ued.editor import Editor
from rlbench.suites.ued.incremental import Canvases, Views, multiplied, sparsely_multiplied, summed
from rlbench.suites.ued.levels import Levels
from rlbench.suites.ued.rollout import gumbel
from rlbench.suites.ued.student import HIDDEN, Heads, orthogonal

FILTERS = 128
TIME = 10
NEVER = -1e9
"""The logit of an action that is not allowed; minus infinity would make the entropy NaN."""


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


class Teacher(nn.Module):
    """The network."""

    def __init__(self, editor: Editor) -> None:
        """Weights are undefined before `initialise` or loading."""
        super().__init__()
        tiles = editor.n_actions
        self.canvases = Canvases(editor.height, editor.width)
        self.convolution = nn.Linear(27, FILTERS)
        self.time = nn.Embedding(editor.steps, TIME)
        self.map_weight = nn.Parameter(torch.empty(tiles, FILTERS, 4 * HIDDEN))
        self.rest_weight = nn.Parameter(torch.empty(TIME + editor.noise, 4 * HIDDEN))
        self.memory_weight = nn.Parameter(torch.empty(HIDDEN, 4 * HIDDEN))
        self.bias = nn.Parameter(torch.empty(4 * HIDDEN))
        self.heads = Heads(HIDDEN, tiles)

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

    def prepare(self, image: Tensor) -> Views:
        """What of a rollout's maps can be computed once for all epochs.

        Args:
            image: float32 [T, n, 3, height + 2, width + 2]; maps that follow one another may
                differ in one tile at most, and the first ones are equal.
        """
        return self.canvases.views(image)

    def products(self, views: Views) -> Tensor:
        """What each map contributes to the LSTM's gates: [T, n, 4 * HIDDEN]."""
        seen = torch.relu(self.convolution(views.patch))
        return summed(multiplied(seen, self.map_weight, views.counts), views)

    @torch.no_grad()
    def follow(self, product: Tensor, before: Tensor, image: Tensor) -> Tensor:
        """The product [n, gates] of the maps `image`, from that of the maps before them."""
        place, owner = self.canvases.touched(before, image)
        edits = torch.bincount(owner, minlength=len(image))
        place, order = place.sort()
        which, cells = owner[order, None], self.canvases.cells[place]
        came, went = (
            torch.relu(self.convolution(maps.flatten(2)[which, :, cells].flatten(1)))
            for maps in (image, before)
        )
        changes = sparsely_multiplied(came - went, self.map_weight, place)
        return product + nn.functional.embedding_bag(
            order.argsort(), changes, edits.cumsum(0) - edits, mode="sum"
        )

    def rest(self, time: Tensor, noise: Tensor) -> Tensor:
        """What time and noise contribute to the gates, and the bias: [..., 4 * HIDDEN]."""
        both = torch.cat([self.time(time), noise], -1)
        gates = torch.addmm(self.bias, both.flatten(0, -2), self.rest_weight)
        return gates.view(*both.shape[:-1], -1)

    def remember(self, gates: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """A step of the LSTM, from the gates without the hidden state's part."""
        i, f, g, o = torch.addmm(gates, hidden, self.memory_weight).chunk(4, 1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(cell), cell

    def unroll(self, design: Design, views: Views) -> tuple[Tensor, Tensor]:
        """Logits [T, n, tiles] and values [T, n] of a whole rollout, `prepare` being done."""
        steps, n = design.action.shape
        time = torch.arange(steps, device=design.action.device)[:, None].expand(steps, n)
        gates = self.products(views) + self.rest(time, design.noise)
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
            product = teacher.products(teacher.prepare(seen.image[None]))[0]
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
        views = self.teacher.prepare(rollout.image)
        for _ in range(self.settings.epochs):
            logits, value = self.teacher.unroll(rollout, views)
            loss = ppo_loss(logits, value, old, self.settings)
            self.optimiser.zero_grad(set_to_none=True)
            loss.total.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.teacher.parameters(), self.settings.max_grad_norm)
            self.optimiser.step()
        return Loss(*(part.detach() for part in loss))
