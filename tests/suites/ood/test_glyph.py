"""Glyph images: the atlas, the geometry of the resampling, and what the sets look like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlbench.core.errors import CorruptError
from rlbench.suites.ood import glyph
from rlbench.suites.ood.corruptions import UPSIDE_DOWN
from rlbench.suites.ood.examples import Array, Examples
from rlbench.suites.ood.glyph import ALPHABETS, ATLAS_SHA256, IMAGE, SIDE
from rlbench.suites.ood.params import SetRef, Split
from rlbench.suites.ood.sources import load as load_set

MARGIN = (SIDE - IMAGE) // 2
IDENTITY = np.eye(2)


def load(name: str, n: int, split: Split = "ood") -> Examples:
    def no_files(name: str) -> None:
        raise AssertionError(name)

    found = load_set(SetRef(name), split, n, seed=0, data=no_files)  # type: ignore[arg-type]
    return found.whole()


def blob(seed: int) -> Array:
    """A mask of random blocks, empty near its border: (1, SIDE, SIDE)."""
    blocks = np.random.default_rng(seed).random((5, 5)).repeat(4, 0).repeat(4, 1)
    return np.pad(blocks, 10).astype(np.float32)[None]


def sampled(mask: Array, matrix: Array, shift: tuple[float, float] = (0.0, 0.0)) -> Array:
    image: Array = glyph.resample(mask, np.array([0]), matrix[None], np.array([shift]))[0]
    return image


def cut(mask: Array) -> Array:
    middle: Array = mask[0, MARGIN:-MARGIN, MARGIN:-MARGIN]
    return middle


def test_every_character_has_a_mask_in_at_least_sixteen_faces() -> None:
    atlas = glyph.load_atlas()
    assert set(atlas) == set("".join(ALPHABETS.values()))
    for character, masks in atlas.items():
        assert masks.dtype == np.uint8
        assert masks.shape[1:] == (SIDE, SIDE)
        assert len(masks) >= (21 if character.isascii() and character.isalnum() else 16)


def test_ink_is_centred_and_keeps_off_the_border() -> None:
    for masks in glyph.load_atlas().values():
        for mask in masks:
            for axis in (0, 1):
                inked = np.flatnonzero(mask.any(axis))
                assert 1 <= inked[0] <= inked[-1] <= SIDE - 2
                assert abs(inked[0] + inked[-1] - (SIDE - 1)) <= 1


def test_characters_of_a_face_differ() -> None:
    masks = np.stack([masks[0] for masks in glyph.load_atlas().values()])
    assert len(np.unique(masks.reshape(len(masks), -1), axis=0)) == len(masks)


@pytest.mark.parametrize("content", [b"", b"not an atlas"])
def test_another_atlas_is_refused_by_its_checksum(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "glyph_atlas.npz"
    path.write_bytes(content)
    with pytest.raises(CorruptError, match=rf"glyph_atlas\.npz: expected .*{ATLAS_SHA256[:12]}"):
        glyph.load_atlas(path)


@given(st.integers(0, 99))
def test_the_identity_cuts_out_the_middle_of_the_mask(seed: int) -> None:
    mask = blob(seed)
    assert np.allclose(sampled(mask, IDENTITY), cut(mask), atol=1e-5)


@given(st.integers(0, 99), st.integers(-3, 3), st.integers(-3, 3))
def test_a_shift_of_whole_pixels_moves_the_picture(seed: int, right: int, down: int) -> None:
    mask = blob(seed)
    moved = np.roll(cut(mask), (down, right), (0, 1))
    assert np.allclose(sampled(mask, IDENTITY, (right, down)), moved, atol=1e-4)


@given(st.integers(0, 99))
def test_a_quarter_turn_is_exact(seed: int) -> None:
    mask = blob(seed)
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    assert np.allclose(sampled(mask, quarter), np.rot90(cut(mask)), atol=1e-4)


@given(st.floats(0.5, 1.2))
def test_zoom_scales_the_inked_area_by_its_square(zoom: float) -> None:
    mask = np.pad(np.ones((16, 16), dtype=np.float32), 12)[None]
    assert sampled(mask, IDENTITY / zoom).sum() == pytest.approx(256 * zoom**2, rel=0.12)


def test_transforms_fill_the_ranges_of_the_card_and_stay_inside() -> None:
    inverse, shift = glyph.transforms(np.random.default_rng(0), 5000)
    first, second = inverse[:, 0], inverse[:, 1]
    zoom = 1 / np.hypot(*second.T)
    angle = np.rad2deg(np.arctan2(-second[:, 0], second[:, 1]))
    shear = -(first * second).sum(1) * zoom**2
    for values, low, high in [
        (zoom * glyph.EM, 17 * 0.8, 26 * 1.15),
        (angle, -20, 20),
        (shear, -0.25, 0.25),
        (shift, -2, 2),
    ]:
        assert low <= values.min() < values.max() <= high
        assert values.max() - values.min() > 0.9 * (high - low)
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.05 * (high - low))


def test_labels_belong_to_the_pictures() -> None:
    train, test = load("glyph-digits", 4000, "train"), load("glyph-digits", 400, "test")
    bank, queries = (
        found.x.reshape(len(found.x), -1).astype(np.float32) for found in (train, test)
    )
    bank /= np.linalg.norm(bank, axis=1, keepdims=True)
    nearest = train.y[(queries @ bank.T).argmax(1)]
    assert (nearest == test.y).mean() > 0.8


@pytest.mark.parametrize("name", ["glyph-digits", "glyph-upper", "glyph-lower", "glyph-symbols"])
def test_characters_are_bright_on_a_noisy_black_background(name: str) -> None:
    x = load(name, 500).x
    assert np.median(x) < 10
    assert (x.max((1, 2)) > 120).all()
    frame = np.concatenate([x[:, :2].ravel(), x[:, -2:].ravel()])
    assert (frame > 100).mean() < 0.01  # hardly any character is cut off


def test_the_background_alone_is_half_normal_noise_of_eight_levels() -> None:
    x = load("black-noise", 200).x
    assert (x == 0).mean() == pytest.approx(0.525, abs=0.01)  # P(N(0, 8) < 0.5)
    assert np.sqrt((x.astype(float) ** 2).mean()) == pytest.approx(8 / np.sqrt(2), rel=0.02)


def test_inverted_digits_are_dark_on_white() -> None:
    assert np.median(load("glyph-inverted", 200).x) > 245


def test_shuffling_keeps_the_greys_and_destroys_the_shapes() -> None:
    digits, shuffled = load("glyph-digits", 500).x, load("glyph-pixel-shuffled", 500).x
    assert shuffled.mean() == pytest.approx(digits.mean(), rel=0.1)
    steps = [np.abs(np.diff(x.astype(float), axis=2)).mean() for x in (digits, shuffled)]
    assert steps[1] > 1.5 * steps[0]


def test_upside_down_digits_are_those_that_are_no_digit_then() -> None:
    upright = glyph.draw(np.random.default_rng(0), UPSIDE_DOWN, 1000, glyph.load_atlas())[0]
    turned = load("glyph-upside-down", 1000)
    assert set(UPSIDE_DOWN).isdisjoint("01689")
    assert len(np.unique(turned.y)) == len(UPSIDE_DOWN)
    means = [x.astype(float).mean(0).ravel() for x in (upright, turned.x, turned.x[:, ::-1, ::-1])]
    near, far = (np.corrcoef(means[0], means[i])[0, 1] for i in (2, 1))
    assert near > far
    assert near > 0.99


@pytest.mark.parametrize(("name", "spread"), [("gaussian", 61.0), ("uniform", 73.9)])
def test_noise_pictures_have_their_mean_and_spread(name: str, spread: float) -> None:
    x = load(name, 200).x.astype(float)
    assert x.mean() == pytest.approx(127.5, abs=0.7)
    assert x.std() == pytest.approx(spread, rel=0.02)


def test_textures_use_a_wide_range_of_greys_in_every_picture() -> None:
    x = load("textures", 200).x
    assert (x.min((1, 2)) <= 80).all()
    assert (x.max((1, 2)) >= 160).all()
