"""Published sets of small colour images in the formats in which their authors give them away.

Which images belong to which split follows the two papers whose pairs use them: POD (arXiv
2109.05554) trains on all training images and tests on all test images; DCM (arXiv 2306.04974) cuts
both. POD needs no validation images and names none, so we hold back the last of each class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from rlbench.core.data import DataSet
from rlbench.core.errors import CorruptError
from rlbench.suites.ood.examples import Array, Cut, Examples, Part, Published, unlabelled
from rlbench.suites.ood.images import SQUASHED, fitted
from rlbench.suites.ood.mat import read_mat
from rlbench.suites.ood.params import Split
from rlbench.suites.ood.pickled import read_batch
from rlbench.suites.ood.trees import read_folder, read_lists

SHAPE = (32, 32, 3)
STL_SIDE = 96
MAX_STL_BYTES = 2**30
CELEBA_TEST = 2  # the test partition's number in list_eval_partition.txt
CORRUPTIONS = (
    "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur",
    "zoom_blur", "snow", "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate",
    "jpeg_compression",
)  # fmt: skip
"""The fifteen of CIFAR-10-C's main set."""
SEVEREST = slice(40_000, 50_000)
"""The rows of severity 5."""


def _cifar(labels: bytes) -> Callable[[DataSet, str], Part]:
    """Reads the batches whose keys start with a part's name."""

    def read(files: DataSet, part: str) -> Part:
        paths = [path for key, path in sorted(files.files.items()) if key.startswith(part)]
        batches = [_cifar_batch(path, labels) for path in paths]
        x = np.concatenate([batch.x for batch in batches])
        return Part.of(Examples(x, np.concatenate([batch.y for batch in batches])))

    return read


def _cifar_batch(path: Path, labels: bytes) -> Examples:
    batch = read_batch(path)
    x, y = batch.get(b"data"), batch.get(labels)
    if not isinstance(x, np.ndarray) or x.dtype != np.uint8 or x.shape[1:] != (3072,):
        raise CorruptError(f"{path}: expected 'data', uint8 (n, 3072), in it")
    if not isinstance(y, list) or len(y) != len(x) or not all(type(c) is int for c in y):
        raise CorruptError(f"{path}: expected '{labels.decode()}', {len(x)} integers, in it")
    return Examples(x.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), np.array(y, dtype=np.int64))


def _svhn(files: DataSet, part: str) -> Part:
    path = files.files[part]
    arrays = read_mat(path)
    x, y = arrays.get("X"), arrays.get("y")
    if x is None or x.dtype != np.uint8 or x.ndim != 4 or x.shape[:3] != SHAPE:
        raise CorruptError(f"{path}: expected 'X', uint8 (32, 32, 3, n), in it")
    if y is None or y.size != x.shape[3]:
        raise CorruptError(f"{path}: expected 'y', {x.shape[3]} labels, in it")
    digits = y.ravel().astype(np.int64) % 10  # the digit 0 is labelled 10
    return Part.of(Examples(x.transpose(3, 0, 1, 2), digits))


def _stl10(files: DataSet, part: str) -> Part:
    """Images as column-major bytes, labels from 1 (https://cs.stanford.edu/~acoates/stl10/)."""
    from PIL import Image

    path, names = files.files["images"], files.files["labels"]
    size, one = path.stat().st_size, 3 * STL_SIDE**2
    if size % one or size > MAX_STL_BYTES or names.stat().st_size * one != size:
        raise CorruptError(f"{path}: {size} bytes are not one 96x96 image for each label")
    x = np.fromfile(path, np.uint8).reshape(-1, 3, STL_SIDE, STL_SIDE).transpose(0, 3, 2, 1)

    def take(chosen: Array) -> Array:
        small = [np.asarray(fitted(Image.fromarray(x[i]), SQUASHED)) for i in chosen]
        return np.stack(small)

    return Part(np.fromfile(names, np.uint8).astype(np.int64) - 1, take)


def _celeba(files: DataSet, part: str) -> Part:
    """The images of the test partition."""
    every = read_lists([files.files["partition"]], [files.files["images"]], 3, SQUASHED)
    test = np.flatnonzero(every.y == CELEBA_TEST)
    return Part(unlabelled(test).y, lambda chosen: every.take(test[chosen]))


def _folder(files: DataSet, part: str) -> Part:
    return read_folder(files.files["images"], 0, SQUASHED)


