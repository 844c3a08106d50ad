"""Every published set is read from a small synthetic copy in its true format and place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ood_formats import cifar_batch
from PIL import Image
from scipy.io import savemat

from rlbench.core.arrays import pack
from rlbench.core.bundled import bundled
from rlbench.core.data import DataError, DataSet, DataStore, read_data_specs
from rlbench.suites.ood.classic import CLASSIC, CORRUPTIONS
from rlbench.suites.ood.examples import Array, Examples
from rlbench.suites.ood.openood import OPENOOD
from rlbench.suites.ood.params import SetRef, Split
from rlbench.suites.ood.sources import SOURCES, load

RNG = np.random.default_rng(0)
DECLARED = read_data_specs(bundled("tasks") / "ood" / "data.toml", "ood/data.toml")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RLBENCH_DATA", str(tmp_path))
    return tmp_path


def unchecked() -> DataStore:
    """The declared sets at their declared paths; a synthetic copy has other checksums."""
    return DataStore(
        {
            name: replace(
                spec,
                files={k: replace(f, sha256="", md5="") for k, f in spec.files.items()},
            )
            for name, spec in DECLARED.items()
        }
    )


def get(source: str, split: Split, n: int = 0) -> Examples:
    found = load(SetRef(source), split, n, seed=0, data=unchecked().get).whole()
    assert found.x.dtype == np.uint8
    assert found.x.shape == (len(found.y), *SOURCES[source].shape)
    return found


def noise(n: int, side: int = 32) -> Array:
    return RNG.integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def planes(x: Array) -> Array:
    """Images as CIFAR stores them: one row each, channel by channel."""
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2)).reshape(len(x), -1)


def put(path: Path, image: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def write(path: Path, raw: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)


def cifar10(folder: Path) -> tuple[Array, Array]:
    train, test = noise(1100), noise(1100)
    y = [i % 10 for i in range(220)]
    base = folder / "cifar-10-batches-py"
    for i in range(5):
        write(base / f"data_batch_{i + 1}", cifar_batch(planes(train[220 * i :][:220]), y))
    write(base / "test_batch", cifar_batch(planes(test), y * 5))
    return train, test


def test_cifar10_batches_are_read_in_order_and_cut_as_pod_and_dcm_cut_them(folder: Path) -> None:
    train, test = cifar10(folder)
    pod = get("cifar10", "train")
    assert np.array_equal(pod.x, train[:100])  # 110 of each class, of which 100 are held back
    assert pod.y.tolist() == [i % 10 for i in range(100)]
    assert np.array_equal(get("cifar10", "val").x, train[100:])
    assert np.array_equal(get("cifar10", "ood").x, test)
    assert np.array_equal(get("dcm-cifar10", "unlabelled").x, test[:1000])
    assert np.array_equal(get("dcm-cifar10", "test").x, test[1000:])
    assert np.array_equal(get("dcm-cifar10", "train").x, train)


def test_cifar100_has_fine_labels(folder: Path) -> None:
    x, y = noise(1200), [i % 100 for i in range(1200)]
    for name in ("train", "test"):
        write(folder / "cifar-100-python" / name, cifar_batch(planes(x), y, b"fine_labels"))
    assert np.array_equal(get("cifar100", "train").x, x[:200])
    assert get("cifar100", "test").y.tolist() == y


def test_a_cifar_batch_without_its_labels_is_of_no_use(folder: Path) -> None:
    x = planes(noise(20))
    for name in ("train", "test"):
        write(folder / "cifar-100-python" / name, cifar_batch(x, [0] * 20, b"coarse_labels"))
    with pytest.raises(DataError, match=r"test: expected 'fine_labels', 20 integers"):
        get("cifar100", "test")
    write(folder / "cifar-100-python" / "test", cifar_batch(x[:, :99].copy(), [0] * 20))
    with pytest.raises(DataError, match=r"expected 'data', uint8 \(n, 3072\)"):
        get("cifar100", "test")


def test_svhn_is_turned_upright_and_its_ten_is_a_zero(folder: Path) -> None:
    x, y = noise(1200), np.arange(1200) % 10 + 1
    (folder / "svhn").mkdir()
    for name in ("train", "test"):
        arrays = {"X": x.transpose(1, 2, 3, 0), "y": y[:, None].astype(np.uint8)}
        savemat(folder / "svhn" / f"{name}_32x32.mat", arrays, do_compression=True)
    found = get("svhn", "test")
    assert np.array_equal(found.x, x)
    assert found.y.tolist() == (y % 10).tolist()
    assert len(get("dcm10-svhn", "ood-unlabelled").x) == 200
    assert len(get("dcm100-svhn", "ood").x) == 200


def test_stl10_is_stored_by_columns_and_shrunk(folder: Path) -> None:
    x = np.zeros((6, 96, 96, 3), dtype=np.uint8)
    x[:, :48, :, 0] = 200  # the upper half is red
    write(folder / "stl10_binary" / "test_X.bin", x.transpose(0, 3, 2, 1).tobytes())
    write(folder / "stl10_binary" / "test_y.bin", bytes([1, 2, 3, 10, 10, 1]))
    found = get("stl10", "ood")
    assert found.y.tolist() == [0, 1, 2, 9, 9, 0]
    assert found.x[0, 0, :, 0].tolist() == [200] * 32
    assert found.x[0, -1].max() == 0
    write(folder / "stl10_binary" / "test_y.bin", bytes([1, 2]))
    with pytest.raises(DataError, match=r"test_X\.bin: 165888 bytes are not one 96x96 image"):
        get("stl10", "ood")


def test_celeba_gives_the_images_of_the_test_partition(folder: Path) -> None:
    for i in range(4):
        put(folder / "celeba" / "img_align_celeba" / f"{i}.png", noise(1, 50)[0])
    text = "0.png 0\n1.png 2\n2.png 1\n3.png 2\n"
    (folder / "celeba" / "list_eval_partition.txt").write_text(text)
    assert get("celeba", "ood").y.tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("source", "name"), [("tin-resize", "Imagenet_resize"), ("lsun-resize", "LSUN_resize")]
)
def test_the_folders_of_odins_authors_hold_pictures_at_any_depth(
    folder: Path, source: str, name: str
) -> None:
    x = noise(3)
    for i in range(3):
        put(folder / name / "inner" / f"{i}.png", x[i])
    assert np.array_equal(get(source, "ood").x, x)


def test_cifar10c_gives_every_corruption_at_severity_five(folder: Path) -> None:
    for i, name in enumerate(CORRUPTIONS):
        stack = np.lib.format.open_memmap(
            folder / f"{name}.npy", "w+", np.uint8, (50_000, 32, 32, 3)
        )
        stack[40_000:40_010] = i + 1
    np.save(folder / "labels.npy", np.tile(np.arange(10, dtype=np.uint8), 5000))
    # The store would hash 2.3 GB of holes.
    files = DataSet("cifar10c", {k: folder / f"{k}.npy" for k in DECLARED["cifar10c"].files}, "")
    found = load(SetRef("cifar10c"), "shift", 150, seed=0, data=lambda name: files).whole()
    assert found.x[:10, 0, 0, 0].tolist() == [1] * 10
    assert np.bincount(found.y).tolist() == [15] * 10
    (folder / "fog.npy").write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(DataError, match=r"fog\.npy: not an npy file"):
        load(SetRef("cifar10c"), "shift", 150, seed=0, data=lambda name: files).whole()


def openood(folder: Path, name: str, suffix: str = "") -> None:
    """Every list of a benchmark, each with pictures of its own for each of its classes."""
    spec = DECLARED[f"openood-{name}{suffix}"]
    for root in spec.folders.values():
        (folder / root.path).mkdir(exist_ok=True)
    large = name.startswith("imagenet")
    for key, file in spec.files.items():
        inner = "images_largescale" if large and key != "textures" else "images_classic"
        lines = []
        for label in range(2):
            path = f"{key}/{label}.png"
            put(folder / inner / path, noise(1, 40)[0])
            lines.append(f"{path} {label}\n")
        write(folder / file.path, "".join(lines).encode())


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "imagenet200", "imagenet1k"])
def test_openoods_lists_decide_what_is_in_a_set(folder: Path, name: str) -> None:
    openood(folder, name)
    own = f"openood-{name}"
    splits: tuple[Split, ...] = ("train", "val", "test")
    assert [get(own, split).y.tolist() for split in splits] == [[0, 1]] * 3
    outside = [n for n, s in OPENOOD.items() if s.data == own and n != own]
    assert len(outside) >= 6
    for other in outside:
        assert get(other, OPENOOD[other].splits[0]).y.tolist() == [-1, -1]


@pytest.mark.parametrize(("name", "lists"), [("cifar10", 1), ("imagenet200", 3), ("imagenet1k", 3)])
def test_openoods_shifted_images_keep_their_classes(folder: Path, name: str, lists: int) -> None:
    openood(folder, name, "-shift")
    assert get(f"openood-{name}-shift", "shift").y.tolist() == [0, 1] * lists


def test_every_published_source_is_read_here() -> None:
    assert {s.data for s in CLASSIC.values()} == {
        "cifar10", "cifar100", "svhn", "stl10-test", "celeba-test", "tin-resize", "lsun-resize",
        "cifar10c",
    }  # fmt: skip
    assert {s.data for s in [*CLASSIC.values(), *OPENOOD.values()]} <= set(DECLARED)


# -- copies at hand -------------------------------------------------------------------------------


def jpegs(path: Path, y: list[int]) -> None:
    blobs = []
    for label in y:
        one = path.with_name("one.jpg")
        put(one, np.full((40, 40, 3), label, dtype=np.uint8))
        blobs.append(np.frombuffer(one.read_bytes(), dtype=np.uint8))
    arrays = {
        "jpeg": np.concatenate(blobs),
        "offsets": np.cumsum([0, *map(len, blobs)]),
        "labels": np.array(y, dtype=np.int16),
    }
    write(path, pack(arrays))


def test_jpegs_in_an_npz_are_decoded_and_brought_to_size(folder: Path) -> None:
    y = [i // 202 for i in range(404)]
    for name in ("train_2000pc", "test_1000pc"):
        jpegs(folder / "cifar10_jpeg" / f"cifar10_{name}.npz", y)
    train, test = get("cifar10-jpeg", "train"), get("cifar10-jpeg", "test")
    assert train.y.tolist() == y
    assert np.abs(train.x[-1].astype(int) - 1).max() <= 1
    assert test.y.tolist() == [0, 0, 1, 1]  # after 100 for validation and 100 unlabelled
    assert get("cifar10-jpeg-spoilt", "shift").y.tolist() == test.y.tolist()


def damage(name: str, value: Array) -> Callable[[dict[str, Any]], None]:
    return lambda arrays: arrays.update({name: value})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (damage("labels", np.zeros(3, np.int16)), "3 labels, but offsets"),
        (damage("offsets", np.array([0, 9, 5])), "the offsets of its pictures do not fit|damaged"),
        (damage("jpeg", np.zeros(0, np.uint8)), "the offsets|empty file"),
        (lambda arrays: arrays.pop("jpeg"), "expected an array 'jpeg', found labels, offsets"),
    ],
)
def test_a_damaged_jpeg_set_gives_one_line(
    folder: Path, change: Callable[[dict[str, Any]], Any], words: str
) -> None:
    arrays: dict[str, Any] = {
        "jpeg": np.zeros(20, np.uint8),
        "offsets": np.array([0, 10, 20]),
        "labels": np.zeros(2, np.int16),
    }
    change(arrays)
    path = folder / "tiny_imagenet_val2k" / "tiny_imagenet_val_10pc.npz"
    write(path, pack(arrays))
    with pytest.raises(DataError, match=words) as caught:
        load(SetRef("tiny-imagenet-val"), "ood-val", 0, seed=0, data=unchecked().get).whole()
    assert "tiny_imagenet_val_10pc.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


AT_HAND: list[tuple[str, Split, int, int]] = [
    ("cifar10-jpeg", "train", 20_000, 10),
    ("cifar10-jpeg", "val", 1000, 10),
    ("cifar10-jpeg", "unlabelled", 1000, 10),
    ("cifar10-jpeg", "test", 8000, 10),
    ("tiny-imagenet", "ood", 840, 105),
    ("tiny-imagenet", "ood-unlabelled", 210, 105),
    ("tiny-imagenet-val", "ood-val", 210, 21),
    ("tiny-imagenet-outliers", "outliers", 420, 42),
    ("dtd", "ood", 1000, 10),
    ("scenes", "ood", 1275, 15),
    ("mnist-rgb", "ood", 9000, 10),
]


@pytest.mark.data
@pytest.mark.parametrize(("source", "split", "size", "classes"), AT_HAND)
def test_a_copy_at_hand_is_whole(source: str, split: Split, size: int, classes: int) -> None:
    store = DataStore(DECLARED)
    if store.missing(SOURCES[source].data):
        pytest.skip(f"{SOURCES[source].data} is not under RLBENCH_DATA")
    found = load(SetRef(source), split, 0, seed=0, data=store.get).whole()
    assert found.x.shape == (size, 32, 32, 3)
    assert len(np.unique(found.y)) == classes
    assert 20 < found.x.mean() < 200
