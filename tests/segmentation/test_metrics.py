"""The figures against scikit-learn, and the boundary F-score against a plain, slow one."""

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import label

from cvtool.datasets.masked import VOID
from cvtool.segmentation.metrics import (
    boundary_f_score,
    confusion_matrix,
    dice_per_class,
    foreground_iou,
    iou_per_class,
    mean_iou,
    pixel_accuracy,
)

CLASSES = 4


@st.composite
def two_masks(draw, void=True):
    """Truth, with void, and prediction of the same small size."""
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    ids = st.integers(0, CLASSES - 1)
    truth = draw(arrays(np.uint8, shape, elements=ids | st.just(VOID) if void else ids))
    return truth, draw(arrays(np.uint8, shape, elements=ids))


def known_pixels(truth, predicted):
    known = truth != VOID
    assume(known.any())
    return truth[known], predicted[known]


@given(two_masks())
@settings(deadline=None)
def test_the_confusion_matrix_is_scikit_learns(masks):
    ours = confusion_matrix(*masks, CLASSES)
    assert ours.dtype == np.int64
    truth, predicted = known_pixels(*masks)
    theirs = sklearn.metrics.confusion_matrix(truth, predicted, labels=range(CLASSES))
    np.testing.assert_array_equal(ours, theirs)


@given(two_masks())
@settings(deadline=None)
def test_iou_and_dice_are_scikit_learns(masks):
    confusion = confusion_matrix(*masks, CLASSES)
    truth, predicted = known_pixels(*masks)
    options = {"labels": range(CLASSES), "average": None, "zero_division": 0}
    theirs = sklearn.metrics.jaccard_score(truth, predicted, **options)
    dice = sklearn.metrics.f1_score(truth, predicted, **options)
    seen = np.isin(range(CLASSES), np.concatenate([truth, predicted]))
    np.testing.assert_array_equal(np.isnan(iou_per_class(confusion)), ~seen)
    np.testing.assert_array_equal(np.isnan(dice_per_class(confusion)), ~seen)
    np.testing.assert_allclose(iou_per_class(confusion)[seen], theirs[seen])
    np.testing.assert_allclose(dice_per_class(confusion)[seen], dice[seen])
    present = np.unique(truth)
    assert mean_iou(confusion) == pytest.approx(theirs[present].mean())
    accuracy = sklearn.metrics.accuracy_score(truth, predicted)
    assert pixel_accuracy(confusion) == pytest.approx(accuracy)


@given(two_masks())
@settings(deadline=None)
def test_foreground_iou_is_that_of_one_class_against_the_background(masks):
    found = foreground_iou(confusion_matrix(*masks, CLASSES))
    truth, predicted = (ids > 0 for ids in known_pixels(*masks))
    if not (truth | predicted).any():
        assert np.isnan(found)
    else:
        assert found == pytest.approx(sklearn.metrics.jaccard_score(truth, predicted))


@given(two_masks(), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_what_is_predicted_in_void_does_not_count(masks, seed):
    truth, predicted = masks
    void = truth == VOID
    other = predicted.copy()
    other[void] = np.random.default_rng(seed).integers(0, CLASSES, void.sum())
    np.testing.assert_array_equal(
        confusion_matrix(truth, predicted, CLASSES), confusion_matrix(truth, other, CLASSES)
    )


def test_confusion_matrices_of_pictures_add_up():
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, CLASSES, (2, 10, 30))
    whole = confusion_matrix(truth, predicted, CLASSES)
    parts = [
        confusion_matrix(truth[:, at : at + 10], predicted[:, at : at + 10], CLASSES)
        for at in (0, 10, 20)
    ]
    np.testing.assert_array_equal(sum(parts), whole)


def test_nothing_known_gives_no_figures():
    confusion = confusion_matrix(
        np.full((3, 3), VOID, np.uint8), np.zeros((3, 3), np.uint8), CLASSES
    )
    assert not confusion.any()
    for figure in (mean_iou, foreground_iou, pixel_accuracy):
        assert np.isnan(figure(confusion))
    assert np.isnan(iou_per_class(confusion)).all()


def test_masks_that_do_not_fit_are_refused():
    mask = np.zeros((3, 4), np.uint8)
    with pytest.raises(ValueError, match="cannot be compared"):
        confusion_matrix(mask, mask.T, 2)
    with pytest.raises(ValueError, match="below 2, not 2"):
        confusion_matrix(mask, mask + 2, 2)
    with pytest.raises(ValueError, match="below 2, not 7"):
        confusion_matrix(mask + 7, mask, 2)