def _cifar10c(files: DataSet, part: str) -> Part:
    """All corruptions at severity 5, one behind the other."""
    stacks = [_npy(files.files[name], (50_000, *SHAPE))[SEVEREST] for name in CORRUPTIONS]
    labels = _npy(files.files["labels"], (50_000,))[SEVEREST].astype(np.int64)
    each = len(labels)

    def take(chosen: Array) -> Array:
        return np.stack([stacks[i // each][i % each] for i in chosen])

    return Part(np.tile(labels, len(stacks)), take)


def _npy(path: Path, shape: tuple[int, ...]) -> Array:
    """A mapped npy file of bytes."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CorruptError(f"{path}: not an npy file of numbers: {error}") from error
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.shape != shape:
        raise CorruptError(f"{path}: expected uint8 {shape}")
    return array


def _dcm(test: str, mixed: int, tested: int) -> Mapping[Split, Cut]:
    """DCM's cut of an OOD set, per class: first the unlabelled images, then the tested ones."""
    return {"ood-unlabelled": Cut(test, 0, mixed), "ood": Cut(test, mixed, tested)}


def _pod(held_back: int) -> Mapping[Split, Cut]:
    return {
        "train": Cut("train", 0, -held_back),
        "val": Cut("train", -held_back, None),
        "test": Cut("test"),
        "ood": Cut("test"),
    }


_CIFAR10 = ("CIFAR-10", SHAPE, 10, _cifar(b"labels"))
_CIFAR100 = ("CIFAR-100", SHAPE, 100, _cifar(b"fine_labels"))
_SVHN = ("SVHN", SHAPE, 10, _svhn)
_TIN = ("Tiny-ImageNet, resized by ODIN's authors", SHAPE, 0, _folder)
_LSUN = ("LSUN, resized by ODIN's authors", SHAPE, 0, _folder)
_WHOLE: Mapping[Split, Cut] = {"ood": Cut("test")}

CLASSIC: Mapping[str, Published] = {
    "cifar10": Published(*_CIFAR10, _pod(100), "cifar10"),
    "cifar100": Published(*_CIFAR100, _pod(10), "cifar100"),
    "svhn": Published(*_SVHN, _pod(100), "svhn"),
    "celeba": Published("CelebA, test images", SHAPE, 0, _celeba, _WHOLE, "celeba-test"),
    "stl10": Published("STL-10, test images", SHAPE, 10, _stl10, _WHOLE, "stl10-test"),
    "tin-resize": Published(*_TIN, _WHOLE, "tin-resize"),
    "lsun-resize": Published(*_LSUN, _WHOLE, "lsun-resize"),
    "dcm-cifar10": Published(
        *_CIFAR10,
        {
            "train": Cut("train", 0, 4000),
            "val": Cut("train", 4000, 5000),
            "unlabelled": Cut("test", 0, 100),
            "test": Cut("test", 100, 1000),
            **_dcm("test", 100, 200),
        },
        "cifar10",
    ),
    "dcm-cifar100": Published(
        *_CIFAR100,
        {
            "train": Cut("train", 0, 400),
            "val": Cut("train", 400, 500),
            "unlabelled": Cut("test", 0, 50),
            "test": Cut("test", 50, 100),
            **_dcm("test", 2, 20),
        },
        "cifar100",
    ),
    "dcm10-svhn": Published(*_SVHN, _dcm("test", 20, 200), "svhn"),
    "dcm10-tin-resize": Published(*_TIN, _dcm("test", 200, 2000), "tin-resize"),
    "dcm10-lsun-resize": Published(*_LSUN, _dcm("test", 200, 2000), "lsun-resize"),
    "dcm100-svhn": Published(*_SVHN, _dcm("test", 100, 200), "svhn"),
    "dcm100-tin-resize": Published(*_TIN, _dcm("test", 1000, 2000), "tin-resize"),
    "dcm100-lsun-resize": Published(*_LSUN, _dcm("test", 1000, 2000), "lsun-resize"),
    "dcm-selective-cifar10": Published(
        *_CIFAR10,
        {
            "train": Cut("train"),
            "val": Cut("test", 0, 200),
            "test": Cut("test", 600, 1000),
        },
        "cifar10",
    ),
    "cifar10c": Published(
        "CIFAR-10-C, severity 5", SHAPE, 10, _cifar10c, {"shift": Cut("test")}, "cifar10c"
    ),
}
"""Sources by name; `dcm10-*` and `dcm100-*` are cut for CIFAR-10 and CIFAR-100 as ID."""
