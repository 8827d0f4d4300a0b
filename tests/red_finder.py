"""A detector that finds red rectangles as an ideal network would, that several tests share."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np

from cvtool.detection.encoding import encode
from cvtool.detection.grid import prediction_grid
from tiny_yolo import ANCHORS, SIDE, STRIDES, perfect_output

RED = np.array([255, 0, 0])


class RedFinder:
    """An engine that sees every red rectangle exactly: what an ideal network would answer."""

    name = "ideal"

    def __call__(self, batch):
        outputs = []
        for pixels in batch:
            red = (np.abs(pixels.astype(int) - RED).sum(-1) < 90).astype(np.uint8)
            count, _, stats, _ = cv2.connectedComponentsWithStats(red)
            boxes = [(x, y, x + w, y + h) for x, y, w, h, n in stats[1:count] if n > 8]
            boxes, size = np.array(boxes).reshape(-1, 4), len(pixels)
            targets = encode(boxes, [1] * len(boxes), size, ANCHORS)
            grid = prediction_grid(size, ANCHORS, STRIDES)
            outputs.append(perfect_output(targets, 3, grid))
        return np.stack(outputs).astype(np.float32)


PRESET = SimpleNamespace(
    name="ideal",
    size=SIDE,
    anchors=ANCHORS,
    strides=STRIDES,
    classes=("cat", "dog", "cow"),
    decoding=(),
    fit="letterbox",
    score=None,
)


def picture(height, width, *boxes):
    pixels = np.full((height, width, 3), 128, np.uint8)
    for x1, y1, x2, y2 in boxes:
        pixels[y1:y2, x1:x2] = RED
    return pixels
