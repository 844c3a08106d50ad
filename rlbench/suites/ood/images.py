"""Pictures in common file formats, decoded with limits and brought to one size."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rlbench.core.errors import CorruptError
from rlbench.suites.ood.examples import Array

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".webp")
FORMATS = ("JPEG", "PNG", "BMP", "PPM", "WEBP")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
"""What can be turned into 8-bit colour without loss of range."""
MAX_FILE_BYTES = 64 * 2**20
MAX_PIXELS = 50_000_000


@dataclass(frozen=True)
class Fit:
    """How a picture is brought to `size` x `size` pixels, by bilinear interpolation."""

    size: int
    shorter: int = 0
    """The shorter side is brought to this before the centre is cut out; 0 for `size`."""
    squash: bool = False
    """Both sides are brought to `size`, whatever the shape was, and nothing is cut."""


CIFAR_LIKE = Fit(32)
"""OpenOOD's rule for small pictures: shorter side to 32, centre 32."""
SQUASHED = Fit(32, squash=True)
"""POD's rule for CelebA, STL-10 and folders."""
IMAGENET_LIKE = Fit(224, shorter=256)
"""OpenOOD's rule for large pictures: shorter side to 256, centre 224."""


def read_images(paths: Sequence[Path], fit: Fit) -> Array:
    """Pictures as uint8 (n, size, size, 3); grey ones get three equal channels.

    Raises:
        CorruptError: one cannot be decoded.
    """
    stack = np.empty((len(paths), fit.size, fit.size, 3), dtype=np.uint8)
    for i, path in enumerate(paths):
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise CorruptError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
            stack[i] = decode_image(path.read_bytes(), str(path), fit)
        except OSError as error:
            raise CorruptError(f"{path}: cannot read: {error.strerror or error}") from error
    return stack


def read_blob(blob: Array, offsets: Array, at: Path, fit: Fit) -> Array:
    """Pictures that lie one behind the other in an array of bytes, as `read_images` gives them.

    Args:
        blob: uint8, the files' contents.
        offsets: int64 (n + 1,), where each begins and the last ends.
        at: the file that both came from, for error messages.
        fit: the size to bring them to.

    Raises:
        CorruptError: the offsets do not fit, or a picture cannot be decoded.
    """
    ordered = offsets.ndim == 1 and offsets.dtype.kind in "iu" and (np.diff(offsets) >= 0).all()
    if blob.dtype != np.uint8 or not ordered or offsets[0] != 0 or offsets[-1] != blob.size:
        raise CorruptError(f"{at}: the offsets of its pictures do not fit their bytes")
    stack = np.empty((len(offsets) - 1, fit.size, fit.size, 3), dtype=np.uint8)
    for i in range(len(stack)):
        stack[i] = decode_image(blob[offsets[i] : offsets[i + 1]].tobytes(), f"{at}[{i}]", fit)
    return stack


def decode_image(data: bytes, at: str, fit: Fit) -> Array:
    """One picture, uint8 (size, size, 3); `at` names it in errors.

    Raises:
        CorruptError: empty, cut short, of an unknown format or mode, or too large.
    """
    from PIL import Image, UnidentifiedImageError

    if not data:
        raise CorruptError(f"{at}: an empty file, expected a picture")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise CorruptError(
                        f"{at}: claims {picture.width}x{picture.height} pixels, expected at most"
                        f" {MAX_PIXELS}"
                    )
                if picture.mode not in MODES:
                    raise CorruptError(f"{at}: has mode {picture.mode}, expected 8-bit channels")
                return np.asarray(fitted(picture.convert("RGB"), fit))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise CorruptError(f"{at}: claims more than {MAX_PIXELS} pixels") from error
    except UnidentifiedImageError as error:
        raise CorruptError(f"{at}: not a picture in any of {', '.join(FORMATS)}") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:  # Pillow's words for damage
        raise CorruptError(f"{at}: a damaged picture: {error}") from error


def fitted(picture: Image, fit: Fit) -> Image:
    """A picture brought to size; one that has it already is left as it is."""
    from PIL.Image import Resampling

    if picture.size == (fit.size, fit.size):
        return picture
    if fit.squash:
        return picture.resize((fit.size, fit.size), Resampling.BILINEAR)
    scale = (fit.shorter or fit.size) / min(picture.size)
    width, height = (max(round(side * scale), fit.size) for side in picture.size)
    left, top = round((width - fit.size) / 2), round((height - fit.size) / 2)
    large = picture.resize((width, height), Resampling.BILINEAR)
    return large.crop((left, top, left + fit.size, top + fit.size))
