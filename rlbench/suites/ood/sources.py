"""Where examples come from: every source by name, and the one function that loads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rlbench.core.data import DataSet
from rlbench.core.errors import SpecError, closest
from rlbench.core.spec import TaskSpec
from rlbench.suites.ood.corruptions import NOISES, SPOILT_DIGITS
from rlbench.suites.ood.examples import ID_SPLITS, Drawn, Examples, Fixed, Shares, Source, Split
from rlbench.suites.ood.glyph import ALPHABETS, ATLAS_SHA256, IMAGE, glyphs
from rlbench.suites.ood.params import OodParams, Protocol, SetRef, protocol, task_params, where
from rlbench.suites.ood.pictures import handwritten_8x8, handwritten_28x28, photos
from rlbench.suites.ood.real import idx_pair, npz_pair, npz_whole
from rlbench.suites.ood.textures import KINDS, textures
from rlbench.suites.ood.toy import TOYS

__all__ = ["SOURCES", "Examples", "Split", "check", "is_seeded", "load"]

GREY = (IMAGE, IMAGE)
CUT: Shares = {"train": (0.0, 0.7), "val": (0.7, 0.8), "test": (0.8, 1.0)}
WHOLE: Shares = {"ood": (0.0, 1.0)}


def _alphabet(title: str, name: str, *splits: Split) -> Drawn:
    make = glyphs(name)
    return Drawn(title, GREY, len(ALPHABETS[name]), dict.fromkeys(splits, make), atlas=True)


SOURCES: Mapping[str, Source] = {
    **TOYS,
    "glyph-digits": _alphabet("printed digits", "digits", "train", "val", "test", "ood"),
    "glyph-upper": _alphabet("printed letters A to J", "upper", "ood"),
    "glyph-lower": _alphabet("printed letters a to z, no l, no o", "lower", "ood"),
    "glyph-symbols": _alphabet("printed symbols", "symbols", "ood"),
    "glyph-greek": _alphabet("printed Greek capitals", "greek", "ood-val"),
    **{
        f"glyph-{name}": Drawn(f"{name} digits", GREY, classes, {"ood": make}, atlas=True)
        for name, (make, classes) in SPOILT_DIGITS.items()
    },
    **{name: Drawn(f"{name} pictures", GREY, 0, {"ood": make}) for name, make in NOISES.items()},
    "textures": Drawn("procedural textures", GREY, len(KINDS), {"ood": textures}),
    "photos": Drawn("patches of two photographs", GREY, 0, {"ood": photos}),
    "handwritten": Fixed("handwritten digits, enlarged", GREY, 10, handwritten_28x28, WHOLE),
    "digits8": Fixed("handwritten digits, 8x8", (8, 8), 10, handwritten_8x8, {**CUT, **WHOLE}),
    "mnist": Fixed("MNIST, the 10,000 test images", GREY, 10, idx_pair, CUT, data="mnist-test"),
    "kmnist": Fixed("KMNIST test images", GREY, 10, npz_pair, WHOLE, data="kmnist-test"),
    "notmnist": Fixed("notMNIST letters", GREY, 10, idx_pair, WHOLE, data="notmnist-test"),
    "fashion": Fixed(
        "900 Fashion-MNIST images", GREY, 10, npz_whole, WHOLE, data="fashion-mnist-900"
    ),
    "omniglot": Fixed("Omniglot characters", GREY, 136, npz_whole, WHOLE, data="omniglot-small1"),
}
"""Every source by the name that tasks use."""


def load(
    ref: SetRef, split: Split, n: int, *, seed: int, data: Callable[[str], DataSet]
) -> Examples:
    """`n` examples of a set; the same arguments give the same bytes.

    Args:
        ref: the source and its classes, which come out as 0, 1, … in the order given.
        split: the splits train, val and test of one source never overlap.
        n: how many; 0 for all that a fixed source has.
        seed: the trial's; matters only where `is_seeded`.
        data: gives the files of a declared data set, such as `ctx.data`.

    Raises:
        SpecError: no such source, split or class.
        UsageError: fewer than `n` examples.
        MissingError, CorruptError: its files are absent or damaged.
    """
    source = _source(ref, split)
    files = data(source.data) if source.data else None
    return source.load(ref, split, n, seed, files)


def is_seeded(ref: SetRef) -> bool:
    """Whether the set is drawn anew for every trial seed (the toys) and not fixed."""
    return _source(ref).seeded


def check(task: TaskSpec) -> None:
    """See that a task's sets and sizes exist and fit each other.

    Raises:
        SpecError: they do not; names the file, the key and what was expected.
    """
    params = task_params(task)
    tiers = {f"tiers.{name}": protocol(task, table) for name, table in task.tiers.items()}
    at = where(task)
    chosen = {"id": _checked(params.id, ID_SPLITS, f"{at}: params.id")}
    chosen["ood"] = _checked(params.ood, ("ood",), f"{at}: params.ood")
    if params.val_ood is not None:
        chosen["val_ood"] = _checked(params.val_ood, ("ood-val",), f"{at}: params.val_ood")
    shapes = {key: source.shape for key, source in chosen.items()}
    if len(set(shapes.values())) > 1:
        raise SpecError(f"{at}: params: expected examples of one shape, found {shapes}")
    if params.classifier == "resnet8" and len(chosen["id"].shape) < 2:
        raise SpecError(f"{at}: params.classifier: expected 'softmax' for vectors, found 'resnet8'")
    _check_overlap(at, params)
    _check_files(task, params, list(chosen.values()))
    for key, sizes in tiers.items():
        _check_sizes(f"{at}: {key}", sizes, chosen)


def _checked(ref: SetRef, splits: Sequence[Split], at: str) -> Source:
    """The source of a reference, or an error that says where it stands."""
    try:
        return _source(ref, *splits)
    except SpecError as error:
        raise SpecError(f"{at}: {error}") from error


def _check_overlap(at: str, params: OodParams) -> None:
    """A class cannot be in and out; a toy's outside is none of its classes."""
    source = SOURCES[params.id.source]
    if params.ood.source != params.id.source or source.seeded:
        return
    every = range(source.classes)
    both = set(params.id.classes or every) & set(params.ood.classes or every)
    if both:
        raise SpecError(f"{at}: params.ood.classes: {sorted(both)} are in params.id too")


