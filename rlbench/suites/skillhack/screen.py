"""NetHack's terminal as text with colours, and as a picture."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from rlbench.suites.skillhack.watch import Screen

Picture = npt.NDArray[np.uint8]

PALETTE = np.array(
    [
        (85, 85, 85), (205, 49, 49), (13, 160, 90), (190, 140, 40), (60, 110, 220), (188, 63, 188),
        (17, 168, 205), (200, 200, 200), (120, 120, 120), (241, 120, 60), (35, 209, 139),
        (245, 245, 67), (100, 150, 255), (230, 112, 230), (41, 220, 240), (255, 255, 255),
    ],
    np.uint8,
)  # fmt: skip
"""The sixteen colours of a terminal on black; black itself is drawn dark grey."""
CELL = (13, 7)
"""Height and width of a character in a picture."""


def ansi(screen: Screen) -> str:
    """24 lines with the escape sequences of colour terminals; the cursor's cell is reversed."""
    lines = []
    for row, (chars, colors) in enumerate(zip(screen.chars, screen.colors, strict=True)):
        line, last = "", -1
        for column, (char, color) in enumerate(zip(chars.tolist(), colors.tolist(), strict=True)):
            here = (row, column) == tuple(screen.cursor.tolist())
            if color != last:
                line += f"\033[{1 if color & 8 else 0};3{color & 7}m"
                last = color
            line += f"\033[7m{chr(char)}\033[27m" if here else chr(char)
        lines.append(line + "\033[0m")
    return "\n".join(lines)


def picture(screen: Screen) -> Picture:
    """The terminal drawn with a bitmap font, uint8 [312, 560, 3]."""
    masks = _font()[screen.chars]  # [24, 80, height, width]
    inks = PALETTE[screen.colors.astype(np.int64) & 15]
    cells = masks[..., None] * (inks[:, :, None, None].astype(np.uint16))
    row, column = screen.cursor.tolist()
    cells[row, column] = 255 * 160 - cells[row, column] // 2
    drawn = (cells // 255).astype(np.uint8).transpose(0, 2, 1, 3, 4)
    height, width = screen.chars.shape
    return np.ascontiguousarray(drawn.reshape(height * CELL[0], width * CELL[1], 3))


@cache
def _font() -> npt.NDArray[np.uint16]:
    """How much ink each of 256 characters puts where, 0 to 255 [256, height, width]."""
    from PIL import Image, ImageDraw, ImageFont

    font: Any = ImageFont.load_default_imagefont()
    drawn = np.zeros((256, *CELL), np.uint16)
    for code in range(33, 127):
        image = Image.new("L", (CELL[1], CELL[0]))
        ImageDraw.Draw(image).text((0, 1), chr(code), fill=255, font=font)
        drawn[code] = np.asarray(image)
    return drawn
