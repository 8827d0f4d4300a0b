"""A picture of what a detector is shown in training, so that a person can judge it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cvtool.pictures.drawing import draw_boxes
from cvtool.training.sheets import lay_out

if TYPE_CHECKING:
    from cvtool.detection.batches import DetectionBatches


def training_sheet(
    batches: DetectionBatches,
    classes: Sequence[str],
    count: int = 9,
    *,
    side: int = 456,
    seed: int = 0,
) -> np.ndarray:
    """Lay out training pictures as the network sees them, with their boxes and classes drawn.

    Args:
        batches: where they come from; their order stays as it was.
        classes: names, by class id.
        count: pictures, 1 or more, on a sheet about as wide as high.
        side: of each picture on the sheet, pixels; whatever size the network sees, there is
            room for names.
        seed: of the random changes.
    Returns:
        uint8 RGB (H, W, 3).
    Raises:
        PictureError: a picture cannot be read.
    """
    rng = np.random.default_rng(seed)
    scale = side / batches.size
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    squares = []
    for number in range(count):
        index = batches.order[number % len(batches.order)]
        pixels, boxes, class_ids = batches.sample(index, rng)
        shown = cv2.resize(pixels, (side, side), interpolation=smooth)
        names = [classes[class_id] for class_id in class_ids]
        squares.append(draw_boxes(shown, boxes * scale, names))
    return lay_out(squares, side)
