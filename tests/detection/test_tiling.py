import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvtool.detection.tiling import tile_boxes

check = settings(max_examples=150, deadline=None, derandomize=True)


def test_by_hand():
    assert tile_boxes(100, 180, 100).tolist() == [[0, 0, 100, 100], [80, 0, 180, 100]]
    assert tile_boxes(50, 60, 100).tolist() == [[0, 0, 60, 50]]
    assert tile_boxes(4, 4, 2, 0).tolist() == [
        [0, 0, 2, 2],
        [2, 0, 4, 2],
        [0, 2, 2, 4],
        [2, 2, 4, 4],
    ]


@check
@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.integers(1, 120),
    st.sampled_from([0, 0.2, 0.5, 0.9]),
)
def test_tiles_cover_the_picture_and_overlap(height, width, tile, overlap):
    tiles = tile_boxes(height, width, tile, overlap)
    covered = np.zeros((height, width), bool)
    for x1, y1, x2, y2 in tiles:
        assert 0 <= x1 < x2 <= width
        assert 0 <= y1 < y2 <= height
        assert (x2 - x1, y2 - y1) == (min(tile, width), min(tile, height))
        covered[y1:y2, x1:x2] = True
    assert covered.all()
    assert tiles[:, 2].max() == width
    assert tiles[:, 3].max() == height
    for starts in (np.unique(tiles[:, 0]), np.unique(tiles[:, 1])):
        steps = np.diff(starts)
        # A tile of few pixels must move on by at least one.
        assert (steps <= max(1, tile * (1 - overlap) + 1e-9)).all()
    assert len(tiles) == len(np.unique(tiles, axis=0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 10, 5), "cannot cover"),
        ((10, 10, 0), "cannot cover"),
        ((10, 10, 5, 1), "overlap"),
        ((10, 10, 5, -0.1), "overlap"),
    ],
)
def test_refuses_nonsense(arguments, message):
    with pytest.raises(ValueError, match=message):
        tile_boxes(*arguments)
