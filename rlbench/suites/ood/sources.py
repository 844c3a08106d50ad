"""Where examples come from: every source by name, and the one function that loads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rlbench.core.data import OWN_FOLDER, DataError, DataSet
from rlbench.core.errors import CorruptError, SpecError, closest
from rlbench.core.settings import where
from rlbench.core.spec import TaskSpec
from rlbench.suites.ood.at_hand import AT_HAND
from rlbench.suites.ood.classic import CLASSIC
from rlbench.suites.ood.corruptions import NOISES, SPOILT_DIGITS, half_digits
from rlbench.suites.ood.examples import (
    ID_SPLITS,
    Array,
    Drawn,
    Examples,
    Fixed,
    Maker,
    Part,
    Published,
    Share,
    Shares,
    Source,
)
from rlbench.suites.ood.glyph import ALPHABETS, ATLAS_SHA256, IMAGE, glyphs
from rlbench.suites.ood.images import Fit
from rlbench.suites.ood.openood import OPENOOD
from rlbench.suites.ood.params import OodParams, Protocol, SetRef, Split, protocol, task_params
from rlbench.suites.ood.pictures import handwritten_8x8, handwritten_28x28, photos
from rlbench.suites.ood.real import idx_pair, npz_pair, npz_whole
from rlbench.suites.ood.textures import KINDS, textures
from rlbench.suites.ood.toy import TOYS
from rlbench.suites.ood.trees import read_folder

__all__ = ["SOURCES", "Examples", "Split", "check", "is_seeded", "load", "resolve"]

GREY = (IMAGE, IMAGE)
OUT: tuple[Split, ...] = ("ood", "ood-unlabelled")
CUT: Shares = {"train": (0.0, 0.7), "val": (0.7, 0.8), "test": (0.8, 1.0)}
WHOLE: Shares = {"ood": (0.0, 1.0)}


def _alphabet(title: str, name: str, *splits: Split) -> Drawn:
    make = glyphs(name)
    return Drawn(title, GREY, len(ALPHABETS[name]), dict.fromkeys(splits, make), atlas=True)


def _drawn(title: str, make: Maker, classes: int = 0, *, atlas: bool = False) -> Drawn:
    return Drawn(title, GREY, classes, dict.fromkeys(OUT, make), atlas=atlas)


SOURCES: Mapping[str, Source] = {
    **TOYS,
    "glyph-digits": _alphabet(
        "printed digits", "digits", "train", "val", "test", "unlabelled", *OUT
    ),
    "glyph-upper": _alphabet("printed letters A to J", "upper", *OUT),
    "glyph-lower": _alphabet("printed letters a to z, no l, no o", "lower", *OUT),
    "glyph-symbols": _alphabet("printed symbols", "symbols", *OUT),
    "glyph-greek": _alphabet("printed Greek capitals", "greek", "ood-val"),
    **{
        f"glyph-{name}": _drawn(f"{name} digits", make, classes, atlas=True)
        for name, (make, classes) in SPOILT_DIGITS.items()
    },
    "glyph-halves": Drawn(
        "halves of two printed digits", GREY, 0, {"outliers": half_digits}, atlas=True
    ),
    **{name: _drawn(f"{name} pictures", make) for name, make in NOISES.items()},
    "textures": _drawn("procedural textures", textures, len(KINDS)),
    # Finite: patches drawn for another split could be the same ones.
    "photos": Drawn("patches of two photographs", GREY, 0, {"ood": photos}),
    "handwritten": Fixed(
        "handwritten digits, enlarged", GREY, 10, handwritten_28x28, {**WHOLE, "shift": (0.0, 1.0)}
    ),
    "digits8": Fixed("handwritten digits, 8x8", (8, 8), 10, handwritten_8x8, {**CUT, **WHOLE}),
    "mnist": Fixed("MNIST, the 10,000 test images", GREY, 10, idx_pair, CUT, data="mnist-test"),
    "kmnist": Fixed("KMNIST test images", GREY, 10, npz_pair, WHOLE, data="kmnist-test"),
    "notmnist": Fixed("notMNIST letters", GREY, 10, idx_pair, WHOLE, data="notmnist-test"),
    "fashion": Fixed(
        "900 Fashion-MNIST images", GREY, 10, npz_whole, WHOLE, data="fashion-mnist-900"
    ),
    "omniglot": Fixed("Omniglot characters", GREY, 136, npz_whole, WHOLE, data="omniglot-small1"),
    **AT_HAND,
    **CLASSIC,
    **OPENOOD,
}
"""Every source by the name that tasks use; `folder` is made by `resolve`."""
FOLDER_SHARES: Mapping[Split, Share] = {
    "train": Share("", 0.0, 0.7),
    "val": Share("", 0.7, 0.8),
    "test": Share("", 0.8, 1.0),
    "shift": Share(""),
    "ood": Share(""),
    "ood-val": Share(""),
    "outliers": Share(""),
}
"""What each split takes of a folder of one's own, class by class, its files sorted by name."""


def load(ref: SetRef, split: Split, n: int, *, seed: int, data: Callable[[str], DataSet]) -> Part:
    """`n` examples of a set; the same arguments give the same bytes.

    Pictures in files are read when they are taken.

    Args:
        ref: the source and its classes, which come out as 0, 1, … in the order given.
        split: the splits train, val and test of one source never overlap.
        n: how many; 0 for all that a fixed source has.
        seed: the trial's; matters only where `is_seeded`.
        data: gives the files of a declared data set, such as `ctx.data`.

    Raises:
        SpecError: no such source, split or class.
        UsageError: fewer than `n` examples.
        MissingError, DataError: its files are absent or damaged; the part's `take` raises
            DataError, too.
    """
    source = resolve(ref, split)
    files = data(source.data) if source.data else None
    with _damage():
        found = source.load(ref, split, n, seed, files)

    def take(chosen: Array) -> Array:
        with _damage():
            return found.take(chosen)

    return Part(found.y, take)


