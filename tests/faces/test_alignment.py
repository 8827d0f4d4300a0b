"""Aligned faces: the transform against scikit-image's, and where landmarks come to lie."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.transform import SimilarityTransform

from cvtool.faces.alignment import TEMPLATE, align, similarity_transform

numbers = st.floats(-500, 500, allow_nan=False, width=32)
points = st.lists(st.tuples(numbers, numbers), min_size=5, max_size=5).map(np.array)


def moved(shape, degrees, scale, shift):
    """A shape turned, scaled and shifted."""
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * shape @ turn.T + shift


@given(st.floats(-180, 180), st.floats(0.1, 20), st.tuples(numbers, numbers))
def test_an_exact_similarity_is_found(degrees, scale, shift):
    target = moved(TEMPLATE, degrees, scale, shift)
    matrix = similarity_transform(TEMPLATE, target)
    np.testing.assert_allclose(TEMPLATE @ matrix[:, :2].T + matrix[:, 2], target, atol=1e-4)
    np.testing.assert_allclose(np.linalg.det(matrix[:, :2]), scale**2, rtol=1e-5)


@given(points, points)
@settings(max_examples=200)
def test_it_is_the_one_that_scikit_image_finds(source, target):
    middle = source - source.mean(axis=0)
    # Where the best turn is ambiguous, either is right.
    covariance = (target - target.mean(axis=0)).T @ middle
    values = np.linalg.svd(covariance)[1]
    if values[0] - values[1] < 1e-3 * max(values[0], 1) or (middle**2).sum() < 1:
        return
    expected = SimilarityTransform.from_estimate(source, target)
    np.testing.assert_allclose(
        similarity_transform(source, target), expected.params[:2], rtol=1e-4, atol=1e-3
    )


def test_points_at_one_place_have_no_transform():
    with pytest.raises(ValueError, match="all points are the same"):
        similarity_transform(np.ones((5, 2)), TEMPLATE)


def dots(height, width, landmarks, radius):
    """A white disc at each landmark, on black."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for x, y in landmarks:
        # OpenCV counts whole pixels in its fixed-point coordinates too.
        centre = tuple(int(round(16 * value)) for value in (x, y))
        cv2.circle(pixels, centre, round(16 * radius), (255,) * 3, -1, cv2.LINE_AA, 4)
    return pixels


@pytest.mark.parametrize("border", [0, 14])
@pytest.mark.parametrize(("degrees", "scale"), [(0, 100), (30, 80), (-160, 140), (10, 500)])
def test_landmarks_come_to_lie_on_the_template(degrees, scale, border):
    shift = np.array([400, 400]) - moved(np.array([0.5, 0.5]), degrees, scale, 0)
    landmarks = moved(TEMPLATE, degrees, scale, shift)
    face = align(dots(800, 800, landmarks, scale * 0.04), landmarks, 112, border)
    assert face.shape == (112 + 2 * border,) * 2 + (3,) and face.dtype == np.uint8
    count, _, _, centres = cv2.connectedComponentsWithStats((face[..., 0] > 127).astype(np.uint8))
    assert count == 6
    expected = TEMPLATE * 112 + border - 0.5
    for place in expected:
        assert np.hypot(*(centres[1:] - place).T).min() < 0.6


def test_what_the_picture_lacks_is_black():
    face = align(np.full((60, 60, 3), 200, np.uint8), TEMPLATE * 112, 112)
    assert (face[:50, :50] == 200).all() and (face[70:, 70:] == 0).all()