def _check_files(task: TaskSpec, params: OodParams, sources: list[Source]) -> None:
    at = where(task)
    needed = {source.data for source in sources if source.data}
    if needed != set(task.data):
        raise SpecError(f"{at}: data: expected {sorted(needed)}, found {sorted(task.data)}")
    atlas = ATLAS_SHA256 if any(source.atlas for source in sources) else ""
    if params.atlas != atlas:
        raise SpecError(f"{at}: params.atlas: expected '{atlas}', found '{params.atlas}'")


def _check_sizes(at: str, sizes: Protocol, chosen: Mapping[str, Source]) -> None:
    """What is drawn has no size of its own."""
    asked = {
        "n_train": (sizes.n_train, "id"),
        "n_val": (sizes.n_val, "id"),
        "n_test": (sizes.n_test, "id"),
        "n_ood": (sizes.n_ood, "ood"),
    }
    for key, (size, role) in asked.items():
        if size == 0 and isinstance(chosen[role], Drawn):
            raise SpecError(f"{at}.{key}: expected at least 1 of a set that is drawn, found 0")


def _source(ref: SetRef, *splits: Split) -> Source:
    """The source of a reference, if it has what is asked for.

    Raises:
        SpecError: it does not.
    """
    if ref.source not in SOURCES:
        raise SpecError(f"no source '{ref.source}'{closest(ref.source, SOURCES)}")
    source = SOURCES[ref.source]
    for split in splits:
        if split not in source.splits:
            known = ", ".join(source.splits)
            raise SpecError(f"source '{ref.source}' has no split '{split}' (it has {known})")
    if max(ref.classes, default=-1) >= source.classes:
        raise SpecError(
            f"source '{ref.source}' has {source.classes} classes, found {list(ref.classes)}"
        )
    return source
