"""Self-made shifts and outliers: mild where the class must stay, mixed where it must not."""

from __future__ import annotations

import numpy as np
import pytest

from rlbench.suites.ood import corruptions
from rlbench.suites.ood.corruptions import half_digits, spoilt_photo
from rlbench.suites.ood.examples import Classes, Examples

STEP = np.repeat(np.arange(32) >= 16, 3).reshape(1, 32, 3) * np.full((32, 1, 1), 255, np.uint8)


@pytest.mark.parametrize(("index", "changed"), [(0, 9.0), (1, 4.0), (2, 60.0)])
def test_a_spoilt_photo_still_shows_what_it_showed(index: int, changed: float) -> None:
    found = spoilt_photo(STEP, index)
    assert found.shape == STEP.shape
    assert found.dtype == np.uint8
    assert np.abs(found.astype(float) - STEP).mean() > changed
    assert np.corrcoef(found.ravel(), STEP.ravel())[0, 1] > 0.9


def test_noise_differs_from_picture_to_picture_and_repeats() -> None:
    grey = np.full((32, 32, 3), 128, np.uint8)
    assert np.array_equal(spoilt_photo(grey, 0), spoilt_photo(grey, 0))
    assert not np.array_equal(spoilt_photo(grey, 0), spoilt_photo(grey, 3))
    assert abs(spoilt_photo(grey, 0).astype(float).std() - 25.0) < 2.0


def test_blur_keeps_the_mean_and_widens_an_edge() -> None:
    row = spoilt_photo(STEP, 1)[10, :, 0].astype(int)
    assert row[:14].max() == 0
    assert row[18:].min() == 255
    assert (np.diff(row) >= 0).all()
    assert len(set(row)) == 6  # two boxes of three turn a step into four levels between


def test_fading_draws_pixels_to_mid_grey() -> None:
    assert set(np.unique(spoilt_photo(STEP, 2))) == {76, 178}


def test_the_halves_of_an_outlier_come_from_different_digits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def flat(rng: np.random.Generator, classes: Classes, n: int) -> Examples:
        y = np.arange(n) % len(classes)
        return Examples(np.full((n, 28, 28), y[:, None, None], dtype=np.uint8), y)

    monkeypatch.setattr(corruptions, "digits", flat)  # whose grey is their class
    x = half_digits(np.random.default_rng(0), (), 300).x
    upper, lower = x[:, 0, 0], x[:, 27, 0]
    assert (x[:, :14] == upper[:, None, None]).all()
    assert (x[:, 14:] == lower[:, None, None]).all()
    assert (upper != lower).all()
    assert np.bincount(upper).tolist() == [30] * 10
    assert len(set(zip(upper, lower, strict=True))) > 80  # of 90
