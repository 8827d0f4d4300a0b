"""The sheet: what stands where."""

import numpy as np
import pytest

from cvtool.visualising.layers import Layer
from cvtool.visualising.receptive_fields import Field
from cvtool.visualising.sheet import draw_sheet, tile_of
from cvtool.visualising.top_patches import LayerPatches, Patch, UnitPatches
from cvtool.visualising.views import PATCH

GREY = (238, 238, 238)


def layer_of(spans, shape, side=32):
    field = Field(np.array(spans), np.array(spans), (side, side))
    return Layer("stage/conv", "Conv2D", shape, field, "stage/conv", learns=True, last=False)


# Three positions of windows 8 wide, the first and the last half outside of the picture.
CUT = layer_of([[0, 4], [12, 20], [28, 32]], (3, 3, 5))
WHOLE = layer_of([[0, 32]] * 4, (4, 4, 5))
NUMBERS = layer_of([[0, 32]], (5,))


def patch_at(row, column, layer, colour=(200, 30, 30)):
    x1, y1, x2, y2 = layer.shown_box(row, column)
    pixels = np.full((y2 - y1, x2 - x1, 3), colour, np.uint8)
    return Patch("a.png", None, (x1, y1, x2, y2), (row, column), 1.5, pixels)


def test_a_cut_patch_lies_where_it_would_lie_uncut():
    half = PATCH // 2
    red = [
        (tile_of(patch_at(row, column, CUT), CUT) == (200, 30, 30)).all(axis=-1)
        for row, column in [(1, 1), (0, 1), (1, 0), (2, 2)]
    ]
    assert red[0].all()
    assert red[1][half:].all() and not red[1][:half].any()
    assert red[2][:, half:].all() and not red[2][:, :half].any()
    assert red[3][:half, :half].all() and red[3].sum() == half * half
    assert (tile_of(patch_at(0, 1, CUT), CUT)[0] == GREY).all()


def test_in_a_whole_picture_the_position_is_marked():
    tile = tile_of(patch_at(0, 3, WHOLE), WHOLE)
    marked = np.argwhere((tile != (200, 30, 30)).any(axis=-1))
    (top, left), (bottom, right) = marked.min(axis=0), marked.max(axis=0)
    assert top == 0 and right == PATCH - 1
    assert PATCH * 0.7 < left < PATCH * 0.8 and PATCH * 0.2 < bottom < PATCH * 0.3
    # Numbers have no position.
    assert (tile_of(patch_at(0, 0, NUMBERS), NUMBERS) == (200, 30, 30)).all()


@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize("patches", [1, 5, 9])
def test_every_patch_of_every_unit_is_on_the_sheet(count, patches):
    shades = [(7 * n + 5, 255 - 7 * n, 3 * n) for n in range(count)]
    units = tuple(
        UnitPatches(n, (patch_at(1, 1, CUT, shade),) * patches) for n, shade in enumerate(shades)
    )
    sheet = draw_sheet(LayerPatches(CUT, units, 100), "net", patches=patches)
    height, width = sheet.shape[:2]
    assert sheet.dtype == np.uint8 and 0.2 < height / width < 2.5
    for shade in shades:
        assert (sheet == shade).all(axis=-1).sum() == patches * PATCH * PATCH


def test_names_that_are_too_long_stay_in_their_block():
    units = (UnitPatches(0, ()), UnitPatches(1, (patch_at(1, 1, CUT),)))
    found = LayerPatches(CUT, units, 100)
    short = draw_sheet(found, "net", patches=1, labels=["", "ä", "", "", ""])
    long = draw_sheet(found, "net", patches=1, labels=["a very long name " * 9, "ä", "", "", ""])
    block = 24 + PATCH
    assert np.array_equal(short[:, block:], long[:, block:])
    assert not np.array_equal(short[:, :block], long[:, :block])