def plain_boundary_f_score(truth, predicted, class_id, tolerance):
    """Pixel by pixel. Void pixels are of the class that is predicted for them."""
    height, width = truth.shape
    filled = [
        [int(predicted[y, x] if truth[y, x] == VOID else truth[y, x]) for x in range(width)]
        for y in range(height)
    ]

    def close(place, places):
        return any(np.hypot(place[0] - y, place[1] - x) <= tolerance for y, x in places)

    def outline(mask):
        places = []
        for y in range(height):
            for x in range(width):
                around = {
                    mask[v][u]
                    for v in range(max(0, y - 1), min(height, y + 2))
                    for u in range(max(0, x - 1), min(width, x + 2))
                }
                if mask[y][x] == class_id and around != {class_id}:
                    places.append((y, x))
        return places

    patches = label(truth == VOID, connectivity=2)
    beside = set()  # the patches of void that touch the class
    for y, x in np.argwhere(truth == class_id):
        beside |= set(patches[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].ravel())
    outlines = outline(filled), outline(predicted.tolist())
    counted = [
        [place for place in places if truth[place] != VOID or patches[place] in beside]
        for places in outlines
    ]
    if not any(counted):
        return float("nan")
    recall, precision = (
        sum(close(place, other) for place in places) / len(places) if places else 0.0
        for places, other in zip(counted, outlines[::-1], strict=True)
    )
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@given(two_masks(), st.sampled_from([0.5, 1, 1.5, 3]), st.integers(0, CLASSES - 1))
@settings(max_examples=60, deadline=None)
def test_the_boundary_score_equals_the_plain_one(masks, tolerance, class_id):
    ours = boundary_f_score(*masks, class_id, tolerance)
    assert ours == pytest.approx(plain_boundary_f_score(*masks, class_id, tolerance), nan_ok=True)


@pytest.mark.parametrize("seed", range(3))
def test_the_boundary_score_of_whole_shapes_equals_the_plain_one(seed):
    """At the paper's own tolerance, on shapes with a void rim."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((60, 80))
    away = np.hypot(y - 28, x - 40)
    truth = np.where(away < 16, 1, 0).astype(np.uint8)
    truth[(away > 14) & (away < 17) & (x > 40)] = VOID
    predicted = (np.hypot(y - 28 - rng.normal(0, 1), x - 40 - rng.normal(0, 1)) < 16).astype(
        np.uint8
    )
    for class_id in (0, 1):
        ours = boundary_f_score(truth, predicted, class_id)
        assert ours == pytest.approx(plain_boundary_f_score(truth, predicted, class_id, 0.75))
        assert 0.2 < ours < 1


@given(two_masks(), st.integers(0, CLASSES - 1))
@settings(deadline=None)
def test_a_prediction_that_is_right_where_it_can_be_wrong_has_all_boundaries(masks, class_id):
    """Whatever it says in void."""
    truth, other = masks
    predicted = np.where(truth == VOID, other, truth)
    assert boundary_f_score(truth, predicted, class_id) in (1, pytest.approx(np.nan, nan_ok=True))


def test_an_outline_within_the_void_rim_is_met_and_beyond_it_is_not():
    y, x = np.indices((200, 200))
    away = np.hypot(y - 100, x - 100)
    truth = np.where(away < 50, 3, 0).astype(np.uint8)
    truth[np.abs(away - 50) < 2.5] = VOID
    scores = {}
    for radius in (40, 46, 48, 50, 52, 54, 60):
        predicted = np.where(away < radius, 3, 0).astype(np.uint8)
        scores[radius] = boundary_f_score(truth, predicted, 3, tolerance=2.5)
    assert all(scores[radius] == 1 for radius in (46, 48, 50, 52, 54))
    assert scores[40] == scores[60] == 0
    # A mistake elsewhere does not make what is met within the rim worth nothing.
    predicted = np.where(away < 50, 3, 0).astype(np.uint8)
    predicted[5:15, 5:15] = 3
    assert 0.9 < boundary_f_score(truth, predicted, 3, tolerance=2.5) < 1


def test_what_is_predicted_in_void_apart_from_the_class_is_no_boundary():
    truth = np.zeros((40, 40), np.uint8)
    truth[:, 20:] = VOID
    assert np.isnan(boundary_f_score(truth, np.zeros_like(truth), 1))
    predicted = np.zeros((40, 40), np.uint8)
    predicted[10:20, 28:36] = 1
    assert np.isnan(boundary_f_score(truth, predicted, 1))
    # A class that is there is not raised by it.
    truth[10:20, 5:12] = 1
    assert boundary_f_score(truth, predicted, 1) == 0


def test_the_picture_s_edge_is_no_boundary():
    truth = np.zeros((30, 30), np.uint8)
    truth[:, :15] = 1
    predicted = truth.copy()
    assert boundary_f_score(truth, predicted, 1) == 1
    whole = np.ones((30, 30), np.uint8)
    assert np.isnan(boundary_f_score(whole, whole, 1))
    assert boundary_f_score(truth, whole, 1) == 0
