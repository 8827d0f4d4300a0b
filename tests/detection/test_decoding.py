"""Decoding is the inverse of encoding, and its scores are p_c x class probability."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvtool.detection.boxes import iou
from cvtool.detection.decoding import decode, select, sigmoid
from cvtool.detection.encoding import CLASS, POSITIVE, SIZE, encode
from tiny_yolo import ANCHORS, GRID, SIDE, STRIDES, perfect_output

sizes = st.tuples(st.floats(6, 100), st.floats(6, 100))
boxes_strategy = st.lists(
    st.tuples(st.floats(0, SIDE), st.floats(0, SIDE), sizes), min_size=1, max_size=6
)


@given(boxes_strategy)
@settings(max_examples=50, deadline=None)
def test_encode_then_decode_gives_the_boxes_back(entries):
    boxes = np.array([(x, y, min(SIDE, x + w), min(SIDE, y + h)) for x, y, (w, h) in entries])
    boxes = boxes[((boxes[:, 2:] - boxes[:, :2]) >= 6).all(1)]
    ids = np.arange(len(boxes))
    targets = encode(boxes, ids, SIDE, ANCHORS, STRIDES)
    raw = perfect_output(targets, 6)
    found = select(*decode(raw, SIDE, ANCHORS, STRIDES, min_score=0.5), max_iou=0.5)
    assert sorted(found[2]) == ids.tolist()
    overlap = iou(found[0], boxes[found[2]]).diagonal()
    # A box up to four times its anchor can be told exactly, a longer one cannot.
    fits = (targets[:, SIZE] < 3.9 * GRID[:, 3:5]).all(1)
    positive = targets[:, POSITIVE] == 1
    reachable = set(targets[positive & fits, CLASS].astype(int))
    # Of an anchor that fits and one that does not, either may win.
    reachable -= set(targets[positive & ~fits, CLASS].astype(int))
    assert all(o > 0.99 for o, c in zip(overlap, found[2], strict=True) if c in reachable)


def test_score_is_objectness_times_class_probability():
    raw = np.full((len(GRID), 8), -20.0)
    raw[100] = [0, 0, 0, 0, 1.0, 2.0, -20, 0.5]
    boxes, scores, ids = decode(raw, SIDE, ANCHORS, STRIDES, min_score=0.1)
    p = 1 / (1 + np.exp(-1.0))
    expected = {0: p / (1 + np.exp(-2.0)), 2: p / (1 + np.exp(-0.5))}
    assert dict(zip(ids.tolist(), scores.tolist(), strict=True)) == pytest.approx(expected)
    # Zero outputs mean the middle of the cell and the anchor's own size.
    column, row, stride, width, height = GRID[100]
    x, y = (column + 0.5) * stride, (row + 0.5) * stride
    assert boxes[0] == pytest.approx([x - width / 2, y - height / 2, x + width / 2, y + height / 2])


@given(st.floats(0.01, 0.9))
@settings(max_examples=20, deadline=None)
def test_min_score_drops_exactly_the_lower_scores(min_score):
    raw = np.random.default_rng(0).normal(0, 2, (1008, 9))
    every = decode(raw, SIDE, ANCHORS, STRIDES)
    some = decode(raw, SIDE, ANCHORS, STRIDES, min_score=min_score)
    assert len(some[1]) == (every[1] >= min_score).sum()
    assert (some[1] >= min_score).all()


def test_sigmoid_does_not_overflow():
    with np.errstate(all="raise"):
        values = sigmoid(np.array([-1e4, -1.0, 0.0, 1.0, 1e4]))
    assert values == pytest.approx([0, 1 / (1 + np.e), 0.5, 1 / (1 + np.exp(-1)), 1])


def test_select_keeps_the_best_of_overlapping_boxes_of_a_class():
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [50, 50, 60, 60]], float)
    kept = select(boxes, np.array([0.6, 0.9, 0.5, 0.3]), np.array([0, 0, 1, 0]))
    assert kept[1].tolist() == [0.9, 0.5, 0.3]
