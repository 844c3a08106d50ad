"""The eyes of the two networks: from observations to one vector per observation."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from rlbench.suites.skillhack.glyphs import N_GROUPS, N_KINDS, glyph_table

if TYPE_CHECKING:
    from rlbench.suites.skillhack.interface import Observation

Array = np.ndarray[Any, Any]
Seen = tuple[Tensor, ...]
"""What eyes need of observations; kept in rollouts, so of the smallest types."""

HEIGHT, WIDTH = 21, 79
"""Of the map."""
N_GLYPHS = 5977
"""MAX_GLYPH of NLE 1.3.0, and one for what lies beyond the map."""
BEYOND = N_GLYPHS - 1
CROP = 9
"""Rows and columns around the hero."""
MESSAGE = 64
"""Bytes of the message that the small network reads."""
BLSTATS = 27
_HP = 10
"""Place of the hit points in the bottom line."""


def crop_index(x: Array, y: Array) -> Array:
    """Where the 9x9 cells around (x, y) lie in a map with a border of 4 cells, flattened.

    Args:
        x: int [n], column of the hero.
        y: int [n], row.

    Returns:
        int64 [n, 81].
    """
    along = np.arange(CROP)
    cells = (along[:, None] * (WIDTH + CROP - 1) + along).ravel()
    where: Array = (y * (WIDTH + CROP - 1) + x)[:, None] + cells
    return where


class SmallEyes(nn.Module):
    """Crop, message and prompts; 29,376 parameters are trained.

    Every glyph and every byte has a code of normal numbers, which is drawn with the weights and
    stays as it is drawn. To train them, gradients would have to go back through the first layers
    and to all cells of all samples.
    """

    width = 4 * 4 * 16 + 48 + 16

    def __init__(self) -> None:
        """Weights are undefined before loading or drawing them."""
        super().__init__()
        self.glyph = nn.Embedding(N_GLYPHS, 16).requires_grad_(False)
        self.near = nn.Conv2d(16, 16, 3)
        self.wide = nn.Conv2d(16, 16, 3, stride=2, padding=1)
        self.byte = nn.Embedding(128, 8).requires_grad_(False)
        self.message = nn.Linear(MESSAGE * 8, 48)
        self.numbers = nn.Linear(6, 16)

    def see(self, observation: Observation) -> Seen:
        """Crop int16 [n, 81], message uint8 [n, 64] (7 bits) and numbers float32 [n, 6]."""
        glyphs, stats = observation.glyphs, observation.blstats
        n, edge = len(glyphs), CROP // 2
        framed = np.full((n, HEIGHT + 2 * edge, WIDTH + 2 * edge), BEYOND, np.int16)
        framed[:, edge:-edge, edge:-edge] = glyphs
        x, y = stats[:, 0], stats[:, 1]
        crop = np.take_along_axis(framed.reshape(n, -1), crop_index(x, y), 1)
        message = observation.message[:, :MESSAGE] & 127
        scale = np.stack([x / WIDTH, y / HEIGHT, stats[:, _HP] / 20], 1)
        numbers = np.concatenate([observation.prompt, scale], 1).astype(np.float32)
        return torch.from_numpy(crop), torch.from_numpy(message), torch.from_numpy(numbers)

    def forward(self, seen: Seen) -> Tensor:
        """Seen [m, ...] to float [m, 320]."""
        crop, message, numbers = seen
        picture = self.glyph(crop.to(torch.int32)).view(-1, CROP, CROP, 16).permute(0, 3, 1, 2)
        picture = self.wide(self.near(picture).relu_()).relu_()
        picture = picture.permute(0, 2, 3, 1).flatten(1)
        text = torch.relu(self.message(self.byte(message.to(torch.int32)).flatten(1)))
        return torch.cat([picture, text, torch.relu(self.numbers(numbers))], 1)


class PaperEyes(nn.Module):
    """Those of SkillHack's BaseNet: embedding `all_cat`, two stacks of convolutions."""

    width = 64 + 8 * (CROP * CROP + HEIGHT * WIDTH)
    _cells: Tensor

    def __init__(self) -> None:
        """Weights are undefined before loading or drawing them."""
        super().__init__()
        self.embed = GlyphEmbedding()
        self.whole, self.crop = _convolutions(), _convolutions()
        self.stats = nn.Sequential(nn.Linear(BLSTATS, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        cells = torch.from_numpy(crop_index(np.zeros(1, int), np.zeros(1, int)))[0]
        self.register_buffer("_cells", cells, persistent=False)

    def see(self, observation: Observation) -> Seen:
        """Glyphs int16, characters, colours, specials uint8 [n, 21, 79], stats float32 [n, 27]."""
        grids = (observation.glyphs, observation.chars, observation.colors, observation.specials)
        stats = torch.from_numpy(observation.blstats.astype(np.float32))
        return *(torch.from_numpy(grid.copy()) for grid in grids), stats

    def forward(self, seen: Seen) -> Tensor:
        """Seen [m, ...] to float [m, 13984]."""
        *grids, stats = seen
        place = stats[:, :2].to(torch.int64)
        where = (place[:, 1] * (WIDTH + CROP - 1) + place[:, 0])[:, None] + self._cells
        crops = [self._around(grid, where) for grid in grids]
        parts = [self.stats(stats)]
        for stack, cut in ((self.crop, crops), (self.whole, grids)):
            parts.append(stack(self.embed(cut).permute(0, 3, 1, 2)).flatten(1))
        return torch.cat(parts, 1)

    def _around(self, grid: Tensor, where: Tensor) -> Tensor:
        """The 9x9 cells around the hero, zero beyond the map: [m, 21, 79] to [m, 9, 9]."""
        edge = CROP // 2
        framed = nn.functional.pad(grid, (edge, edge, edge, edge))
        return framed.flatten(1).gather(1, where).view(-1, CROP, CROP)


class GlyphEmbedding(nn.Module):
    """64 numbers per cell: 8 of the glyph's group, 24 kind, 8 colour, 16 character, 8 special."""

    _table: Tensor

    def __init__(self) -> None:
        """Weights are undefined before loading or drawing them."""
        super().__init__()
        self.group, self.kind = nn.Embedding(N_GROUPS, 8), nn.Embedding(N_KINDS, 24)
        self.colour, self.char = nn.Embedding(16, 8), nn.Embedding(256, 16)
        self.special = nn.Embedding(256, 8)
        self.register_buffer("_table", torch.from_numpy(glyph_table()), persistent=False)

    def forward(self, grids: list[Tensor]) -> Tensor:
        """Glyphs, characters, colours and specials [m, h, w] to float [m, h, w, 64]."""
        glyphs, chars, colours, specials = (grid.to(torch.int64) for grid in grids)
        kind, group = self._table[glyphs].unbind(-1)
        parts = [self.group(group), self.kind(kind), self.colour(colours)]
        return torch.cat([*parts, self.char(chars), self.special(specials)], -1)


def _convolutions() -> nn.Sequential:
    """Five layers of 3x3, padded, ELU after each: 64 channels to 8; 17,352 parameters."""
    channels = (64, 16, 16, 16, 16, 8)
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(channels):
        layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.ELU()]
    return nn.Sequential(*layers)
