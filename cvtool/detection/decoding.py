"""From raw network outputs to boxes, in NumPy: no TensorFlow is needed to detect."""

from __future__ import annotations

import numpy as np

from cvtool.detection.grid import OWN_DECODING, STRIDES, boxes_from_raw, prediction_grid
from cvtool.detection.nms import non_max_suppression


def sigmoid(x):
    """Logistic function without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def probabilities(logits, decoding=OWN_DECODING):
    """Class probabilities (..., C) of class logits, as the `Decoding` of their scale says."""
    if decoding.classes == "sigmoid":
        return sigmoid(logits)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def decode(raw, size, anchors, strides=STRIDES, *, decodings=(), min_score=0.0):
    """Boxes and scores of one picture before suppression.

    A box's score for a class is p_c x the class's probability (YOLO, Redmon et
    al. 2016, equation 1). Every class of a box above `min_score` gives a row.

    Args:
        raw: float array (P, 5 + C), the network's output.
        size: side of the square input in pixels.
        anchors: float array-like (S, A, 2) in pixels; A may differ between scales.
        strides: S strides.
        decodings: S `Decoding`; empty for that of cvtool's own YOLO.
        min_score: rows below are dropped.
    Returns:
        boxes float32 (M, 4), corners in input pixels; scores float32 (M,) in
        [0, 1]; class ids int (M,).
    """
    grid = prediction_grid(size, anchors, strides)
    objectness = sigmoid(raw[:, 4])
    # A class's score never exceeds p_c, so most rows need no further work.
    candidates = np.flatnonzero(objectness >= max(min_score, 1e-6))
    found, decodings = [], decodings or [OWN_DECODING] * len(strides)
    # Runs of scales that decode alike, nearly always one, are worked on together.
    for decoding, stop in runs_of_scales(size, anchors, strides, decodings):
        taken = candidates[: np.searchsorted(candidates, stop)]
        candidates = candidates[len(taken) :]
        rows = raw[taken]
        scores = objectness[taken, None] * probabilities(rows[:, 5:], decoding)
        sure, class_ids = np.nonzero(scores >= min_score)
        centres, sizes = boxes_from_raw(rows[:, 0:2], rows[:, 2:4], grid[taken], sigmoid, decoding)
        boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)
        found.append((boxes[sure].astype(np.float32), scores[sure, class_ids], class_ids))
    return found[0] if len(found) == 1 else tuple(map(np.concatenate, zip(*found, strict=True)))


def runs_of_scales(size, anchors, strides, decodings):
    """Where neighbouring scales that decode alike end.

    Returns:
        list of (Decoding, number of the row of `prediction_grid` after the run's last).
    """
    runs, stop = [], 0
    for stride, scale, decoding in zip(strides, anchors, decodings, strict=True):
        stop += len(scale) * (size // stride) ** 2
        if runs and runs[-1][0] == decoding:
            runs.pop()
        runs.append((decoding, stop))
    return runs


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
