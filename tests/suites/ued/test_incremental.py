"""The patches of edited maps: each different one once, nothing for edits without effect."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from rlbench.suites.ued.editor import Editor
from rlbench.suites.ued.incremental import Canvases, sparsely_multiplied

HEIGHT, WIDTH, N_WALLS = 4, 5, 6


def designed(tiles: list[int], n: int) -> torch.Tensor:
    """The maps of n equal designs: [T, n, 3, height + 2, width + 2]."""
    editor, rng = Editor(HEIGHT, WIDTH, n_walls=N_WALLS, noise=0), torch.Generator()
    canvas, images = editor.start(n, rng), []
    for tile in tiles:
        images.append(editor.observe(canvas, rng).image)
        canvas = editor.step(canvas, torch.full((n,), tile), rng)
    return torch.stack(images)


TILES = st.lists(st.integers(0, HEIGHT * WIDTH - 1), min_size=N_WALLS + 2, max_size=N_WALLS + 2)


@given(tiles=TILES)
def test_patches_that_several_levels_share_are_kept_once(tiles: list[int]) -> None:
    canvases = Canvases(HEIGHT, WIDTH)

    one, many = (canvases.views(designed(tiles, n)) for n in (1, 3))

    assert torch.equal(one.patch, many.patch)
    assert one.counts == many.counts
    place = torch.arange(HEIGHT * WIDTH).repeat_interleave(torch.tensor(one.counts))
    rows = torch.cat([place[:, None], one.patch], 1)
    assert len(rows.unique(dim=0)) == len(rows)  # type: ignore[no-untyped-call]


@given(tiles=TILES)
def test_only_positions_that_see_the_changed_tile_are_touched(tiles: list[int]) -> None:
    image, canvases = designed(tiles, 1)[:, 0], Canvases(HEIGHT, WIDTH)

    place, owner = canvases.touched(image[:-1], image[1:])

    patches = image.flatten(2)[:, :, canvases.cells]
    changed = (patches[:-1] != patches[1:]).any(3).any(1)
    assert torch.equal(torch.stack([owner, place], 1), changed.nonzero())


def test_the_product_without_zeros_is_the_whole_product() -> None:
    rng = torch.Generator().manual_seed(0)
    rows = torch.relu(torch.randn(9, 6, generator=rng))
    rows[3] = 0
    weight, group = torch.randn(4, 6, 5, generator=rng), torch.tensor([0, 0, 0, 1, 1, 3, 3, 3, 3])

    product = sparsely_multiplied(rows, weight, group)

    torch.testing.assert_close(product, torch.einsum("ka,kab->kb", rows, weight[group]))
    assert sparsely_multiplied(rows[:0], weight, group[:0]).shape == (0, 5)
