"""A picture of what a detector is shown in training, so that a person can judge it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cvtool.pictures.drawing import draw_boxes

if TYPE_CHECKING:
    from cvtool.detection.batches import DetectionBatches

_GROUND = 255
_GAP = 6


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
    columns = int(np.ceil(count**0.5))
    rows = -(-count // columns)
    step = side + _GAP
    scale = side / batches.size
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    sheet = np.full((rows * step + _GAP, columns * step + _GAP, 3), _GROUND, np.uint8)
    for number in range(count):
        index = batches.order[number % len(batches.order)]
        pixels, boxes, class_ids = batches.sample(index, rng)
        shown = cv2.resize(pixels, (side, side), interpolation=smooth)
        drawn = draw_boxes(shown, boxes * scale, [classes[class_id] for class_id in class_ids])
        top, left = (_GAP + place * step for place in divmod(number, columns))
        sheet[top : top + side, left : left + side] = drawn
    return sheet
