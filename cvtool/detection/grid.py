"""Where each of the network's predictions sits: its cell, its stride and its anchor.

The order of predictions is the network's output order and is the same in the
encoding, the loss and the decoding: scale by scale from the finest, row by row,
column by column, anchor by anchor.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

STRIDES = (8, 16, 32)


def prediction_grid(size, anchors, strides=STRIDES):
    """Describe every prediction of a square input.

    Args:
        size: side of the network's input in pixels, a multiple of the largest stride.
        anchors: float array-like (S, A, 2), widths and heights in pixels, a
            row of A anchors for each of the S scales.
        strides: S strides in pixels.
    Returns:
        float32 array (P, 5): cell column, cell row, stride, anchor width,
        anchor height; P = A x the sum of (size / stride)^2. Read-only.
    """
    frozen = tuple(tuple(tuple(map(float, a)) for a in scale) for scale in anchors)
    return _prediction_grid(int(size), frozen, tuple(strides))


@lru_cache(maxsize=32)
def _prediction_grid(size, anchors, strides):
    parts = []
    for scale, stride in zip(anchors, strides, strict=True):
        cells = size // stride
        rows, columns, indices = np.mgrid[:cells, :cells, : len(scale)].reshape(3, -1)
        shapes = np.array(scale)[indices]
        parts.append(np.column_stack([columns, rows, np.full(len(rows), stride), shapes]))
    grid = np.concatenate(parts).astype(np.float32)
    grid.setflags(write=False)
    return grid


def boxes_from_raw(xy, wh, grid, sigmoid):
    """Turn raw box outputs into centres and sizes.

    The form of Scaled-YOLOv4 (Wang et al. 2021, section 3): the centre can lie
    up to half a cell outside its cell, the size is bounded by four anchors, and
    no exponential can overflow.

    Works on NumPy arrays and on backend tensors alike.

    Args:
        xy: raw centre outputs (..., P, 2).
        wh: raw size outputs (..., P, 2).
        grid: array (P, 5) from `prediction_grid`, or rows of it.
        sigmoid: the logistic function of the array library in use.
    Returns:
        centres and sizes in input pixels, each (..., P, 2).
    """
    centres = (sigmoid(xy) * 2.0 - 0.5 + grid[:, 0:2]) * grid[:, 2:3]
    sizes = (sigmoid(wh) * 2.0) ** 2 * grid[:, 3:5]
    return centres, sizes
