"""Products of a convolved map with large weights, made from what an edit changes.

Two maps that follow one another differ in one tile, so at most nine positions of the 3x3
convolution see another patch. The product is linear: each patch has its part in it, and a map's
product is that of the map before, plus the parts of the patches that came, less those that went.
Many patches are the same in several levels and at several steps: each is multiplied once.
"""

from __future__ import annotations

from itertools import accumulate
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from rlbench.suites.ued.student import patches

BITS = 4
"""Of a cell's code: its object's, for the agent plus its direction, which no other code reaches."""


class Views(NamedTuple):
    """The different patches of a rollout's maps, and the sums that they are parts of."""

    patch: Tensor
    """float32 [k, 27], ordered by position."""
    counts: list[int]
    """Patches at each position."""
    part: Tensor
    """int64 [j], the patch of each summand."""
    sign: Tensor
    """float32 [j], 1 for a patch that came, -1 for one that went."""
    begin: Tensor
    """int64 [1 + (T - 1) * n], the first summand of the first map, then of every edit."""
    levels: int
    """n."""


class Canvases(nn.Module):
    """Where the patches lie in maps of one size, and what edits do to them."""

    cells: Tensor
    """int64 [tiles, 9], the cells of each position's patch in the flat map."""

    def __init__(self, height: int, width: int) -> None:
        """The size without the frame."""
        super().__init__()
        self._height, self._width = height, width
        index = patches(height + 2, width + 2).view(height * width, 9)
        self.register_buffer("cells", index, persistent=False)

    def views(self, image: Tensor) -> Views:
        """The patches of maps float32 [T, n, 3, height + 2, width + 2].

        Maps that follow one another may differ in one tile at most, and the first ones are equal.
        """
        n, maps = image.shape[1], image.flatten(0, 1)
        place, owner = self.touched(maps[:-n], maps[n:])
        tiles = torch.arange(len(self.cells), device=image.device)
        source = torch.cat([torch.zeros_like(tiles), torch.stack([owner + n, owner], 1).flatten()])
        place = torch.cat([tiles, place.repeat_interleave(2)])
        sign = torch.ones(len(place), device=image.device)
        sign[len(tiles) + 1 :: 2] = -1
        edits = torch.bincount(owner, minlength=len(maps) - n)
        begin = len(tiles) + 2 * (edits.cumsum(0) - edits)

        key = self._keys(maps, source, place)
        different, part = torch.unique(key, return_inverse=True)
        summand = torch.arange(len(key), device=image.device)
        any_of = torch.empty_like(different).scatter_(0, part, summand)
        cells = self.cells[place[any_of]]
        patch = maps.flatten(2)[source[any_of, None], :, cells].flatten(1)
        counts = torch.bincount(place[any_of], minlength=len(tiles)).tolist()
        return Views(patch, counts, part, sign, torch.cat([tiles[:1], begin]), n)

    def _keys(self, maps: Tensor, source: Tensor, place: Tensor) -> Tensor:
        """One number per patch, in the order of positions and equal for equal ones: int64 [j]."""
        codes = (10 * (maps[:, 0] + maps[:, 2])).round().to(torch.int64).flatten(1)
        shift = BITS * torch.arange(9, device=maps.device)
        seen = codes[source[:, None], self.cells[place]] << shift
        return (place << 9 * BITS) + seen.sum(1)

    def touched(self, before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
        """Positions that see the changed tile of maps [m, ...] with at most one.

        Returns:
            int64 [k] and int64 [k]: the position and its map, in the order of maps.
        """
        changed = (before != after).any(1)[:, 1:-1, 1:-1].flatten(1)
        tile = changed.to(torch.uint8).argmax(1)
        side = torch.arange(-1, 2, device=tile.device)
        y = (tile // self._width)[:, None] + side.repeat_interleave(3)
        x = (tile % self._width)[:, None] + side.repeat(3)
        inside = (y >= 0) & (y < self._height) & (x >= 0) & (x < self._width)
        inside &= changed.any(1)[:, None]
        return (y * self._width + x)[inside], inside.nonzero()[:, 0]


def summed(products: Tensor, views: Views) -> Tensor:
    """The maps' products [T, n, gates] from those of the views' patches [k, gates]."""
    total = nn.functional.embedding_bag(
        views.part, products, views.begin, mode="sum", per_sample_weights=views.sign
    )
    edits = len(total) - 1
    first, changes = torch.split(total, [1, edits])
    changes = changes.view(edits // views.levels, views.levels, total.shape[1])
    whole = first.expand(views.levels, -1)
    return torch.stack(list(accumulate(changes.unbind(0), initial=whole)))


def multiplied(rows: Tensor, weight: Tensor, counts: list[int]) -> Tensor:
    """Rows [k, a], the next `counts[g]` of them times weight g of [groups, a, b]: [k, b]."""
    products: Tensor = _Grouped.apply(rows, weight, counts)  # type: ignore[no-untyped-call]
    return products


@torch.no_grad()
def sparsely_multiplied(rows: Tensor, weight: Tensor, group: Tensor) -> Tensor:
    """Row i of [k, a] times weight `group[i]` of [groups, a, b]: [k, b].

    For few rows per group, where reading the weights takes longest: what zeros of the rows would
    be multiplied with is not read. Rows of one group should follow one another.
    """
    used = rows != 0
    number = used.sum(1)
    chosen = used.flatten().nonzero()[:, 0]
    lanes = group[:, None] * weight.shape[1] + torch.arange(weight.shape[1], device=rows.device)
    return nn.functional.embedding_bag(
        lanes.flatten().index_select(0, chosen),
        weight.flatten(0, 1),
        number.cumsum(0) - number,
        mode="sum",
        per_sample_weights=rows.flatten().index_select(0, chosen),
    )


class _Grouped(torch.autograd.Function):
    """Written by hand so that the gradient of the weights is made in one place, once."""

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
