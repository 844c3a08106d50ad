"""Published image sets: read in their own formats, checked before anything is allocated."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlbench.core.arrays import pack
from rlbench.core.bundled import bundled
from rlbench.core.data import DataSet, DataStore, read_data_specs
from rlbench.core.errors import CorruptError, MissingError
from rlbench.suites.ood.examples import Array, Examples, Fixed
from rlbench.suites.ood.params import SetRef, Split
from rlbench.suites.ood.pictures import handwritten_8x8, handwritten_28x28, photos
from rlbench.suites.ood.real import idx_pair, npz_pair, npz_whole, read_idx
from rlbench.suites.ood.sources import SOURCES, load

Reader = Callable[[DataSet | None], Examples]

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
LABELS = np.arange(20, dtype=np.uint8) % 10


def idx(array: Array) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def write(path: Path, raw: bytes) -> Path:
    path.write_bytes(gzip.compress(raw, mtime=0))
    return path


def small_copy(
    folder: Path, reader: str, images: Array = IMAGES, labels: Array = LABELS
) -> DataSet:
    """A tiny set in the true format of a reader."""
    paths = {"images": folder / "images", "labels": folder / "labels"}
    if reader == "idx_pair":
        write(paths["images"], idx(images))
        write(paths["labels"], idx(labels))
    elif reader == "npz_pair":
        paths["images"].write_bytes(pack({"arr_0": images}))
        paths["labels"].write_bytes(pack({"arr_0": labels}))
    else:
        del paths["labels"]
        paths["images"].write_bytes(pack({"images": images, "labels": labels}))
    return DataSet("tiny", paths, "0" * 64)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 6), min_size=1, max_size=3))
def test_an_idx_file_comes_back_as_it_was_written(tmp_path: Path, shape: list[int]) -> None:
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    found = read_idx(write(tmp_path / "x.gz", idx(array)), len(shape))
    assert np.array_equal(found, array)


GOOD = idx(IMAGES)


def test_an_idx_file_may_be_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(GOOD)
    assert np.array_equal(read_idx(path, 3), IMAGES)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "expected an IDX file starting 00000803"),
        (b"\x00\x00\x0d\x03" + GOOD[4:], "expected an IDX file starting 00000803"),
        (idx(LABELS), "expected an IDX file starting 00000803"),
        (GOOD[:10], "expected an IDX file"),
        (GOOD[:-1], "claims shape (20, 28, 28), 15680 bytes, but holds 15679"),
        (GOOD + b"\x00", "but holds more than 15680"),
        (GOOD[:4] + b"\xff" * 12, "claims shape (4294967295, 4294967295, 4294967295)"),
    ],
)
def test_a_damaged_idx_file_gives_one_line(tmp_path: Path, raw: bytes, words: str) -> None:
    with pytest.raises(CorruptError) as caught:
        read_idx(write(tmp_path / "images.gz", raw), 3)
    assert "images.gz" in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_gzip_file_cut_or_flipped_anywhere_is_never_read(tmp_path: Path, data: Any) -> None:
    whole = bytearray(gzip.compress(GOOD, mtime=0))
    at = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        whole = whole[:at]
    else:
        # Bytes 4 to 9 of a gzip header hold time stamp and origin, which say nothing of the data.
        at = at if not 4 <= at < 10 else 10
        whole[at] ^= 0xFF
    path = tmp_path / "images.gz"
    path.write_bytes(whole)
    with pytest.raises(CorruptError, match=r"images\.gz"):
        read_idx(path, 3)


each_reader = pytest.mark.parametrize("reader", [idx_pair, npz_pair, npz_whole])


@each_reader
def test_a_reader_reads_its_true_format(tmp_path: Path, reader: Reader) -> None:
    found = reader(small_copy(tmp_path, reader.__name__))
    assert np.array_equal(found.x, IMAGES)
    assert np.array_equal(found.y, LABELS)
    assert found.y.dtype == np.int64


@each_reader
@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (IMAGES, LABELS[:-1], r"20 images, but labels uint8 \(19,\)"),
        (IMAGES[:, :, :27].copy(), LABELS, r"expected uint8 images \(n, 28, 28\)"),
    ],
)
def test_a_reader_refuses_what_does_not_fit(
    tmp_path: Path, reader: Reader, images: Array, labels: Array, words: str
) -> None:
    with pytest.raises(CorruptError, match=words):
        reader(small_copy(tmp_path, reader.__name__, images, labels))


def test_an_npz_without_its_array_names_what_it_holds(tmp_path: Path) -> None:
    files = small_copy(tmp_path, "npz_pair")
    files.files["labels"].write_bytes(pack({"other": LABELS}))
    with pytest.raises(CorruptError, match="expected an array 'arr_0', found other"):
        npz_pair(files)


PUBLISHED: list[tuple[str, Split, int]] = [
    ("mnist", "train", 7000),
    ("mnist", "val", 1000),
    ("mnist", "test", 2000),
    ("kmnist", "ood", 10_000),
    ("notmnist", "ood", 10_000),
    ("fashion", "ood", 900),
    ("omniglot", "ood", 2720),
]


def store() -> DataStore:
    return DataStore(read_data_specs(bundled("tasks") / "ood" / "data.toml", "ood/data.toml"))


def test_every_source_with_files_is_read_here() -> None:
    fixed = {name for name, source in SOURCES.items() if isinstance(source, Fixed) and source.data}
    assert {name for name, _, _ in PUBLISHED} == fixed


@pytest.mark.data
@pytest.mark.parametrize(("name", "split", "size"), PUBLISHED)
def test_a_published_set_is_whole(name: str, split: Split, size: int) -> None:
    files = store()
    if files.missing(SOURCES[name].data):
        pytest.skip(f"{SOURCES[name].data} is not under RLBENCH_DATA")
    found = load(SetRef(name), split, 0, seed=0, data=files.get).whole()
    assert found.x.shape == (size, 28, 28)
    assert len(np.unique(found.y)) == SOURCES[name].classes


def test_an_absent_set_says_what_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RLBENCH_DATA", str(tmp_path))
    monkeypatch.setenv("RLBENCH_CACHE", str(tmp_path))
    with pytest.raises(MissingError, match=r"put mnist_test/t10k.* under .*https?://"):
        load(SetRef("mnist"), "train", 0, seed=0, data=store().get).whole()


def test_enlarged_handwriting_is_the_same_digit_in_a_black_frame() -> None:
    small, large = handwritten_8x8(), handwritten_28x28()
    assert np.array_equal(small.y, large.y)
    inner = large.x[:, 4:24, 4:24]
    assert large.x.sum() == inner.sum()
    blocks = inner.reshape(-1, 4, 5, 4, 5).mean((2, 4))  # 5 pixels for every 2 of the original
    originals = small.x.reshape(-1, 4, 2, 4, 2).mean((2, 4))
    assert np.corrcoef(blocks.ravel(), originals.ravel())[0, 1] > 0.97


def test_photo_patches_are_smooth_unlike_noise() -> None:
    x = photos(np.random.default_rng(0), (), 300).x.astype(float)
    assert np.corrcoef(x[:, :, 1:].ravel(), x[:, :, :-1].ravel())[0, 1] > 0.9
    assert 60 < x.mean() < 190
    assert x.min() < 20
    assert x.max() > 235
