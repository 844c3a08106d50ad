"""Pictures on disk: decoded within limits, from folders and from lists that stay in their root."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from rlbench.core.errors import CorruptError
from rlbench.suites.ood.images import (
    CIFAR_LIKE,
    IMAGENET_LIKE,
    SQUASHED,
    Fit,
    decode_image,
    read_blob,
)
from rlbench.suites.ood.trees import read_folder, read_lists

ANYWHERE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (32, 32, 3), dtype=np.uint8)


def encoded(picture: Image.Image, form: str = "PNG") -> bytes:
    stream = BytesIO()
    picture.save(stream, form)
    return stream.getvalue()


def put(path: Path, colour: tuple[int, int, int] = (200, 10, 30), side: int = 32) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), colour).save(path)
    return path


# -- one picture ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["PNG", "BMP", "PPM"])
def test_a_picture_of_the_right_size_keeps_every_pixel(form: str) -> None:
    found = decode_image(encoded(Image.fromarray(PIXELS), form), "x", CIFAR_LIKE)
    assert np.array_equal(found, PIXELS)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_other_numbers_of_channels_become_three(mode: str) -> None:
    grey = Image.fromarray(PIXELS).convert("L")
    form = "JPEG" if mode == "CMYK" else "PNG"
    found = decode_image(encoded(grey.convert(mode), form), "x", CIFAR_LIKE)
    assert found.shape == (32, 32, 3)
    assert found.dtype == np.uint8
    if mode in ("L", "LA"):
        assert np.array_equal(found[..., 1], np.asarray(grey))


@pytest.mark.parametrize(
    ("fit", "size", "left"), [(CIFAR_LIKE, (64, 32), 16), (SQUASHED, (64, 32), 0)]
)
def test_a_wide_picture_is_cut_at_its_centre_or_squashed(
    fit: Fit, size: tuple[int, int], left: int
) -> None:
    ramp = np.repeat(np.arange(64, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(32, axis=0)
    found = decode_image(encoded(Image.fromarray(ramp)), "x", fit)[0, :, 0].astype(int)
    step = 1 if left else 2
    assert abs(found[5] - (left + 5 * step)) <= 1
    assert abs(found[-6] - (63 - left - 5 * step)) <= 1


def test_large_pictures_lose_their_margin_as_openood_cuts_them() -> None:
    framed = np.zeros((512, 512, 3), dtype=np.uint8)
    framed[32:-32, 32:-32] = 255  # what is left of 512 when 224 of 256 are kept
    found = decode_image(encoded(Image.fromarray(framed)), "x", IMAGENET_LIKE)
    assert found.shape == (224, 224, 3)
    assert found[2:-2, 2:-2].min() == 255


@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([CIFAR_LIKE, SQUASHED, Fit(8, 20)]))
def test_any_size_is_brought_to_the_asked_one(width: int, height: int, fit: Fit) -> None:
    found = decode_image(encoded(Image.new("RGB", (width, height))), "x", fit)
    assert found.shape == (fit.size, fit.size, 3)


def png_that_claims(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    body = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + body + struct.pack(">I", 0) + b"IDAT" + b"\0" * 4


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "an empty file, expected a picture"),
        (b"hello", "not a picture in any of JPEG, PNG"),
        (encoded(Image.fromarray(PIXELS))[:500], "a damaged picture"),
        (encoded(Image.fromarray(PIXELS), "JPEG")[:500], "a damaged picture"),
        (png_that_claims(60_000, 60_000), "claims more than 50000000 pixels"),
        (png_that_claims(10_000, 9_000), "claims .*pixels"),
        (png_that_claims(9_000, 9_000), "claims 9000x9000 pixels, expected at most"),
        (encoded(Image.fromarray(RNG.integers(0, 999, (8, 8)).astype(np.uint16))), "has mode I;16"),
        (encoded(Image.new("RGB", (8, 8)), "TIFF"), "not a picture in any of"),
    ],
)
def test_a_broken_or_hostile_picture_gives_one_line(data: bytes, words: str) -> None:
    with pytest.raises(CorruptError, match=rf"a/b\.png: {words}") as caught:
        decode_image(data, "a/b.png", CIFAR_LIKE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("offsets", "length"),
    [([0, 5, 3, 9], 9), ([0, 9], 8), ([1, 9], 9), ([[0, 9]], 9), ([0.0, 9.0], 9)],
)
def test_offsets_that_do_not_fit_their_bytes_are_refused(offsets: Any, length: int) -> None:
    blob = np.zeros(length, dtype=np.uint8)
    with pytest.raises(CorruptError, match=r"set\.npz: the offsets"):
        read_blob(blob, np.array(offsets), Path("set.npz"), CIFAR_LIKE)


# -- folders --------------------------------------------------------------------------------------


def test_sub_folders_are_classes_in_sorted_order_and_files_come_by_name(tmp_path: Path) -> None:
    for name, colour in (("b/2.png", (2, 0, 0)), ("b/10.png", (1, 0, 0)), ("a/z.jpg", (9, 9, 9))):
        put(tmp_path / name, colour)
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    put(tmp_path / ".thumbs" / "t.png")
    part = read_folder(tmp_path, 2, CIFAR_LIKE)
    assert part.y.tolist() == [0, 1, 1]
    assert part.take(np.array([1, 2]))[:, 0, 0, 0].tolist() == [1, 2]


def test_a_folder_without_classes_takes_pictures_wherever_they_lie(tmp_path: Path) -> None:
    put(tmp_path / "one.png")
    put(tmp_path / "deep" / "er" / "two.PNG")
    assert read_folder(tmp_path, 0, CIFAR_LIKE).y.tolist() == [-1, -1]


def test_only_the_pictures_asked_for_are_decoded(tmp_path: Path) -> None:
    put(tmp_path / "a" / "good.png")
    (tmp_path / "a" / "broken.png").write_bytes(b"")
    part = read_folder(tmp_path, 1, CIFAR_LIKE)
    assert part.take(np.array([1])).shape == (1, 32, 32, 3)
    with pytest.raises(CorruptError, match=r"broken\.png: an empty file"):
        part.take(np.array([0]))


def test_an_unfit_folder_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match=r"no picture in it, expected some of \.jpg"):
        read_folder(tmp_path, 2, CIFAR_LIKE)
    put(tmp_path / "a" / "1.png")
    with pytest.raises(CorruptError, match="expected 2 sub-folders with pictures, found 1"):
        read_folder(tmp_path, 2, CIFAR_LIKE)
    put(tmp_path / "loose.png")
    with pytest.raises(CorruptError, match=r"loose\.png: lies in no sub-folder"):
        read_folder(tmp_path, 1, CIFAR_LIKE)


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match="absent: cannot read: No such file"):
        read_folder(tmp_path / "absent", 0, CIFAR_LIKE)
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    part = read_folder(tmp_path, 0, CIFAR_LIKE)
    with pytest.raises(CorruptError, match=r"loop\.png: cannot read"):
        part.take(np.array([0]))


# -- lists ----------------------------------------------------------------------------------------


def listed(folder: Path, *lines: str) -> Path:
    path = folder / "list.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_lists_are_read_in_their_order_one_after_the_other(tmp_path: Path) -> None:
    for i in range(3):
        put(tmp_path / "images" / f"my picture {i}.png", (i, 0, 0))
    one = listed(tmp_path, "my picture 2.png 1", "my picture 0.png 0")
    part = read_lists([one, one], [tmp_path / "images"] * 2, 2, CIFAR_LIKE)
    assert part.y.tolist() == [1, 0, 1, 0]
    assert part.take(np.arange(4))[:, 0, 0, 0].tolist() == [2, 0, 2, 0]


def test_labels_of_an_out_of_distribution_list_say_nothing(tmp_path: Path) -> None:
    one = listed(tmp_path, "a.png -1", "b.png 4000")
    assert read_lists([one], [tmp_path], 0, CIFAR_LIKE).y.tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("../../etc/passwd 0", "expected a path inside its folder"),
        ("a/../../b.png 0", "expected a path inside its folder"),
        ("/etc/passwd 0", "expected a path inside its folder"),
        ("..\\b.png 0", "expected a path inside its folder"),
        ("a\0.png 0", "expected a path inside its folder"),
        ("a.png", "expected 'relative/path label'"),
        ("", "expected 'relative/path label'"),
        ("a.png 1e3", "expected 'relative/path label'"),
        ("a.png 2", "expected a label from 0 to 1, found 2"),
        ("a.png -1", "expected a label from 0 to 1, found -1"),
    ],
)
def test_a_bad_line_is_named_with_its_number(tmp_path: Path, line: str, words: str) -> None:
    bad = listed(tmp_path, "fine.png 0", line)
    with pytest.raises(CorruptError, match=rf"list\.txt:2: {words}") as caught:
        read_lists([bad], [tmp_path], 2, CIFAR_LIKE)
    assert "\n" not in str(caught.value)


def test_a_list_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match="names no picture"):
        read_lists([listed(tmp_path)], [tmp_path], 0, CIFAR_LIKE)
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CorruptError, match="not a text file"):
        read_lists([tmp_path / "list.txt"], [tmp_path], 0, CIFAR_LIKE)
    with pytest.raises(CorruptError, match="cannot read"):
        read_lists([tmp_path / "absent.txt"], [tmp_path], 0, CIFAR_LIKE)


def test_a_listed_picture_that_is_absent_is_named(tmp_path: Path) -> None:
    part = read_lists([listed(tmp_path, "gone.png 0")], [tmp_path], 1, CIFAR_LIKE)
    with pytest.raises(CorruptError, match=r"gone\.png: cannot read: No such file"):
        part.take(np.array([0]))
