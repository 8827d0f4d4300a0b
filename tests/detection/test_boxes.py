import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvtool.detection import boxes as bx

check = settings(max_examples=80, deadline=None, derandomize=True)
overlaps = pytest.mark.parametrize("overlap", [bx.iou, bx.giou, bx.ciou])


@st.composite
def some_boxes(draw, max_count=6, min_side=0.1):
    position = st.floats(-1000, 1000)
    side = st.floats(min_side, 1000)
    rows = draw(st.lists(st.tuples(position, position, side, side), min_size=1, max_size=max_count))
    x, y, width, height = np.array(rows).T
    return np.stack([x, y, x + width, y + height], axis=-1)


def random_boxes(rng, count, span=100):
    corners = np.sort(rng.uniform(0, span, (count, 2, 2)), axis=1)
    return corners.reshape(count, 4)


@check
@given(some_boxes())
def test_formats_round_trip(boxes):
    assert np.allclose(bx.xywh_to_xyxy(bx.xyxy_to_xywh(boxes)), boxes)
    assert np.allclose(bx.cxcywh_to_xyxy(bx.xyxy_to_cxcywh(boxes)), boxes)
    size = (480, 640)
    assert np.allclose(bx.denormalise(bx.normalise(boxes, size), size), boxes)
    assert np.allclose(bx.resize_boxes(bx.resize_boxes(boxes, size, (7, 9)), (7, 9), size), boxes)


def test_formats_of_a_known_box():
    box = [[10, 20, 50, 100]]
    assert bx.xyxy_to_xywh(box).tolist() == [[10, 20, 40, 80]]
    assert bx.xyxy_to_cxcywh(box).tolist() == [[30, 60, 40, 80]]
    assert bx.normalise(box, (200, 100)).tolist() == [[0.1, 0.1, 0.5, 0.5]]
    assert bx.resize_boxes(box, (100, 200), (50, 400)).tolist() == [[20, 10, 100, 50]]
    assert bx.area(box).tolist() == [3200]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_formats_keep_float_types_and_the_input(dtype):
    boxes = np.array([[1, 2, 30, 40]], dtype)
    before = boxes.copy()
    for changed in (
        bx.xywh_to_xyxy(boxes),
        bx.xyxy_to_cxcywh(boxes),
        bx.normalise(boxes, (50, 50)),
        bx.clip_boxes(boxes, 20, 20),
    ):
        assert changed.dtype == dtype
    assert (boxes == before).all()


@check
@given(some_boxes())
def test_clipped_boxes_lie_inside(boxes):
    clipped = bx.clip_boxes(boxes, 300, 200)
    assert (clipped >= 0).all()
    assert (clipped <= [200, 300, 200, 300]).all()
    inside = (boxes >= 0).all(axis=1) & (boxes <= [200, 300, 200, 300]).all(axis=1)
    assert (clipped[inside] == boxes[inside]).all()
    assert (bx.area(clipped) <= bx.area(boxes) + 1e-9).all()


def test_a_box_outside_loses_its_area():
    assert bx.area(bx.clip_boxes([[300, 10, 400, 20]], 100, 200)).tolist() == [0]


@pytest.mark.parametrize(
    ("a", "b", "iou", "giou"),
    [
        ([0, 0, 2, 2], [1, 1, 3, 3], 1 / 7, 1 / 7 - 2 / 9),
        ([0, 0, 4, 4], [1, 1, 3, 3], 1 / 4, 1 / 4),
        ([0, 0, 1, 1], [1, 0, 2, 1], 0, 0),
        ([0, 0, 1, 1], [2, 0, 3, 1], 0, -1 / 3),
        ([5, 5, 5, 5], [0, 0, 9, 9], 0, 0),
        ([5, 5, 5, 5], [5, 5, 5, 5], 0, 0),
        ([4, 4, 1, 1], [0, 0, 9, 9], 0, 0),
    ],
)
def test_known_overlaps(a, b, iou, giou):
    assert bx.iou([a], [b]) == pytest.approx(iou)
    assert bx.giou([a], [b]) == pytest.approx(giou)


def test_ciou_by_hand():
    # Same shape: only the midpoints count. Enclosing 3 x 3, midpoints (1, 1) apart.
    assert bx.ciou([[0, 0, 2, 2]], [[1, 1, 3, 3]]) == pytest.approx(1 / 7 - 2 / 18)
    # Same midpoint: only the shapes count.
    shape = 4 / np.pi**2 * (np.arctan(2) - np.arctan(1 / 2)) ** 2
    overlap = 4 / 12
    expected = overlap - shape**2 / (1 - overlap + shape)
    assert bx.ciou([[0, 1, 4, 3]], [[1, 0, 3, 4]]) == pytest.approx(expected)


@overlaps
@check
@given(a=some_boxes(), b=some_boxes())
def test_overlaps_are_symmetric(overlap, a, b):
    assert np.allclose(overlap(a, b), overlap(b, a).T)


@overlaps
@check
@given(a=some_boxes())
def test_a_box_overlaps_itself_wholly(overlap, a):
    assert np.allclose(np.diag(overlap(a, a)), 1)


@check
@given(some_boxes(), some_boxes())
def test_ranges(a, b):
    iou, giou, ciou = bx.iou(a, b), bx.giou(a, b), bx.ciou(a, b)
    assert ((iou >= 0) & (iou <= 1)).all()
    assert ((giou >= -1) & (giou <= iou + 1e-12)).all()
    assert ((ciou >= -1.5) & (ciou <= iou + 1e-12)).all()


@overlaps
@check
@given(a=some_boxes(), b=some_boxes(), scale=st.floats(0.01, 100), move=st.floats(-500, 500))
def test_overlaps_ignore_scale_and_place(overlap, a, b, scale, move):
    assert np.allclose(overlap(a * scale + move, b * scale + move), overlap(a, b), atol=1e-6)


def test_shapes_of_the_empty():
    some, none = np.array([[0, 0, 1, 1.0]]), np.zeros((0, 4))
    assert bx.iou(some, none).shape == (1, 0)
    assert bx.giou(none, some).shape == (0, 1)
    assert bx.ciou([], []).shape == (0, 0)
    assert bx.xywh_to_xyxy([]).shape == (0, 4)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="shape"):
        bx.xywh_to_xyxy(np.zeros((3, 5)))
    with pytest.raises(ValueError, match="pairs"):
        bx.iou(np.zeros(4), np.zeros((1, 4)))


def test_agrees_with_keras():
    from keras.utils import bounding_boxes

    rng = np.random.default_rng(0)
    a, b = random_boxes(rng, 200), random_boxes(rng, 300)
    theirs = np.asarray(bounding_boxes.compute_iou(a, b, "xyxy"))
    assert np.allclose(bx.iou(a, b), theirs, atol=1e-5)
    c = a + rng.uniform(0, 30, (200, 1)) + rng.uniform(0, 30, (200, 4)) * [0, 0, 1, 1]
    theirs = np.asarray(bounding_boxes.compute_ciou(a, c, "xyxy"))
    assert np.allclose(np.diag(bx.ciou(a, c)), theirs, atol=1e-4)
