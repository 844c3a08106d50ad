"""Small copies of published colour sets, 32x32, that a laptop can hold and train on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rlbench.core.arrays import Arrays, unpack
from rlbench.core.data import DataSet
from rlbench.core.errors import CorruptError
from rlbench.suites.ood.corruptions import spoilt_photo
from rlbench.suites.ood.examples import Array, Cut, Examples, Part, Published
from rlbench.suites.ood.images import CIFAR_LIKE, fitted, read_blob
from rlbench.suites.ood.params import Split
from rlbench.suites.ood.real import MAX_BYTES, idx_pair

SHAPE = (32, 32, 3)
LIKE_CIFAR10 = {
    "frog": (2, 3),
    "bird": (11, 20, 21, 22),
    "dog": (24, 25, 26, 27, 28, 29),
    "cat": (30, 31, 32, 33, 34),  # lion and cougar too
    "deer": (51, 52),
    "automobile": (70, 94, 107, 116, 153),
    "truck": (121, 133, 145, 164, 166),  # buses and a tractor too
    "ship": (108, 115),
    "airplane": (137,),  # projectile
}
"""Classes of Tiny-ImageNet, in the order of their WordNet ids, that CIFAR-10 knows in some form."""
_KNOWN = {c for group in LIKE_CIFAR10.values() for c in group}
_OTHERS = [c for c in range(200) if c not in _KNOWN]
TINY: Mapping[str, frozenset[int]] = {
    "val": frozenset(_OTHERS[0::8]),
    "outliers": frozenset(_OTHERS[1::8] + _OTHERS[5::8]),
    "test": frozenset(c for i, c in enumerate(_OTHERS) if i % 8 not in (0, 1, 5)),
}
"""No class of one part is in another: 21, 42 and 105 classes of ten images."""


def _jpegs(files: DataSet, part: str) -> Part:
    """A set of JPEG files in an npz: `jpeg`, `offsets` and `labels`."""
    path = files.files[part]
    arrays = _arrays(files, part, "jpeg", "offsets", "labels")
    jpeg, offsets = arrays["jpeg"], arrays["offsets"]
    y = arrays["labels"].astype(np.int64)
    if offsets.shape != (len(y) + 1,):
        raise CorruptError(f"{path}: {len(y)} labels, but offsets {offsets.shape}")

    def take(chosen: Array) -> Array:
        pieces = [jpeg[offsets[i] : offsets[i + 1]] for i in chosen]
        ends = np.cumsum([0, *map(len, pieces)])
        return read_blob(np.concatenate(pieces), ends, path, CIFAR_LIKE)

    return Part(y, take)


def _arrays(files: DataSet, key: str, *names: str) -> Arrays:
    path = files.files[key]
    arrays = unpack(path, max_bytes=MAX_BYTES)
    if absent := [name for name in names if name not in arrays]:
        raise CorruptError(f"{path}: expected an array '{absent[0]}', found {', '.join(arrays)}")
    return arrays


def _tiny_imagenet(files: DataSet, part: str) -> Part:
    whole = _jpegs(files, "images")
    mine = np.flatnonzero(np.isin(whole.y, list(TINY[part])))
    return Part(whole.y[mine], lambda chosen: whole.take(mine[chosen]))


def _spoilt_cifar10(files: DataSet, part: str) -> Part:
    clean = _jpegs(files, part)

    def take(chosen: Array) -> Array:
        images = zip(clean.take(chosen), chosen, strict=True)
        return np.stack([spoilt_photo(image, int(i)) for image, i in images])

    return Part(clean.y, take)


def _plain(files: DataSet, part: str) -> Part:
    """An npz with `images`, colour or grey, and `labels`."""
    arrays = _arrays(files, "images", "images", "labels")
    x, y = arrays["images"], arrays["labels"].astype(np.int64)
    if x.dtype != np.uint8 or x.shape[1:] not in (SHAPE, SHAPE[:2]) or y.shape != x.shape[:1]:
        raise CorruptError(
            f"{files.files['images']}: expected uint8 images (n, 32, 32[, 3]) and a label for each,"
            f" found {x.dtype} {x.shape} and {y.shape}"
        )
    return Part.of(Examples(_coloured(x) if x.ndim == 3 else x, y))


def _mnist(files: DataSet, part: str) -> Part:
    """MNIST enlarged to 32x32, in three equal channels, as OpenOOD shows it to CIFAR nets."""
    from PIL import Image

    small = idx_pair(files)

    def take(chosen: Array) -> Array:
        large = [np.asarray(fitted(Image.fromarray(small.x[i]), CIFAR_LIKE)) for i in chosen]
        return _coloured(np.stack(large))

    return Part(small.y, take)


def _coloured(grey: Array) -> Array:
    """Three equal channels, uint8 (n, h, w, 3)."""
    return np.repeat(grey[..., None], 3, axis=3)


def _tiny(part: str, cuts: Mapping[Split, Cut]) -> Published:
    title = f"Tiny-ImageNet without CIFAR-10's classes, part {part}"
    return Published(title, SHAPE, 200, _tiny_imagenet, cuts, "tiny-imagenet-val2k")


def _tested(mixed: int) -> Mapping[Split, Cut]:
    """The first images of each class are for transductive detectors, the others are tested."""
    return {"ood-unlabelled": Cut("test", 0, mixed), "ood": Cut("test", mixed, None)}


AT_HAND: Mapping[str, Published] = {
    "cifar10-jpeg": Published(
        "CIFAR-10 as JPEG, 2,000 training images a class",
        SHAPE,
        10,
        _jpegs,
        {
            "train": Cut("train"),
            "val": Cut("test", 0, 100),
            "unlabelled": Cut("test", 100, 200),
            "test": Cut("test", 200, None),
        },
        "cifar10-jpeg",
    ),
    "cifar10-jpeg-spoilt": Published(
        "the tested images of cifar10-jpeg under noise, blur or fading",
        SHAPE,
        10,
        _spoilt_cifar10,
        {"shift": Cut("test", 200, None)},
        "cifar10-jpeg",
    ),
    "tiny-imagenet": _tiny("test", _tested(2)),
    "tiny-imagenet-val": _tiny("val", {"ood-val": Cut("val")}),
    "tiny-imagenet-outliers": _tiny("outliers", {"outliers": Cut("outliers")}),
    "dtd": Published("ten describable textures", SHAPE, 10, _plain, _tested(20), "dtd10-32px"),
    "scenes": Published("fifteen scenes, grey", SHAPE, 15, _plain, _tested(15), "scenes15-32px"),
    "mnist-rgb": Published(
        "MNIST in three channels", SHAPE, 10, _mnist, _tested(100), "mnist-test"
    ),
}
"""Sources by name."""
