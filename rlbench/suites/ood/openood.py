"""The sets of OpenOOD v1.5 (arXiv 2306.09301), read through its own image lists.

Its data folder holds `benchmark_imglist/`, `images_classic/` and `images_largescale/`; the lists
decide which images are trained on, validated on and tested, so nothing here repeats that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rlbench.core.data import DataSet
from rlbench.suites.ood.examples import ID_SPLITS, Cut, Part, Published
from rlbench.suites.ood.images import CIFAR_LIKE, IMAGENET_LIKE, Fit
from rlbench.suites.ood.params import Split
from rlbench.suites.ood.trees import read_lists

CIFAR_FAR = ("mnist", "svhn", "texture", "places365")
IMAGENET_OOD = ("ssb-hard", "ninco", "inaturalist", "textures", "openimage-o")
CLASSIC = frozenset({"textures"})
"""Lists of the large sets whose images lie in `images_classic`."""
SHIFTED = "imagenet-v2+imagenet-c+imagenet-r"


@dataclass(frozen=True)
class Benchmark:
    """One in-distribution set of OpenOOD and all that goes with it."""

    name: str
    n_classes: int
    root: str
    """The key of the folder that its lists are relative to."""
    fit: Fit
    ood: tuple[str, ...]
    shifted: str
    """Lists of covariate-shifted ID, joined by `+`; empty where there are none."""
    outliers: bool = True
    """Whether there is a set to train with."""

    def sources(self) -> dict[str, Published]:
        """Its sources by name."""
        own = f"openood-{self.name}"
        cuts: dict[Split, Cut] = {s: Cut(s) for s in ID_SPLITS}
        found = {own: self._source("ID", self.n_classes, cuts, own)}
        for other in self.ood:
            found[f"{own}-{other}"] = self._source(other, 0, {"ood": Cut(other)}, own)
        found[f"{own}-val"] = self._source("OOD validation", 0, {"ood-val": Cut("ood-val")}, own)
        if self.outliers:
            cuts = {"outliers": Cut("outliers")}
            found[f"{own}-outliers"] = self._source("training outliers", 0, cuts, own)
        if self.shifted:
            cuts = {"shift": Cut(self.shifted)}
            data = f"{own}-shift"
            found[data] = self._source("covariate-shifted ID", self.n_classes, cuts, data)
        return found

    def _source(self, what: str, n_classes: int, cuts: Mapping[Split, Cut], data: str) -> Published:
        def read(files: DataSet, part: str) -> Part:
            keys = part.split("+")
            roots = [files.files["classic" if key in CLASSIC else self.root] for key in keys]
            return read_lists([files.files[key] for key in keys], roots, n_classes, self.fit)

        title = f"OpenOOD's {self.name}: {what}"
        return Published(title, (self.fit.size, self.fit.size, 3), n_classes, read, cuts, data)


BENCHMARKS = (
    Benchmark("cifar10", 10, "classic", CIFAR_LIKE, ("cifar100", "tin", *CIFAR_FAR), "cifar10c"),
    Benchmark("cifar100", 100, "classic", CIFAR_LIKE, ("cifar10", "tin", *CIFAR_FAR), ""),
    Benchmark("imagenet200", 200, "large", IMAGENET_LIKE, IMAGENET_OOD, SHIFTED),
    Benchmark("imagenet1k", 1000, "large", IMAGENET_LIKE, IMAGENET_OOD, SHIFTED, outliers=False),
)
OPENOOD: Mapping[str, Published] = {
    name: source for benchmark in BENCHMARKS for name, source in benchmark.sources().items()
}
"""Sources by name."""
