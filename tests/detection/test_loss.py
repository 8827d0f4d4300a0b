"""The loss against plain NumPy, and against the pairwise CIoU of boxes.py."""

import numpy as np
import pytest

from cvtool.detection.boxes import ciou, cxcywh_to_xyxy, iou
from cvtool.detection.decoding import sigmoid
from cvtool.detection.encoding import CENTRE, CLASS, POSITIVE, SIZE, encode
from cvtool.detection.grid import boxes_from_raw
from tiny_yolo import ANCHORS, GRID, SIDE, STRIDES, perfect_output

CLASSES = 5


def batch():
    rng = np.random.default_rng(3)
    boxes = [[[10, 12, 40, 70], [60, 50, 126, 120]], [[5, 5, 15, 18]]]
    targets = np.stack(
        [
            encode(np.array(b), rng.integers(0, CLASSES, len(b)), SIDE, ANCHORS, STRIDES)
            for b in boxes
        ]
    )
    raw = rng.normal(0, 1.5, (2, targets.shape[1], 5 + CLASSES)).astype(np.float32)
    return targets, raw


def loss_of(targets, raw):
    from cvtool.detection.loss import YoloLoss

    return float(YoloLoss(ANCHORS, SIDE, CLASSES, STRIDES)(targets, raw))


def plain_loss(targets, raw):
    """The documented formula, prediction by prediction, in float64."""
    raw = raw.astype(np.float64)

    def bce(target, logit):
        p = sigmoid(logit)
        return -(target * np.log(p) + (1 - target) * np.log(1 - p))

    box = objectness = label = 0.0
    for picture in range(len(targets)):
        for p, target in enumerate(targets[picture]):
            wanted = 0.0
            if target[POSITIVE]:
                centre, size = boxes_from_raw(
                    raw[picture, p, 0:2][None], raw[picture, p, 2:4][None], GRID[p][None], sigmoid
                )
                predicted = cxcywh_to_xyxy(np.concatenate([centre, size], 1))
                true = cxcywh_to_xyxy(np.concatenate([target[CENTRE], target[SIZE]])[None])
                box += 1 - ciou(predicted, true)[0, 0]
                wanted = iou(predicted, true)[0, 0]
                one_hot = np.eye(CLASSES)[int(target[CLASS])]
                label += bce(one_hot, raw[picture, p, 5:]).sum()
            objectness += bce(wanted, raw[picture, p, 4])
    return (5 * box + objectness + label) / targets[..., POSITIVE].sum()


def test_loss_equals_the_plain_formula():
    targets, raw = batch()
    assert loss_of(targets, raw) == pytest.approx(plain_loss(targets, raw), rel=1e-4)


def test_perfect_output_costs_almost_nothing_and_any_change_costs_more():
    targets, _ = batch()
    raw = np.stack([perfect_output(t, CLASSES) for t in targets]).astype(np.float32)
    best = loss_of(targets, raw)
    assert best < 0.01
    row = np.flatnonzero(targets[0, :, POSITIVE])[0]
    for column, change in ((0, 1.0), (2, -1.0), (4, -25.0), (5 + int(targets[0, row, CLASS]), -25)):
        worse = raw.copy()
        worse[0, row, column] += change
        assert loss_of(targets, worse) > best + 0.01


def test_a_picture_without_boxes_has_a_finite_loss_that_asks_for_low_objectness():
    _, raw = batch()
    empty = np.zeros((2, raw.shape[1], 6), np.float32)
    quiet = raw.copy()
    quiet[..., 4] = -15
    assert 0 <= loss_of(empty, quiet) < 0.01 < loss_of(empty, raw) < np.inf


def test_iou_and_ciou_agree_with_the_pairwise_functions():
    from cvtool.detection.loss import iou_and_ciou

    rng = np.random.default_rng(0)
    a, b = (
        np.column_stack([rng.uniform(0, 90, (200, 2)), rng.uniform(1, 60, (200, 2))]) for _ in "ab"
    )
    overlap, complete = iou_and_ciou(a[:, :2], a[:, 2:], b[:, :2], b[:, 2:])
    corners = cxcywh_to_xyxy(a), cxcywh_to_xyxy(b)
    np.testing.assert_allclose(overlap, iou(*corners).diagonal(), atol=1e-5)
    np.testing.assert_allclose(complete, ciou(*corners).diagonal(), atol=1e-4)


def test_loss_survives_a_round_trip_through_its_config():
    from cvtool.detection.loss import YoloLoss

    targets, raw = batch()
    loss = YoloLoss(ANCHORS, SIDE, CLASSES, STRIDES, label_smoothing=0.1)
    again = YoloLoss.from_config(loss.get_config())
    assert float(again(targets, raw)) == float(loss(targets, raw)) != loss_of(targets, raw)
