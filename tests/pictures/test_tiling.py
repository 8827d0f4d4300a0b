import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvtool.pictures.tiling import BAND_BYTES, enlarge_rows, row_bands, tile_boxes

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


@check
@given(st.integers(0, 50), st.integers(0, 400), st.integers(1, BAND_BYTES * 2))
def test_bands_are_all_rows_once_and_none_too_large(start, height, row_bytes):
    bands = list(row_bands(height, row_bytes, start=start))
    rows = [row for band in bands for row in range(band.start, band.stop)]
    assert rows == list(range(start, height))
    assert all(b.stop - b.start == 1 or (b.stop - b.start) * row_bytes <= BAND_BYTES for b in bands)


@check
@given(st.data())
def test_enlarged_rows_are_those_of_the_whole_enlarged(data):
    h, w = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    height, width = data.draw(st.integers(h, 60)), data.draw(st.integers(w, 60))
    maps = np.random.default_rng(h * w).random((2, h, w)).astype(np.float32)
    expected = [cv2.resize(plane, (width, height)) for plane in maps]
    first = data.draw(st.integers(0, height - 1))
    rows = slice(first, data.draw(st.integers(first + 1, height)))
    found = enlarge_rows(maps, rows, height, width)
    assert np.abs(found - np.stack(expected)[:, rows]).max() < 1e-5
    # Rows above the first that is needed may be gone.
    gone = max(0, int((first + 0.5) * h / height - 0.5))
    shortened = enlarge_rows(maps[:, gone:], rows, height, width, gone=gone)
    assert np.array_equal(found, shortened)
