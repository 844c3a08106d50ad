"""Pictures of levels and episodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rlbench.suites.ued.draw import captioned, draw, sheet, stack, write_gif, write_png
from rlbench.suites.ued.levelfile import parse_levels

GREEN, WALL = (46, 160, 67), (70, 74, 82)


def pictures(mark: str = ">", tile: int = 8) -> list[np.ndarray]:
    return draw(parse_levels(f"maze a\n{mark}#\n.G\n", "test")[0].levels(), tile=tile)


def test_walls_frame_goal_and_agent_are_where_they_belong() -> None:
    (picture,) = pictures()
    assert picture.shape == (32, 32, 3)
    centres = picture[4::8, 4::8]
    assert (centres == GREEN).all(2).nonzero() == ([2], [2])
    assert (centres == WALL).all(2).sum() == 13  # the frame's twelve tiles and one of the maze
    red = (picture == (214, 69, 48)).all(2)
    assert set(zip(*(axis // 8 for axis in red.nonzero()), strict=True)) == {(1, 1)}


def test_the_arrow_points_where_the_agent_looks() -> None:
    shapes = [(pictures(mark, tile=16)[0][16:32, 16:32] == (214, 69, 48)).all(2) for mark in ">v<^"]
    right, down, left, up = shapes
    assert np.array_equal(down, np.rot90(right, -1))
    assert np.array_equal(left, right[:, ::-1])
    assert np.array_equal(up, down[::-1])
    widths = right.sum(0)[right.any(0)]
    assert widths[0] > widths[-1]  # broad at the back


def test_a_sheet_holds_pictures_row_by_row() -> None:
    frames = [np.full((4, 5, 3), i, dtype=np.uint8) for i in range(3)]
    page = sheet(frames, columns=2, gap=1)
    assert page.shape == (9, 11, 3)
    assert [page[0, 0, 0], page[0, 6, 0], page[5, 0, 0], page[5, 6, 0]] == [0, 1, 2, 255]


def test_pictures_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="expected some of one size, found 0"):
        sheet([], columns=2)
    with pytest.raises(ValueError, match="tile: expected at least 4 pixels, found 3"):
        pictures(tile=3)


def test_pictures_of_any_width_are_stacked_on_white() -> None:
    page = stack([np.zeros((2, 3, 3), np.uint8), np.ones((1, 5, 3), np.uint8)], gap=2)
    assert page[..., 0].tolist() == [
        [0, 0, 0, 255, 255], [0, 0, 0, 255, 255], [255] * 5, [255] * 5, [1] * 5,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="expected at least one"):
        stack([])


@pytest.mark.parametrize("width", [4, 300])
def test_a_caption_is_above_its_picture_and_not_cut_off(width: int) -> None:
    pytest.importorskip("PIL")
    picture = np.full((5, width, 3), 7, np.uint8)
    short, long = (captioned(picture, text) for text in ("dr", "dr: updates 1, 2"))
    assert (long[-5:, :width] == 7).all()
    assert (long[:-5] != 255).any()
    assert long.shape[1] >= width
    assert (long.shape[1] > short.shape[1]) is (width == 4)


def test_files_can_be_opened_and_hold_every_frame(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    frames = [pictures(mark)[0] for mark in ">v<"]
    write_png(tmp_path / "a.png", frames[0])
    write_gif(tmp_path / "a.gif", frames)
    with image.open(tmp_path / "a.png") as picture:
        assert np.array_equal(np.asarray(picture), frames[0])
    with image.open(tmp_path / "a.gif") as animation:
        assert animation.n_frames == 3
    with pytest.raises(ValueError, match="at least one"):
        write_gif(tmp_path / "b.gif", [])
