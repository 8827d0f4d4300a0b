"""The sizes that a style transfer goes through."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvtool.errors import OptionError
from cvtool.style.scales import (
    MARGIN,
    MOST_SCALES,
    SHORTEST,
    extended,
    iterations_of,
    resized,
    scale_sizes,
    without_margin,
)


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(32, 4096))
def test_scales_grow_to_the_size_asked_for(height, width, longer_side):
    try:
        sizes = scale_sizes(height, width, longer_side)
    except OptionError:
        assert longer_side * min(height, width) / max(height, width) < SHORTEST + 0.5
        return
    assert max(sizes[-1]) == longer_side and 1 <= len(sizes) <= MOST_SCALES
    assert all(min(size) >= SHORTEST for size in sizes)
    for small, large in zip(sizes, sizes[1:], strict=False):
        assert max(small) == max(large) // 2
        # The same shape, but for rounding to whole pixels.
        assert small[0] * width == pytest.approx(small[1] * height, abs=max(height, width))


def test_a_small_picture_has_one_scale():
    assert scale_sizes(90, 100, 128) == [(115, 128)]
    assert scale_sizes(600, 800, 512) == [(96, 128), (192, 256), (384, 512)]


def test_a_strip_is_refused_with_its_size():
    with pytest.raises(OptionError, match="4000 x 40 pixels would be 512 x 5"):
        scale_sizes(40, 4000, 512)


@given(st.integers(1, 2000), st.integers(1, MOST_SCALES))
def test_every_scale_has_iterations_and_together_they_are_those_asked_for(total, scales):
    shares = iterations_of(total, scales)
    assert len(shares) == scales and min(shares) >= 1
    assert sum(shares) == max(total, scales) or total < scales


def test_resizing_keeps_the_mean_and_leaves_the_right_size_alone():
    picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    assert resized(picture, (60, 80)) is picture
    assert resized(picture, (30, 40)).shape == (30, 40, 3)
    assert resized(picture, (30, 40)).mean() == pytest.approx(picture.mean(), abs=1)
    assert resized(picture, (120, 160)).mean() == pytest.approx(picture.mean(), abs=1)


def test_a_margin_is_mirrored_and_taken_off_at_any_scale():
    picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    larger = extended(picture)
    assert larger.shape == (64 + 2 * MARGIN, 96 + 2 * MARGIN, 3)
    np.testing.assert_array_equal(larger[MARGIN - 1, MARGIN], picture[1, 0])
    np.testing.assert_array_equal(without_margin(larger, larger.shape[:2]), picture)
    assert without_margin(resized(larger, (40, 56)), larger.shape[:2]).shape == (32, 48, 3)
