"""How much of each class masks show, and how thin it is."""

import numpy as np
import pytest

from cvtool.datasets.masked import VOID
from cvtool.segmentation.contents import count_pixels, detail_of, widths


def test_void_is_counted_nowhere():
    mask = np.array([[0, 1, 1, VOID], [2, 2, 2, VOID]], np.uint8)
    assert count_pixels(mask, 4).tolist() == [1, 2, 3, 0]


def drawn(*regions, side=100):
    mask = np.zeros((side, 2 * side), np.uint8)
    for top, bottom, left, right in regions:
        mask[top:bottom, left:right] = 1
    return mask


@pytest.mark.parametrize(
    ("regions", "width"),
    [
        # A square has its side, a strip twice its width, many have that of one.
        ([(10, 30, 10, 30)], 20),
        ([(10, 30, 10, 30), (50, 70, 50, 70), (50, 70, 150, 170)], 20),
        ([(40, 44, 10, 180)], 2 * 4),
        ([(10, 11, 10, 11)], 1),
    ],
)
def test_width_of_regions(regions, width):
    found = widths(drawn(*regions), 3)
    assert found[1] == pytest.approx(width / 200, rel=0.03)
    assert np.isnan(found[2])


def test_a_void_rim_and_the_edge_of_the_mask_change_little():
    mask = drawn((40, 44, 10, 180))
    rimmed = mask.copy()
    rimmed[39:45, 9:181][mask[39:45, 9:181] == 0] = VOID
    assert widths(rimmed, 2)[1] == pytest.approx(widths(mask, 2)[1])
    # Down to the edge it might go on for ever.
    assert widths(drawn((0, 100, 0, 200)), 2)[1] == 1


def test_the_detail_is_the_lower_quartile_of_the_thinnest_class():
    rows = np.full((12, 4), np.nan)
    rows[:, 0] = 0.001  # the background
    rows[:, 1] = 0.5
    rows[:9, 2] = np.linspace(0.1, 0.9, 9)
    rows[:4, 3] = 0.01  # too few to tell
    assert detail_of(rows) == pytest.approx(0.3)
    assert detail_of(rows[:, [0, 3]]) == pytest.approx(0.01)
    assert detail_of(rows[:, :1]) == 1.0
