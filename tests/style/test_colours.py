"""Keeping the colours of the photograph."""

import cv2
import numpy as np
import pytest

from cvtool.style.colours import grey_like, keep_luminance, match_histogram

RNG = np.random.default_rng(0)
CONTENT = cv2.GaussianBlur(RNG.integers(60, 200, (40, 50, 3), np.uint8), (5, 5), 0)
STYLE = cv2.GaussianBlur(RNG.integers(0, 256, (30, 70, 3), np.uint8), (3, 3), 0)
STYLE[..., 2] //= 2


def test_luminance_of_one_and_colours_of_the_other():
    result = cv2.resize(STYLE, (50, 40))
    mixed = keep_luminance(result, CONTENT)

    def ycrcb(picture):
        return cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb).astype(int)

    assert np.abs(ycrcb(mixed)[..., 0] - ycrcb(result)[..., 0]).mean() < 3
    assert np.abs(ycrcb(mixed)[..., 1:] - ycrcb(CONTENT)[..., 1:]).mean() < 4
    np.testing.assert_allclose(keep_luminance(CONTENT, CONTENT), CONTENT, atol=2)


def test_a_grey_style_has_the_mean_and_spread_of_the_content():
    grey = grey_like(STYLE, CONTENT)
    aim = cv2.cvtColor(CONTENT, cv2.COLOR_RGB2GRAY)
    assert (grey[..., 0] == grey[..., 1]).all() and (grey[..., 0] == grey[..., 2]).all()
    assert grey.mean() == pytest.approx(aim.mean(), abs=1)
    assert grey[..., 0].std() == pytest.approx(aim.std(), rel=0.05)


def test_matched_colours_have_the_mean_and_covariance_of_the_content():
    matched = match_histogram(STYLE, CONTENT).reshape(-1, 3).astype(float)
    aim = CONTENT.reshape(-1, 3).astype(float)
    np.testing.assert_allclose(matched.mean(0), aim.mean(0), atol=1)
    np.testing.assert_allclose(np.cov(matched.T), np.cov(aim.T), rtol=0.1, atol=15)


def test_matching_a_picture_to_itself_changes_nothing():
    np.testing.assert_allclose(match_histogram(CONTENT, CONTENT), CONTENT, atol=1)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_plain_and_grey_pictures_have_no_spread_and_stay_finite(level):
    plain = np.full((8, 9, 3), level, np.uint8)
    assert np.abs(match_histogram(plain, CONTENT).mean((0, 1)) - CONTENT.mean((0, 1))).max() < 1
    assert (match_histogram(STYLE, plain).std() < 3).all()
    assert grey_like(plain, CONTENT).std() == 0


def test_a_picture_of_one_pixel_has_colours_too():
    content = np.random.default_rng(0).integers(0, 256, (5, 6, 3)).astype(np.uint8)
    one = match_histogram(np.full((1, 1, 3), 7, np.uint8), content)
    np.testing.assert_allclose(one[0, 0], content.reshape(-1, 3).mean(0), atol=0.5)
    assert match_histogram(content, content[:1, :1]).shape == content.shape
