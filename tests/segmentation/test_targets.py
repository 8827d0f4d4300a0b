"""Targets and weights of masks, against a plain, slow computation of the paper's equation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label

from cvtool.datasets.masked import VOID
from cvtool.segmentation.targets import balanced_weights, boundary_weights, make_targets


def blobs(seed, height=22, width=27):
    """A mask of a few rectangles of two classes, some touching, and a patch of void."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.uint8)
    for _ in range(rng.integers(2, 6)):
        y, x = rng.integers(0, height - 3), rng.integers(0, width - 3)
        mask[y : y + rng.integers(1, 7), x : x + rng.integers(1, 7)] = rng.integers(1, 3)
    mask[3:5, 4:9] = VOID
    return mask


def plain_boundary_weights(mask, peak, sigma):
    """Equation 2, pixel by pixel and region by region."""
    regions = label((mask != 0) & (mask != VOID), connectivity=2)
    weights = np.zeros(mask.shape)
    for y, x in np.argwhere(mask == 0):
        distances = []
        for number in range(1, regions.max() + 1):
            places = np.argwhere(regions == number)
            distances.append(np.hypot(*(places - (y, x)).T).min())
        if len(distances) > 1:
            first, second, *_ = sorted(distances)
            weights[y, x] = peak * np.exp(-((first + second) ** 2) / (2 * sigma**2))
    return weights


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("peak", "sigma"), [(10, 5), (3, 1.5)])
def test_boundary_weights_equal_the_papers_equation(seed, peak, sigma):
    mask = blobs(seed)
    weights = boundary_weights(mask, peak, sigma)
    assert weights.dtype == np.float32 and weights.max() > 0
    np.testing.assert_allclose(weights, plain_boundary_weights(mask, peak, sigma), atol=1e-4)


@pytest.mark.parametrize(
    "ids", [[0], [1], [0, 1], [0, VOID], [VOID]], ids=lambda ids: " ".join(map(str, ids))
)
def test_fewer_than_two_regions_have_no_gap_between_them(ids):
    mask = np.zeros((9, 12), np.uint8)
    for column, class_id in enumerate(ids):
        mask[:, 12 * column // len(ids) :] = class_id
    assert not boundary_weights(mask).any()


def test_the_gap_weighs_most_in_its_middle_and_less_the_wider_it_is():
    def gap(width):
        mask = np.ones((11, 20 + width), np.uint8)
        mask[:, 10 : 10 + width] = 0
        return boundary_weights(mask)[5, 10 : 10 + width]

    # In a gap d1 + d2 is one more than its width.
    for width in (1, 2, 5):
        np.testing.assert_allclose(gap(width), 10 * np.exp(-((width + 1) ** 2) / 50), rtol=1e-5)
    assert gap(2).min() > gap(5).max()


def test_targets_are_class_ids_and_weights():
    mask = np.array([[0, 1, VOID], [2, VOID, 0]], np.uint8)
    targets = make_targets(mask)
    assert targets.shape == (2, 3, 2) and targets.dtype == np.float32
    np.testing.assert_array_equal(targets[..., 0], [[0, 1, 0], [2, 0, 0]])
    np.testing.assert_array_equal(targets[..., 1], [[1, 1, 0], [1, 0, 1]])
    weighted = make_targets(mask, class_weights=[0.5, 2, 3])
    np.testing.assert_array_equal(weighted[..., 0], targets[..., 0])
    np.testing.assert_array_equal(weighted[..., 1], [[0.5, 2, 0], [3, 0, 0.5]])


def test_boundary_weights_come_on_top_of_the_class_weights():
    mask = blobs(1)
    targets = make_targets(mask, class_weights=[0.5, 2, 3], boundary=7, sigma=4)
    plain = make_targets(mask, class_weights=[0.5, 2, 3])[..., 1]
    gaps = plain_boundary_weights(mask, 7, 4)
    np.testing.assert_allclose(targets[..., 1], plain * (1 + gaps), rtol=1e-4)
    assert (targets[mask == VOID] == 0).all()


counts = st.lists(st.integers(0, 10**7), min_size=1, max_size=8).filter(any)


@given(counts, st.floats(0, 1), st.floats(1, 100))
@settings(max_examples=60, deadline=None)
def test_balanced_weights_favour_the_rare_within_bounds(pixels, power, largest):
    weights = balanced_weights(pixels, power, largest)
    pixels = np.array(pixels)
    found = pixels > 0
    assert weights.dtype == np.float32 and (weights > 0).all()
    assert (weights[~found] == 1).all()
    # Over the pixels their mean is 1.
    assert (weights * pixels).sum() / pixels.sum() == pytest.approx(1, rel=1e-4)
    order = np.argsort(pixels[found])
    assert (np.diff(weights[found][order]) <= 1e-5 * weights[found].max()).all()
    # Beside a class of mean size, whose weight they are held to.
    *others, mean = balanced_weights([*pixels[found], pixels[found].mean()], power, largest)
    assert max(others) <= mean * largest * 1.001


def test_the_power_says_how_far_they_balance():
    pixels = np.array([9000, 900, 100])
    np.testing.assert_allclose(balanced_weights(pixels, 0), 1)
    whole = balanced_weights(pixels, 1, largest=1000)
    np.testing.assert_allclose(whole * pixels, 10000 / 3, rtol=1e-4)
    half = balanced_weights(pixels, 0.5)
    np.testing.assert_allclose(half / half[0], np.sqrt(9000 / pixels), rtol=1e-4)
    np.testing.assert_array_equal(balanced_weights([0, 0]), [1, 1])
