"""pytorch-ood, where it is installed; imported without the compiled part of torchvision.

It imports torchvision, whose wheels for CUDA do not load on torch's CPU build: they look for an
operator of theirs that is then missing. Declaring the operator is enough, as nothing calls it.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from types import ModuleType

import pytest
import torch

_LIBRARIES: list[torch.library.Library] = []
"""Declarations last as long as the object that made them."""


def detectors() -> ModuleType:
    """`pytorch_ood.detector`; skips the test that asks where there is none."""
    if importlib.util.find_spec("pytorch_ood") is None:
        pytest.skip("pytorch-ood is not installed; benchmarks/ood.py says how to")
    if not _LIBRARIES:
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
        _LIBRARIES.append(library)
        for name in ("nms", "qnms"):
            signature = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            if not hasattr(torch.ops.torchvision, name):
                library.define(f"{name}{signature}")  # type: ignore[no-untyped-call]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("pytorch_ood.detector")
