from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rlbench.core.errors import MissingError, UsageError
from rlbench.core.hardware import (
    cores,
    gpus,
    machine,
    pick_device,
    settle,
    thread_environment,
    versions,
)

Install = Callable[[str], None]


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put an `nvidia-smi` that runs the given shell line first on the path."""

    def install(line: str) -> None:
        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\n{line}\n")
        tool.chmod(0o755)
        gpus.cache_clear()

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    gpus.cache_clear()
    yield install
    gpus.cache_clear()


def test_without_a_gpu_auto_is_cpu_and_cuda_is_missing(smi: Install) -> None:
    assert pick_device("auto") == pick_device("cpu") == "cpu"
    with pytest.raises(MissingError, match="use --device cpu"):
        pick_device("cuda")


def test_a_driver_that_does_not_answer_counts_as_no_gpu(smi: Install) -> None:
    smi("echo 'Driver/library version mismatch'; exit 18")
    assert gpus() == ()


def test_with_a_gpu_auto_is_cuda_and_cpu_stays_cpu(smi: Install) -> None:
    smi("echo 'NVIDIA H200'")
    assert pick_device("auto") == pick_device("cuda") == "cuda"
    assert pick_device("cpu") == "cpu"


BOTH = "NVIDIA A", "NVIDIA B"


@pytest.mark.parametrize(
    ("visible", "names"),
    [(None, BOTH), ("0", BOTH[:1]), ("1", BOTH[1:]), ("0,1", BOTH), ("", ()), ("-1", ())],
)
def test_a_gpu_that_the_environment_hides_does_not_count(
    smi: Install, monkeypatch: pytest.MonkeyPatch, visible: str | None, names: tuple[str, ...]
) -> None:
    smi('case "$*" in *--id=1) ;; *) echo "NVIDIA A" ;; esac; '
        'case "$*" in *--id=0) ;; *) echo "NVIDIA B" ;; esac')  # fmt: skip
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus() == names


@pytest.mark.parametrize("word", ["gpu", "CUDA", "cuda:1", ""])
def test_another_word_for_a_device_is_a_usage_error(word: str) -> None:
    with pytest.raises(UsageError, match="--device: expected auto, cpu or cuda, found"):
        pick_device(word)


def draws() -> list[Any]:
    return [
        random.random(),
        np.random.random(),  # noqa: NPY002
        torch.rand(2).tolist(),
        torch.empty(1).dtype,
        torch.is_grad_enabled(),
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
    ]


def unsettle() -> None:
    random.seed(5)
    np.random.seed(7)  # noqa: NPY002
    torch.manual_seed(9)
    torch.rand(13)
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(False)


@pytest.fixture
def restored() -> Iterator[None]:
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)


def test_a_trial_meets_the_same_global_state_whatever_ran_before(restored: None) -> None:
    settle(["torch"], ("toy/alpha", 3), 1)
    first = draws()
    unsettle()
    settle(["torch"], ("toy/alpha", 3), 1)
    assert draws() == first
    settle(["torch"], ("toy/alpha", 4), 1)
    assert draws() != first


def test_a_machine_is_described_without_naming_its_owner_or_folders() -> None:
    found = {**machine(), **versions()}
    assert found["python"]
    assert found["numpy"] == np.__version__
    assert not [value for value in found.values() if "/home" in value or str(Path.home()) in value]
    assert cores() >= 1


def test_numeric_libraries_are_held_to_the_threads_asked_for() -> None:
    assert set(thread_environment(3).values()) == {"3"}
    assert "OMP_NUM_THREADS" in thread_environment(3)
