"""Pictures with masks for a person to judge: what is learnt, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cvtool.datasets.masked import VOID
from cvtool.pictures.mask_drawing import draw_mask
from cvtool.segmentation.segmenter import scaled
from cvtool.training.sheets import lay_out

if TYPE_CHECKING:
    from cvtool.segmentation.batches import SegmentationBatches

_GAP, _GROUND = 6, 255


def training_sheet(
    batches: SegmentationBatches,
    classes: Sequence[str],
    count: int = 9,
    *,
    side: int = 456,
    seed: int = 0,
) -> np.ndarray:
    """Lay out training pictures as the network sees them, their masks laid over.

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
        PictureError, MaskError: a picture or mask cannot be read.
    """
    rng = np.random.default_rng(seed)
    squares = []
    for number in range(count):
        index = batches.order[number % len(batches.order)]
        pixels, targets = batches.sample(index, rng)
        mask = np.where(targets[..., 1] > 0, targets[..., 0], VOID).astype(np.uint8)
        squares.append(draw_mask(*fitted(pixels, mask, side), classes))
    return lay_out(squares, side)


def side_by_side(
    pixels: np.ndarray, masks: Sequence[np.ndarray], classes: Sequence[str], side: int
) -> np.ndarray:
    """Show a picture once under each of several masks, from left to right.

    Args:
        pixels: uint8 RGB (H, W, 3).
        masks: uint8 (H, W) each, 255 for void.
        classes: names, by class id.
        side: longer side of each, pixels.
    Returns:
        uint8 RGB (h, w, 3).
    """
    shown = [draw_mask(*fitted(pixels, mask, side), classes) for mask in masks]
    gap = np.full((shown[0].shape[0], _GAP, 3), _GROUND, np.uint8)
    parts = [part for one in shown for part in (gap, one)]
    return np.concatenate(parts[1:], axis=1)


def fitted(pixels: np.ndarray, mask: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture and its mask with the longer side scaled to `side` pixels."""
    pixels = scaled(pixels, side)
    size = pixels.shape[1::-1]
    return pixels, cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT)
