"""From raw network outputs to boxes, in NumPy: no TensorFlow is needed to detect."""

from __future__ import annotations

import numpy as np

from cvtool.detection.grid import STRIDES, boxes_from_raw, prediction_grid
from cvtool.detection.nms import non_max_suppression


def sigmoid(x):
    """Logistic function without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def decode(raw, size, anchors, strides=STRIDES, *, min_score=0.0):
    """Boxes and scores of one picture before suppression.

    A box's score for a class is p_c x the class's probability (YOLO, Redmon et
    al. 2016, equation 1). Every class of a box above `min_score` gives a row.

    Args:
        raw: float array (P, 5 + C), the network's output.
        size: side of the square input in pixels.
        anchors: float array-like (S, A, 2) in pixels.
        strides: S strides.
        min_score: rows below are dropped.
    Returns:
        boxes float32 (M, 4), corners in input pixels; scores float32 (M,) in
        [0, 1]; class ids int (M,).
    """
    grid = prediction_grid(size, anchors, strides)
    objectness = sigmoid(raw[:, 4])
    # A class's score never exceeds p_c, so most rows need no further work.
    candidates = np.flatnonzero(objectness >= max(min_score, 1e-6))
    raw, grid = raw[candidates], grid[candidates]
    scores = objectness[candidates, None] * sigmoid(raw[:, 5:])
    rows, class_ids = np.nonzero(scores >= min_score)
    centres, sizes = boxes_from_raw(raw[:, 0:2], raw[:, 2:4], grid, sigmoid)
    boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)
    return boxes[rows].astype(np.float32), scores[rows, class_ids], class_ids


def select(boxes, scores, class_ids, *, max_iou=0.45, max_boxes=300):
    """Best boxes first, those suppressed by a better one of their class left out.

    Args:
        boxes, scores, class_ids: from `decode`.
        max_iou: two boxes of a class may overlap up to this IoU.
        max_boxes: at most so many are kept.
    Returns:
        the kept rows of boxes, scores and class ids.
    """
    # Only the best few thousand can matter; a cap keeps a noisy picture quick.
    if len(scores) > 3000:
        top = np.argpartition(-scores, 3000)[:3000]
        boxes, scores, class_ids = boxes[top], scores[top], class_ids[top]
    kept = non_max_suppression(boxes, scores, class_ids, max_iou=max_iou, max_boxes=max_boxes)
    return boxes[kept], scores[kept], class_ids[kept]
