"""Views against Pillow, and against slices of pictures that need no scaling."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from cvtool.classification.views import centre_view, ten_crops

SIZES = st.integers(1, 70)


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@settings(max_examples=80, deadline=None)
@given(SIZES, SIZES, st.integers(1, 50))
def test_any_size_gives_squares(height, width, side):
    pixels = noise(height, width)
    before = pixels.copy()
    view, views = centre_view(pixels, side), ten_crops(pixels, side)
    assert view.dtype == views.dtype == np.uint8
    assert view.shape == (side, side, 3)
    assert views.shape == (10, side, side, 3)
    view[:] = 0
    views[:] = 0
    assert (pixels == before).all()


@pytest.mark.parametrize("height, width", [(40, 40), (40, 61), (77, 40)])
def test_without_scaling_the_middle_is_cut_out(height, width):
    pixels = noise(height, width)
    top, left = (height - 40) // 2, (width - 40) // 2
    assert (centre_view(pixels, 40) == pixels[top : top + 40, left : left + 40]).all()


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
@pytest.mark.parametrize("side", [64, 129])
def test_shrinking_agrees_with_pillow(name, side):
    pixels = getattr(data, name)()
    height, width = pixels.shape[:2]
    short = min(height, width)
    left, top = (width - short) // 2, (height - short) // 2
    expected = Image.fromarray(pixels).resize(
        (side, side), Image.Resampling.BOX, box=(left, top, left + short, top + short)
    )
    # Pillow's box takes or leaves whole pixels, OpenCV's parts of them.
    difference = centre_view(pixels, side) - np.asarray(expected, np.float32)
    assert np.abs(difference).mean() < 2
    assert np.abs(difference.mean(axis=(0, 1))).max() < 0.5


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_enlarging_agrees_with_pillow(name):
    pixels = cv2.resize(getattr(data, name)(), (64, 64), interpolation=cv2.INTER_AREA)
    expected = np.asarray(Image.fromarray(pixels).resize((96, 96), Image.Resampling.BILINEAR))
    assert np.abs(centre_view(pixels, 96).astype(int) - expected).max() <= 2


def test_a_very_long_strip_is_not_scaled_whole():
    strip = np.zeros((2, 60_000, 3), np.uint8)
    strip[:, 29_999:30_001] = 200
    assert (centre_view(strip, 224) == 200).all()
    views = ten_crops(strip, 224)
    assert (views[[4, 9]] == 200).all()
    assert (views[[0, 1, 2, 3]] == 0).all()


@pytest.mark.parametrize("height, width", [(64, 64), (64, 101), (90, 64)])
def test_ten_crops_without_scaling_are_slices(height, width):
    pixels = noise(height, width)
    views = ten_crops(pixels, 56)  # 56 * 8 / 7 = 64
    top, left = (height - 64) // 2 + 4, (width - 64) // 2 + 4
    corners = [pixels[:56, :56], pixels[:56, -56:], pixels[-56:, :56], pixels[-56:, -56:]]
    for view, crop in zip(
        views, [*corners, pixels[top : top + 56, left : left + 56]], strict=False
    ):
        assert (view == crop).all()
    assert (views[5:] == views[:5, :, ::-1]).all()


def test_ten_crops_of_a_scaled_picture_agree_with_scaling_it_whole():
    pixels = data.chelsea()[:, :450]  # (300, 450)
    views = ten_crops(pixels, 112).astype(np.float32)
    whole = cv2.resize(pixels, (192, 128), interpolation=cv2.INTER_AREA)
    expected = [whole[:112, :112], whole[:112, -112:], whole[-112:, :112], whole[-112:, -112:]]
    expected.append(whole[8:120, 40:152])
    assert np.abs(views[:5] - np.stack(expected)).mean(axis=(1, 2, 3)).max() < 0.5
