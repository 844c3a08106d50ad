"""Published weights: read right, and no damage gets through."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlbench.core.assets import AssetStore
from rlbench.core.context import Context
from rlbench.core.data import DataSet, DataStore
from rlbench.core.errors import CorruptError
from rlbench.core.registry import Registry
from rlbench.core.seeding import generator
from rlbench.core.trial import Trial
from rlbench.learn.weights import to_arrays
from rlbench.suites.ood.classifiers import build, initialise
from rlbench.suites.ood.params import Protocol, task_params
from rlbench.suites.ood.safetensors import read_safetensors
from rlbench.suites.ood.sets import Sets
from rlbench.suites.ood.trainer import Trainer

REGISTRY = Registry.load()


def write(path: Path, header: Any, data: bytes) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def entry(shape: list[int], start: int, stop: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def test_tensors_come_back_as_they_were_written(tmp_path: Path) -> None:
    a, b = np.arange(6, dtype="<f4").reshape(2, 3), np.array(7, dtype="<i8")
    header = {
        "__metadata__": {"format": "pt"},
        "a": entry([2, 3], 0, 24),
        "b": entry([], 24, 32, "I64"),
    }
    found = read_safetensors(write(tmp_path / "w", header, a.tobytes() + b.tobytes()))

    assert set(found) == {"a", "b"}
    assert np.array_equal(found["a"], a)
    assert found["b"].shape == ()
    assert found["b"] == 7


def test_a_task_with_published_weights_takes_them_and_trains_nothing(tmp_path: Path) -> None:
    network = build("resnet8", 1, 6, 8)
    initialise(network, generator("test"))
    named = {name.replace("head.", "fc."): a for name, a in to_arrays(network).items()}
    kept = {name: a for name, a in named.items() if not name.endswith("num_batches_tracked")}
    header, data = {}, b""
    for name, array in kept.items():
        header[name] = entry(list(array.shape), len(data), len(data) + array.nbytes)
        data += array.tobytes()
    write(tmp_path / "w", header, data)
    task = REGISTRY.tasks["ood/digits8-6789"]
    trial = Trial(task, REGISTRY.baselines["ood/msp"], {}, {}, "smoke", 0)
    ctx = Context(
        trial,
        assets=AssetStore(tmp_path, "0" * 64),
        data=DataStore({}),
        checkpoint=tmp_path / "checkpoint.npz",
    )
    ctx._used_data["w"] = DataSet("w", {"weights": tmp_path / "w"}, "0" * 64)
    params = replace(task_params(task), weights="w")
    found = Trainer(Sets(ctx, params, Protocol(50, 10, 10))).weights()

    expected = to_arrays(network)
    assert set(found) == set(expected)
    assert all(np.array_equal(found[name], expected[name]) for name in kept if name in found)
    assert np.array_equal(found["head.weight"], expected["head.weight"])


@pytest.mark.parametrize(
    "header",
    [
        {"a": entry([2, 3], 0, 20)},
        {"a": entry([2, 3], 8, 32)},
        {"a": entry([2**40, 2**40], 0, 24)},
        {"a": entry([-2, -3], 0, 24)},
        {"a": entry([2, 3], -24, 0)},
        {"a": entry([2, 3], 0, 24, "PICKLE")},
        {"a": {"dtype": "F32"}},
        {"a": 3},
        [1, 2],
    ],
)
def test_a_table_that_lies_is_refused_in_one_line(tmp_path: Path, header: Any) -> None:
    path = write(tmp_path / "w", header, bytes(24))

    with pytest.raises(CorruptError, match=f"{path}: not a whole safetensors file") as caught:
        read_safetensors(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"1234567", b"\xff" * 40, (100).to_bytes(8, "little")])
def test_what_is_no_safetensors_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "w"
    path.write_bytes(data)

    with pytest.raises(CorruptError, match=f"{path}: not a safetensors file"):
        read_safetensors(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match="cannot read: No such file"):
        read_safetensors(tmp_path / "absent")