@contextmanager
def _damage() -> Iterator[None]:
    """A damaged data file is as good as an absent one."""
    try:
        yield
    except CorruptError as error:
        raise DataError(str(error)) from error


def is_seeded(ref: SetRef) -> bool:
    """Whether the set is drawn anew for every trial seed (the toys) and not fixed."""
    return resolve(ref).seeded


def resolve(ref: SetRef, *splits: Split) -> Source:
    """The source of a reference, if it has what is asked for.

    Raises:
        SpecError: it does not.
    """
    if ref.source == "folder":
        source: Source = _own_folder(ref)
    elif ref.source in SOURCES:
        source = SOURCES[ref.source]
    else:
        raise SpecError(f"no source '{ref.source}'{closest(ref.source, [*SOURCES, 'folder'])}")
    for split in splits:
        if split not in source.splits:
            known = ", ".join(source.splits)
            raise SpecError(f"source '{ref.source}' has no split '{split}' (it has {known})")
    if max(ref.classes, default=-1) >= source.classes:
        raise SpecError(
            f"source '{ref.source}' has {source.classes} classes, found {list(ref.classes)}"
        )
    return source


def _own_folder(ref: SetRef) -> Published:
    """Images of one's own; the reference itself says how to read them."""
    fit = Fit(ref.size)

    def read(files: DataSet, part: str) -> Part:
        return read_folder(files.files["images"], ref.n_classes, fit)

    shape = (ref.size, ref.size, 3)
    data = f"{OWN_FOLDER}{ref.path}"
    return Published(ref.path, shape, ref.n_classes, read, FOLDER_SHARES, data)


_ROLES: Mapping[str, Sequence[Split]] = {
    "id": ID_SPLITS,
    "ood": ("ood",),
    "shift": ("shift",),
    "val_ood": ("ood-val",),
    "outliers": ("outliers",),
}
"""The splits that a task's sets must have."""


def check(task: TaskSpec) -> None:
    """See that a task's sets and sizes exist and fit each other.

    Raises:
        SpecError: they do not; names the file, the key and what was expected.
    """
    params = task_params(task)
    tiers = {f"tiers.{name}": protocol(task, table) for name, table in task.tiers.items()}
    at = where(task)
    roles = {key: _splits(key, params) for key in params.sets}
    chosen = {
        key: _checked(ref, roles[key], f"{at}: params.{key}") for key, ref in params.sets.items()
    }
    shapes = {key: source.shape for key, source in chosen.items()}
    if len(set(shapes.values())) > 1:
        raise SpecError(f"{at}: params: expected examples of one shape, found {shapes}")
    if params.classifier != "softmax" and len(chosen["id"].shape) < 2:
        raise SpecError(
            f"{at}: params.classifier: expected 'softmax' for vectors, found '{params.classifier}'"
        )
    _check_classes(at, params)
    _check_files(task, params, list(chosen.values()))
    for key, sizes in tiers.items():
        _check_sizes(f"{at}: {key}", sizes, {key: (chosen[key], roles[key]) for key in chosen})


def _splits(key: str, params: OodParams) -> Sequence[Split]:
    """What a task needs of one of its sets."""
    mixed: Mapping[str, Split] = {"id": "unlabelled", "ood": "ood-unlabelled"}
    return [*_ROLES[key], *([mixed[key]] if params.transductive and key in mixed else [])]


def _checked(ref: SetRef, splits: Sequence[Split], at: str) -> Source:
    """The source of a reference, or an error that says where it stands."""
    try:
        return resolve(ref, *splits)
    except SpecError as error:
        raise SpecError(f"{at}: {error}") from error


def _check_classes(at: str, params: OodParams) -> None:
    """What is in must have classes, the shifted ones the same; what is out must be none of them."""
    inside = resolve(params.id)
    count = len(params.id.classes) or inside.classes
    if count < 2:
        raise SpecError(f"{at}: params.id: expected at least two classes, found {count}")
    if params.shift is not None:
        shifted = len(params.shift.classes) or resolve(params.shift).classes
        if shifted != count:
            raise SpecError(f"{at}: params.shift: expected the {count} ID classes, found {shifted}")
    ood = params.ood
    # A toy's outside is none of its classes.
    if ood is None or inside.seeded or (ood.source, ood.path) != (params.id.source, params.id.path):
        return
    every = range(inside.classes)
    both = set(params.id.classes or every) & set(ood.classes or every)
    if both:
        raise SpecError(f"{at}: params.ood.classes: {sorted(both)} are in params.id too")


def _check_files(task: TaskSpec, params: OodParams, sources: list[Source]) -> None:
    at = where(task)
    needed = {source.data for source in sources if source.data} | ({params.weights} - {""})
    if needed != set(task.data):
        raise SpecError(f"{at}: data: expected {sorted(needed)}, found {sorted(task.data)}")
    atlas = ATLAS_SHA256 if any(source.atlas for source in sources) else ""
    if params.atlas != atlas:
        raise SpecError(f"{at}: params.atlas: expected '{atlas}', found '{params.atlas}'")


def _check_sizes(
    at: str, sizes: Protocol, chosen: Mapping[str, tuple[Source, Sequence[Split]]]
) -> None:
    """What is drawn has no size of its own."""
    for source, splits in chosen.values():
        for split in splits:
            if isinstance(source, Drawn) and not sizes.size(split):
                key = f"n_{split}".replace("-", "_")
                raise SpecError(f"{at}.{key}: expected at least 1 of a set that is drawn, found 0")
