"""Pictures in folders: a tree with a sub-folder for each class, or a list of paths and labels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from rlbench.core.data import tree_files
from rlbench.core.errors import CorruptError
from rlbench.suites.ood.examples import UNLABELLED, Array, Part
from rlbench.suites.ood.images import SUFFIXES, Fit, read_images

MAX_LIST_BYTES = 512 * 2**20
"""The largest list, of ImageNet's 1.28 million training images, has 80 MB."""
_LABEL = re.compile(r"-?\d{1,9}")


def read_folder(root: Path, n_classes: int, fit: Fit) -> Part:
    """The pictures under a folder, sorted by relative path.

    Args:
        root: the folder.
        n_classes: how many sub-folders it has, each a class, numbered in sorted order; 0 for a
            folder whose pictures have no class, wherever in it they lie.
        fit: the size to bring them to.

    Raises:
        CorruptError: unreadable, no pictures, another number of classes, a damaged picture.
    """
    try:
        files = [path for path in tree_files(root) if path.suffix.lower() in SUFFIXES]
    except OSError as error:
        raise CorruptError(f"{error.filename or root}: cannot read: {error.strerror}") from error
    if not files:
        raise CorruptError(f"{root}: no picture in it, expected some of {', '.join(SUFFIXES)}")
    if not n_classes:
        return _part(files, [UNLABELLED] * len(files), fit)
    names = [path.relative_to(root).parts[0] for path in files]
    loose = next((path for path in files if path.parent == root), None)
    if loose is not None:
        raise CorruptError(f"{loose}: lies in no sub-folder, expected one for each class")
    classes = sorted(set(names))
    if len(classes) != n_classes:
        raise CorruptError(
            f"{root}: expected {n_classes} sub-folders with pictures, found {len(classes)}"
        )
    numbers = {name: i for i, name in enumerate(classes)}
    return _part(files, [numbers[name] for name in names], fit)


def _part(files: Sequence[Path | str], labels: Sequence[int], fit: Fit) -> Part:
    def take(chosen: Array) -> Array:
        return read_images([Path(files[i]) for i in chosen], fit)

    return Part(np.array(labels, dtype=np.int64), take)


def read_lists(lists: Sequence[Path], roots: Sequence[Path], n_classes: int, fit: Fit) -> Part:
    """The pictures that OpenOOD's lists name, in their order: "relative/path label" a line.

    Args:
        lists: text files; several are read one after the other.
        roots: for each list, the folder that its paths are relative to.
        n_classes: labels lie below it; 0 where they say nothing of the ID classes.
        fit: the size to bring them to.

    Raises:
        CorruptError: a line that is none, a path that leads out of its root, a label out of range,
            an absent or damaged picture.
    """
    files: list[str] = []  # a path object takes six times as much memory, and there are millions
    labels: list[int] = []
    for path, root in zip(lists, roots, strict=True):
        for number, line in enumerate(_lines(path), start=1):
            name, label = _entry(line, f"{path}:{number}")
            if n_classes and not 0 <= label < n_classes:
                raise CorruptError(
                    f"{path}:{number}: expected a label from 0 to {n_classes - 1}, found {label}"
                )
            files.append(f"{root}/{name}")
            labels.append(label if n_classes else UNLABELLED)
    if not files:
        raise CorruptError(f"{lists[0]}: names no picture")
    return _part(files, labels, fit)


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > MAX_LIST_BYTES:
            raise CorruptError(f"{path}: larger than {MAX_LIST_BYTES} bytes")
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise CorruptError(f"{path}: cannot read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CorruptError(f"{path}: not a text file in UTF-8") from error


def _entry(line: str, at: str) -> tuple[str, int]:
    """Path and label of a line."""
    name, _, label = line.rpartition(" ")
    if not name or not _LABEL.fullmatch(label):
        raise CorruptError(f"{at}: expected 'relative/path label', found {line!r:.80}")
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts or "\0" in name or "\\" in name:
        raise CorruptError(f"{at}: expected a path inside its folder, found {name!r:.80}")
    return name, int(label)
