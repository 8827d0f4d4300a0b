"""Square views of a picture, without chance: what a classifier is shown when it predicts."""

from __future__ import annotations

import cv2
import numpy as np


def centre_view(pixels: np.ndarray, side: int) -> np.ndarray:
    """The picture with its short side scaled to `side`, cut to the square in its middle.

    The cut comes before the scaling, at whole pixels of the picture, so that a long strip
    costs no more than a square; where the rest is odd, the square lies half a pixel towards
    the left or the top.

    Args:
        pixels: uint8 (H, W, 3), H and W at least 1.
        side: pixels, at least 1.
    Returns:
        uint8 (side, side, 3), a new array; averaged over areas when shrinking, bilinear when
        enlarging.
    """
    return _scaled(_square(pixels, 0.5), side)


def ten_crops(pixels: np.ndarray, side: int) -> np.ndarray:
    """The views of test-time augmentation: Krizhevsky et al. 2012 (AlexNet), section 4.1.

    The picture's short side is scaled to round(side * 8 / 7), AlexNet's 256 for 224; from it
    are cut the four corners and the middle. A class's score is the mean over the views.

    Args:
        pixels: uint8 (H, W, 3), H and W at least 1.
        side: pixels, at least 1.
    Returns:
        uint8 (10, side, side, 3): top left, top right, bottom left, bottom right, centre;
        then the mirror images of these five in the same order.
    """
    short = round(side * 8 / 7)
    height, width = pixels.shape[:2]
    # Every crop lies in a square at one end or in the middle, so the rest is never scaled.
    middle = _scaled(_square(pixels, 0.5), short)
    if height == width:
        first = last = middle
    else:
        first, last = (_scaled(_square(pixels, at), short) for at in (0, 1))
    top_right, bottom_left = (last, first) if width > height else (first, last)
    low = slice(0, side)
    high = slice(short - side, short)
    inset = (short - side) // 2
    centre = slice(inset, inset + side)
    views = np.empty((10, side, side, 3), np.uint8)
    views[0] = first[low, low]
    views[1] = top_right[low, high]
    views[2] = bottom_left[high, low]
    views[3] = last[high, high]
    views[4] = middle[centre, centre]
    views[5:] = views[:5, :, ::-1]
    return views


def _square(pixels: np.ndarray, at: float) -> np.ndarray:
    """The largest square, at one end (0), in the middle (0.5) or at the other end (1)."""
    height, width = pixels.shape[:2]
    short = min(height, width)
    top, left = int((height - short) * at), int((width - short) * at)
    return pixels[top : top + short, left : left + short]


def _scaled(square: np.ndarray, side: int) -> np.ndarray:
    if len(square) == side:
        return square.copy()
    way = cv2.INTER_AREA if len(square) > side else cv2.INTER_LINEAR
    return cv2.resize(square, (side, side), interpolation=way)
