"""Renders the glyph atlas `tasks/ood/glyph_atlas.npz` from the text faces inside matplotlib.

Run once by a maintainer: other releases of the fonts or of FreeType may give other pixels, and a
new atlas is a new task version. The tasks pin the checksum that this prints.

    python scripts/make_glyph_atlas.py tasks/ood/glyph_atlas.npz
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont

from rlbench.core.arrays import pack
from rlbench.core.files import file_digest, write_atomic
from rlbench.suites.ood.glyph import ALPHABETS, EM, SIDE

STYLES = {
    "DejaVuSans": ("", "-Bold", "-Oblique", "-BoldOblique"),
    "DejaVuSansMono": ("", "-Bold", "-Oblique", "-BoldOblique"),
    "DejaVuSerif": ("", "-Bold", "-Italic", "-BoldItalic"),
    "STIXGeneral": ("", "Bol", "Italic", "BolIta"),
}
FULL_FACES = [family + style for family, styles in STYLES.items() for style in styles]

# Knuth's faces hold other characters where Unicode has symbols and Greek: digits and letters only.
TEXT_FACES = ["cmr10", "cmb10", "cmss10", "cmti10", "cmtt10"]
TEXT_ALPHABETS = ("digits", "upper", "lower")


def render(font: ImageFont.FreeTypeFont, character: str) -> np.ndarray[Any, Any]:
    """One character's coverage mask, uint8 (SIDE, SIDE), its ink centred in the box.

    Raises:
        ValueError: the ink does not fit, or there is none.
    """
    canvas = Image.new("L", (3 * SIDE, 3 * SIDE), 0)
    ImageDraw.Draw(canvas).text((SIDE, SIDE), character, fill=255, font=font)
    ink = canvas.getbbox()  # the font's own box would reach down to the baseline
    if ink is None or max(ink[2] - ink[0], ink[3] - ink[1]) > SIDE - 2:
        raise ValueError(f"{character!r} has ink {ink}; expected some, within {SIDE - 2} pixels")
    left, top = (ink[i] - (SIDE - (ink[i + 2] - ink[i])) // 2 for i in (0, 1))
    return np.asarray(canvas.crop((left, top, left + SIDE, top + SIDE)))


def face_masks(path: Path, characters: str) -> Iterator[np.ndarray[Any, Any]]:
    """The masks of a face's characters.

    Raises:
        ValueError: the face lacks a character.
    """
    table = FT2Font(str(path)).get_charmap()
    font = ImageFont.truetype(str(path), EM, layout_engine=ImageFont.Layout.BASIC)
    for character in characters:
        if ord(character) not in table:
            raise ValueError(f"{path.name} has no {character!r}")
        yield render(font, character)


def atlas() -> dict[str, np.ndarray[Any, Any]]:
    """All faces' characters: `masks` (n, SIDE, SIDE), `characters` (n,) and `faces` (n,)."""
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    masks: list[np.ndarray[Any, Any]] = []
    characters: list[str] = []
    faces: list[str] = []
    for face in [*FULL_FACES, *TEXT_FACES]:
        names = TEXT_ALPHABETS if face in TEXT_FACES else tuple(ALPHABETS)
        wanted = "".join(ALPHABETS[name] for name in names)
        masks += face_masks(folder / f"{face}.ttf", wanted)
        characters += list(wanted)
        faces += [face] * len(wanted)
    return {
        "masks": np.stack(masks),
        "characters": np.array(characters),
        "faces": np.array(faces),
    }


def main() -> None:
    """Write the atlas and print its checksum."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("output", type=Path)
    output: Path = parser.parse_args().output
    arrays = atlas()
    write_atomic(output, pack(arrays))
    size = output.stat().st_size
    sys.stdout.write(f"{len(arrays['masks'])} masks, {size} bytes, {file_digest(output)}\n")


if __name__ == "__main__":
    main()
