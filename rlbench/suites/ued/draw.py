"""Levels and episodes as pictures: RGB arrays with numpy, PNG and GIF files with Pillow."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from rlbench.suites.ued.levels import Levels

Picture = npt.NDArray[np.uint8]
"""uint8 [height, width, 3]."""

_FLOOR, _LINE, _WALL = (245, 245, 242), (222, 222, 218), (70, 74, 82)
_GOAL, _AGENT = (46, 160, 67), (214, 69, 48)


def draw(levels: Levels, *, tile: int = 12) -> list[Picture]:
    """Each level with the wall around it, the goal green, the agent a red arrow head.

    Args:
        levels: what to draw.
        tile: side of a cell in pixels, at least 4.

    Returns:
        One picture of (height + 2) x (width + 2) tiles per level.

    Raises:
        ValueError: `tile` is too small to tell directions apart.
    """
    if tile < 4:
        raise ValueError(f"tile: expected at least 4 pixels, found {tile}")
    ends = zip(
        levels.walls.cpu().numpy(),
        levels.agent.tolist(),
        levels.direction.tolist(),
        levels.goal.tolist(),
        strict=True,
    )
    return [draw_level(walls, agent, look, goal, tile) for walls, agent, look, goal in ends]


def sheet(pictures: Sequence[Picture], *, columns: int, gap: int = 6) -> Picture:
    """Pictures of one size side by side on white, row by row.

    Raises:
        ValueError: there are none, or their sizes differ.
    """
    sizes = {picture.shape for picture in pictures}
    if len(sizes) != 1:
        raise ValueError(f"pictures: expected some of one size, found {len(sizes)} sizes")
    height, width, _ = sizes.pop()
    rows = -(-len(pictures) // columns)
    shape = (rows * (height + gap) - gap, columns * (width + gap) - gap, 3)
    page = np.full(shape, 255, dtype=np.uint8)
    for i, picture in enumerate(pictures):
        y, x = i // columns * (height + gap), i % columns * (width + gap)
        page[y : y + height, x : x + width] = picture
    return page


def captioned(picture: Picture, text: str) -> Picture:
    """The picture under a line of text, on white where the text is the wider of the two."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default()
    width = max(picture.shape[1], int(font.getlength(text)) + 3)
    band = Image.new("RGB", (width, 16), "white")
    ImageDraw.Draw(band).text((1, 1), text, fill=_WALL, font=font)
    return stack([np.asarray(band), picture], gap=0)


def stack(pictures: Sequence[Picture], *, gap: int = 6) -> Picture:
    """Pictures of any width below one another, on white.

    Raises:
        ValueError: there are none.
    """
    if not pictures:
        raise ValueError("pictures: expected at least one, found none")
    width = max(picture.shape[1] for picture in pictures)
    rows = [
        np.pad(row, ((0, gap), (0, width - row.shape[1]), (0, 0)), constant_values=255)
        for row in pictures
    ]
    return np.concatenate(rows)[: -gap or None]


def png_bytes(picture: Picture) -> bytes:
    """The bytes of a PNG file."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def write_png(path: Path, picture: Picture) -> None:
    """Save a picture; the folder must exist."""
    path.write_bytes(png_bytes(picture))


def write_gif(path: Path, frames: Sequence[Picture], *, milliseconds: int = 80) -> None:
    """Save an endless animation that rests on its last frame for a second.

    Raises:
        ValueError: there is no frame.
    """
    from PIL import Image

    if not frames:
        raise ValueError("frames: expected at least one, found none")
    first, *others = [Image.fromarray(frame) for frame in frames]
    times = [milliseconds] * len(others) + [1000]
    first.save(path, format="GIF", save_all=True, append_images=others, duration=times, loop=0)


def draw_level(
    walls: npt.NDArray[np.bool_], agent: int, look: int, goal: int, tile: int
) -> Picture:
    """One level as RGB pixels; the agent is at a flat cell and looks one of four ways."""
    framed = np.pad(walls, 1, constant_values=True)
    page = np.kron(framed[:, :, None], np.ones((tile, tile, 1), bool))
    picture = np.where(page, np.array(_WALL), np.array(_FLOOR)).astype(np.uint8)
    for line in (picture[::tile], picture[:, ::tile]):
        line[(line == _FLOOR).all(2)] = _LINE
    width = walls.shape[1]
    for cell, colour, shape in ((goal, _GOAL, _square(tile)), (agent, _AGENT, _arrow(tile, look))):
        y, x = (cell // width + 1) * tile, (cell % width + 1) * tile
        picture[y : y + tile, x : x + tile][shape] = colour
    return picture


@cache
def _square(tile: int) -> npt.NDArray[np.bool_]:
    """A tile without the grid line."""
    shape = np.ones((tile, tile), dtype=bool)
    shape[0] = shape[:, 0] = False
    return shape


@cache
def _arrow(tile: int, look: int) -> npt.NDArray[np.bool_]:
    """A triangle in a tile that points to direction `look`."""
    centre = (np.arange(tile) + 0.5) / tile
    x, y = np.meshgrid(centre, centre)
    right = (x > 0.15) & (np.abs(y - 0.5) < 0.45 * (0.95 - x))
    return np.rot90(right, -look)
