"""A small YOLO geometry, and a data set of drawn shapes, that several test modules share."""

from __future__ import annotations

import cv2
import numpy as np

from cvtool.datasets.boxed import DetectionDataset, Example
from cvtool.detection.encoding import CENTRE, CLASS, POSITIVE, SIZE
from cvtool.detection.grid import prediction_grid
from cvtool.pictures.writing import write_picture

SIDE = 128
STRIDES = (8, 16, 32)
ANCHORS = np.array(
    [
        [[6, 8], [12, 10], [14, 24]],
        [[30, 20], [24, 44], [50, 40]],
        [[90, 50], [60, 100], [120, 110]],
    ],
    float,
)
GRID = prediction_grid(SIDE, ANCHORS, STRIDES)
WIDTHS, DEPTHS, NECK = (8, 16, 32, 32, 32), (1, 1, 1, 1), 32


def perfect_output(targets, classes, grid=GRID):
    """Raw network output that says exactly what the targets say."""
    raw = np.full((len(targets), 5 + classes), -20.0)
    rows = np.flatnonzero(targets[:, POSITIVE])
    xy = (targets[rows, CENTRE] / grid[rows, 2:3] - grid[rows, 0:2] + 0.5) / 2
    wh = np.sqrt(targets[rows, SIZE] / grid[rows, 3:5]) / 2

    def logit(p):
        p = np.clip(p, 1e-6, 1 - 1e-6)
        return np.log(p / (1 - p))

    raw[rows, 0:2], raw[rows, 2:4], raw[rows, 4] = logit(xy), logit(wh), 20
    raw[rows, 5 + targets[rows, CLASS].astype(int)] = 20
    return raw


def draw_shapes(folder, count, *, seed=0, side=96):
    """Write pictures with one or two shapes on noise; the class is the shape.

    Returns:
        DetectionDataset of the classes disc and square.
    """
    rng = np.random.default_rng(seed)
    examples = []
    for number in range(count):
        pixels = rng.integers(90, 140, (side, side, 3)).astype(np.uint8)
        boxes, class_ids = [], []
        for half in rng.permutation(2)[: rng.integers(1, 3)]:
            radius = int(rng.integers(9, 20))
            x = int(rng.integers(radius + 2, side // 2 - radius + 2)) + int(half) * side // 2
            x = min(x, side - radius - 2)
            y = int(rng.integers(radius + 2, side - radius - 2))
            kind = int(rng.integers(0, 2))
            colour = (230, 40, 40) if kind == 0 else (40, 60, 230)
            if kind == 0:
                cv2.circle(pixels, (x, y), radius, colour, -1)
            else:
                cv2.rectangle(
                    pixels, (x - radius, y - radius), (x + radius, y + radius), colour, -1
                )
            boxes.append([x - radius, y - radius, x + radius + 1, y + radius + 1])
            class_ids.append(kind)
        path = folder / f"{number:03}.png"
        write_picture(path, pixels)
        examples.append(
            Example(
                path=path,
                boxes=np.array(boxes, np.float32),
                class_ids=np.array(class_ids),
                width=side,
                height=side,
                picture_id=number + 1,
            )
        )
    return DetectionDataset(("disc", "square"), tuple(examples), (1, 2))
