import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvtool.detection.boxes import iou, xyxy_to_xywh
from cvtool.detection.nms import non_max_suppression

check = settings(max_examples=60, deadline=None, derandomize=True)
seeds = st.integers(0, 10_000)


def random_case(seed, classes=3):
    """Boxes in clumps, so that many overlap; scores all different; up to some blocks of them."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 400))
    middles = rng.uniform(0, 200, (rng.integers(1, 40), 2))
    middles = middles[rng.integers(len(middles), size=count)] + rng.normal(0, 6, (count, 2))
    halves = rng.uniform(5, 30, (count, 2))
    boxes = np.concatenate([middles - halves, middles + halves], axis=1).astype(np.float32)
    scores = (rng.permutation(count) + 1).astype(np.float32) / (count + 1)
    return boxes, scores, rng.integers(classes, size=count)


def test_by_hand():
    boxes = [[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [0, 0, 10, 10]]
    scores = [0.8, 0.9, 0.3, 0.7]
    assert non_max_suppression(boxes, scores).tolist() == [1, 2]
    assert non_max_suppression(boxes, scores, [0, 0, 0, 1]).tolist() == [1, 3, 2]
    assert non_max_suppression(boxes, scores, max_iou=0.9).tolist() == [1, 0, 2]
    assert non_max_suppression(boxes, scores, max_boxes=1).tolist() == [1]


def test_a_suppressed_box_suppresses_nothing():
    # Each overlaps the next by 0.6, the first and the third by 1 / 3.
    boxes = [[0, 0, 8, 1], [2, 0, 10, 1], [4, 0, 12, 1]]
    assert non_max_suppression(boxes, [0.9, 0.8, 0.7], max_iou=0.5).tolist() == [0, 2]


def test_the_limit_itself_is_kept():
    boxes = [[0, 0, 2, 1], [0, 0, 1, 1]]
    assert non_max_suppression(boxes, [0.9, 0.8], max_iou=0.5).tolist() == [0, 1]


def test_equal_scores_keep_their_order():
    boxes = [[10 * n, 0, 10 * n + 9, 9] for n in range(200)]
    scores = np.tile([0.5, 0.9], 100)
    expected = [*range(1, 200, 2), *range(0, 200, 2)]
    assert non_max_suppression(boxes, scores).tolist() == expected


def test_nothing_in_nothing_out():
    kept = non_max_suppression(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
    assert kept.shape == (0,)
    assert kept.dtype == np.int64


def test_lengths_must_match():
    with pytest.raises(ValueError, match="2 boxes, 1 scores"):
        non_max_suppression(np.zeros((2, 4)), [0.5])


@check
@given(seeds)
def test_kept_boxes_differ_and_dropped_ones_have_a_reason(seed):
    boxes, scores, class_ids = random_case(seed)
    kept = non_max_suppression(boxes, scores, class_ids, max_boxes=len(boxes))
    assert (np.diff(scores[kept]) < 0).all()
    clash = (iou(boxes, boxes) > 0.45) & (class_ids[:, None] == class_ids)
    np.fill_diagonal(clash, False)
    assert not clash[np.ix_(kept, kept)].any()
    for dropped in np.setdiff1d(np.arange(len(boxes)), kept):
        assert (clash[dropped, kept] & (scores[kept] > scores[dropped])).any()


@check
@given(seeds)
def test_order_and_limit_do_not_change_what_is_kept(seed):
    boxes, scores, class_ids = random_case(seed)
    kept = non_max_suppression(boxes, scores, class_ids, max_boxes=len(boxes))
    mixed = np.random.default_rng(seed).permutation(len(boxes))
    again = non_max_suppression(boxes[mixed], scores[mixed], class_ids[mixed], max_boxes=len(boxes))
    assert (mixed[again] == kept).all()
    few = non_max_suppression(boxes, scores, class_ids, max_boxes=3)
    assert (few == kept[:3]).all()


@check
@given(seeds)
def test_classes_are_independent(seed):
    boxes, scores, class_ids = random_case(seed)
    together = non_max_suppression(boxes, scores, class_ids, max_boxes=len(boxes))
    for number in range(3):
        own = np.flatnonzero(class_ids == number)
        alone = own[non_max_suppression(boxes[own], scores[own], max_boxes=len(boxes))]
        assert (together[class_ids[together] == number] == alone).all()


def test_agrees_with_opencv():
    import cv2

    for seed in range(50):
        boxes, scores, _ = random_case(seed)
        theirs = cv2.dnn.NMSBoxes(xyxy_to_xywh(boxes).tolist(), scores.tolist(), 0.0, 0.45)
        ours = non_max_suppression(boxes, scores, max_boxes=len(boxes))
        assert ours.tolist() == np.ravel(theirs).tolist(), seed


def test_agrees_with_tensorflow():
    import tensorflow as tf

    for seed in range(50):
        boxes, scores, class_ids = random_case(seed)
        kept = non_max_suppression(boxes, scores, class_ids, max_iou=0.5, max_boxes=100)
        by_class = np.zeros((len(boxes), 3), np.float32)
        by_class[np.arange(len(boxes)), class_ids] = scores
        theirs = tf.image.combined_non_max_suppression(
            boxes[None, :, None, [1, 0, 3, 2]],
            by_class[None],
            max_output_size_per_class=len(boxes),
            max_total_size=100,
            iou_threshold=0.5,
            score_threshold=0.0,
            clip_boxes=False,
        )
        count = int(theirs.valid_detections[0])
        assert count == len(kept), seed
        assert (theirs.nmsed_scores[0, :count].numpy() == scores[kept]).all(), seed
        assert (theirs.nmsed_classes[0, :count].numpy() == class_ids[kept]).all(), seed
        found = theirs.nmsed_boxes[0, :count].numpy()[:, [1, 0, 3, 2]]
        assert (found == boxes[kept]).all(), seed
