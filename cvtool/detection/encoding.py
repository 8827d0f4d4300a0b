"""Training targets: which prediction answers for which box."""

from __future__ import annotations

import numpy as np

from cvtool.detection.anchors import shape_iou
from cvtool.detection.grid import STRIDES, prediction_grid

# Columns of a target row.
CENTRE, SIZE, POSITIVE, CLASS = slice(0, 2), slice(2, 4), 4, 5


def encode(boxes, class_ids, size, anchors, strides=STRIDES, *, neighbours=True, min_shape_iou=0.3):
    """Assign boxes to predictions.

    Each box belongs to the grid cell of its midpoint and, there, to the anchor
    whose shape has the highest IoU with it (YOLOv2, Redmon and Farhadi 2017,
    section 2, and YOLOv3). If two boxes want the same cell and anchor, the one
    that fits better has it and the other takes its next best anchor; a box
    finds no place only when all anchors of its cells at all scales are taken.

    Places that remain free are then filled with further answers for the same
    boxes, which shortens training: other anchors of similar shape, and the
    nearest cell beside and the nearest cell above or below the midpoint
    (YOLOv5). They never displace a box's own place.

    Args:
        boxes: float array (N, 4), corners x1, y1, x2, y2 in input pixels.
        class_ids: int array (N,).
        size: side of the network's input in pixels.
        anchors: float array-like (S, A, 2) in pixels.
        strides: S strides.
        neighbours: also fill neighbouring cells and similar anchors.
        min_shape_iou: shape IoU from which an anchor counts as similar.
    Returns:
        float32 array (P, 6): centre x, centre y, width, height in input pixels,
        1 where the prediction answers for a box (else 0), class id.
    """
    grid = prediction_grid(size, anchors, strides)
    targets = np.zeros((len(grid), 6), np.float32)
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    sizes = boxes[:, 2:] - boxes[:, :2]
    centres = boxes[:, :2] + sizes / 2
    inside = (sizes > 0).all(1) & (centres >= 0).all(1) & (centres < size).all(1)
    if not inside.any():
        return targets
    sizes, centres, class_ids = sizes[inside], centres[inside], np.asarray(class_ids)[inside]

    anchors = np.asarray(anchors, np.float32)
    per_scale = anchors.shape[1]
    fit = shape_iou(sizes, anchors.reshape(-1, 2))
    preference = np.argsort(-fit, axis=1, kind="stable")
    cells = size // np.asarray(strides)
    starts = np.concatenate([[0], np.cumsum(cells**2 * per_scale)])

    def place(box, anchor, column_shift=0, row_shift=0):
        """Index of the prediction, or -1 outside the grid."""
        scale = anchor // per_scale
        column, row = (centres[box] // strides[scale]).astype(int)
        column, row = column + column_shift, row + row_shift
        if not (0 <= column < cells[scale] and 0 <= row < cells[scale]):
            return -1
        cell = row * cells[scale] + column
        return starts[scale] + cell * per_scale + anchor % per_scale

    owner = np.full(len(grid), -1)
    # The best-fitting box chooses first.
    for box in np.argsort(-fit.max(1), kind="stable"):
        for anchor in preference[box]:
            index = place(box, anchor)
            if owner[index] < 0:
                owner[index] = box
                break

    if neighbours:
        own = owner >= 0
        quality = np.zeros(len(grid), np.float32)
        for box in range(len(sizes)):
            best = preference[box, 0]
            for anchor in preference[box]:
                if fit[box, anchor] < min_shape_iou and anchor != best:
                    break
                offset = (centres[box] / strides[anchor // per_scale]) % 1
                side = -1 if offset[0] < 0.5 else 1
                above = -1 if offset[1] < 0.5 else 1
                for shift in ((0, 0), (side, 0), (0, above)):
                    index = place(box, anchor, *shift)
                    if index >= 0 and not own[index] and fit[box, anchor] > quality[index]:
                        owner[index], quality[index] = box, fit[box, anchor]

    used = np.flatnonzero(owner >= 0)
    boxes_used = owner[used]
    targets[used, CENTRE] = centres[boxes_used]
    targets[used, SIZE] = sizes[boxes_used]
    targets[used, POSITIVE] = 1
    targets[used, CLASS] = class_ids[boxes_used]
    return targets
