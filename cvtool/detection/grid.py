"""Where each of the network's predictions sits: its cell, its stride and its anchor.

The order of predictions is the network's output order and is the same in the
encoding, the loss and the decoding: scale by scale from the finest, row by row,
column by column, anchor by anchor.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

STRIDES = (8, 16, 32)
# The exponent of a size is cut here, so that noise does not overflow. No box that lies within a
# picture needs more.
LARGEST_EXPONENT = 30.0


@dataclass(frozen=True, slots=True)
class Decoding:
    """How the raw outputs of a scale become boxes and scores.

    Attributes:
        centre_scale: s in sigmoid(raw) s - (s - 1) / 2, the place of a centre in its cell: with
            1 it cannot leave the cell, with 2 it can by half a cell.
        size: what multiplies the anchor: "exp" of the raw output (YOLOv2, Redmon and Farhadi
            2017, section 2; YOLOv3, YOLOv4), or the "square" of twice its sigmoid.
        classes: how class logits become probabilities: "sigmoid", each by itself, or "softmax".
    """

    centre_scale: float = 2.0
    size: Literal["exp", "square"] = "square"
    classes: Literal["sigmoid", "softmax"] = "sigmoid"


# Of cvtool's own YOLO, in the form of Scaled-YOLOv4 (Wang et al. 2021, section 3): the centre
# can lie up to half a cell outside its cell, the size is bounded by four anchors, and no
# exponential can overflow.
OWN_DECODING = Decoding()


def prediction_grid(size, anchors, strides=STRIDES):
    """Describe every prediction of a square input.

    Args:
        size: side of the network's input in pixels, a multiple of the largest stride.
        anchors: float array-like (S, A, 2), widths and heights in pixels, a
            row of A anchors for each of the S scales; A may differ between them.
        strides: S strides in pixels.
    Returns:
        float32 array (P, 5): cell column, cell row, stride, anchor width,
        anchor height; P = the sum of A (size / stride)^2. Read-only.
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


def boxes_from_raw(xy, wh, grid, sigmoid, decoding=OWN_DECODING):
    """Turn raw box outputs into centres and sizes.

    Works on NumPy arrays and, with sizes that are squares, on backend tensors alike.

    Args:
        xy: raw centre outputs (..., P, 2).
        wh: raw size outputs (..., P, 2).
        grid: array (P, 5) from `prediction_grid`, or rows of it.
        sigmoid: the logistic function of the array library in use.
        decoding: `Decoding` of these rows.
    Returns:
        centres and sizes in input pixels, each (..., P, 2).
    """
    s = decoding.centre_scale
    centres = (sigmoid(xy) * s - (s - 1.0) / 2 + grid[:, 0:2]) * grid[:, 2:3]
    if decoding.size == "exp":
        factors = np.exp(np.minimum(wh, LARGEST_EXPONENT))
    else:
        factors = (sigmoid(wh) * 2.0) ** 2
    return centres, factors * grid[:, 3:5]
