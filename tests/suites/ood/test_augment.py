"""Random crops and mirror images against a loop over images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rlbench.suites.ood.augment import crop_flip


@pytest.mark.parametrize("shape", [(40, 16, 16), (40, 8, 24, 3)])
def test_every_result_is_a_crop_of_the_padded_image_or_its_mirror(shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(1, 256, shape, dtype=np.uint8)
    height, width = shape[1:3]
    found = crop_flip(torch.from_numpy(images), np.random.default_rng(1)).numpy()
    down, right = height // 8, width // 8
    border = [(down, down), (right, right)] + [(0, 0)] * (len(shape) - 3)

    assert found.shape == shape
    assert found.dtype == np.uint8
    seen = set()
    for image, result in zip(images, found, strict=True):
        padded = np.pad(image, border)
        fits = {
            (y, x, mirrored)
            for y in range(2 * down + 1)
            for x in range(2 * right + 1)
            for mirrored in (False, True)
            if np.array_equal(
                padded[y : y + height, x : x + width][:, :: -1 if mirrored else 1], result
            )
        }
        assert len(fits) == 1
        seen |= fits
    assert {mirrored for _, _, mirrored in seen} == {False, True}
    assert {y for y, _, _ in seen} == set(range(2 * down + 1))


def test_the_same_generator_gives_the_same_crops() -> None:
    images = torch.arange(2 * 64, dtype=torch.uint8).reshape(2, 8, 8)
    first, again = (crop_flip(images, np.random.default_rng(3)) for _ in range(2))

    assert torch.equal(first, again)
