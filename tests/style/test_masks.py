"""Masks that say where a picture takes a style."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvtool.errors import PictureError
from cvtool.pictures.writing import write_picture
from cvtool.style.masks import check_shape, read_mask

SIDES = st.integers(8, 3000)


@given(SIDES, SIDES, st.floats(0.02, 4))
def test_a_mask_made_of_a_scaled_copy_fits(height, width, scale):
    mask = np.empty((max(1, round(scale * height)), max(1, round(scale * width))), np.bool_)
    check_shape(mask, "mask", np.empty((height, width, 3), np.bool_), "picture")


@given(st.integers(20, 1000), st.integers(20, 1000), st.floats(1.1, 5))
def test_one_of_another_shape_does_not(height, width, stretch):
    for shape in ((round(height * stretch) + 2, width), (height, round(width * stretch) + 2)):
        with pytest.raises(PictureError, match="do not fit"):
            check_shape(
                np.empty(shape, np.bool_), "m.png", np.empty((height, width, 3), np.bool_), "a"
            )


def test_white_is_one_and_inverted_nought(tmp_path):
    write_picture(tmp_path / "m.png", np.array([[0, 51, 255]], np.uint8))
    np.testing.assert_allclose(read_mask(tmp_path / "m.png"), [[0, 0.2, 1]], atol=1e-6)
    np.testing.assert_allclose(read_mask(tmp_path / "m.png", invert=True), [[1, 0.8, 0]], atol=1e-6)
    write_picture(tmp_path / "w.png", np.full((4, 4), 255, np.uint8))
    with pytest.raises(PictureError, match="w.png: white all over"):
        read_mask(tmp_path / "w.png", invert=True)
