"""Masks that say where a picture takes a style."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from cvtool.errors import PictureError
from cvtool.pictures.reading import MAX_PIXELS, read_picture
from cvtool.style.colours import to_bytes
from cvtool.style.scales import resized

# How far the shapes of a mask and a picture may differ, as a share of a side: a mask that was
# made of a smaller copy is a pixel or two off.
_SLACK = 0.02


def read_mask(path: str | Path, *, invert: bool = False, max_pixels: int = MAX_PIXELS):
    """Read a mask from a picture: white is 1, black 0, grey and coloured what lies between.

    Args:
        path: of any picture.
        invert: white is 0.
        max_pixels: as for `read_picture`.
    Returns:
        float32 (H, W) in [0, 1].
    Raises:
        PictureError: no picture, or 0 everywhere.
    """
    grey = cv2.cvtColor(read_picture(path, max_pixels=max_pixels), cv2.COLOR_RGB2GRAY)
    mask = inverted(grey / np.float32(255), invert)
    if not mask.any():
        colour = "white" if invert else "black"
        raise PictureError(f"{path}: {colour} all over, so no place takes the style; paint one")
    return mask


def check_shape(mask: np.ndarray, name: str, pixels: np.ndarray, picture: str) -> None:
    """Refuse a mask of another shape than the picture's; its size does not matter.

    Args:
        mask: (h, w).
        name: what an error calls it.
        pixels: (H, W, 3) of the picture.
        picture: what an error calls that.
    Raises:
        PictureError: the two have different aspect ratios.
    """
    height, width = pixels.shape[:2]
    tall, wide = mask.shape
    # In the mask's pixels, of which one can be lost to rounding.
    off = abs(wide - tall * width / height)
    if off > max(1.0, width / height, _SLACK * wide):
        raise PictureError(
            f"{name}: {wide} x {tall} pixels do not fit {picture} of {width} x {height}; "
            "make a mask of the same aspect ratio"
        )


def inverted(mask: np.ndarray, invert: bool) -> np.ndarray:
    """1 - mask, or the mask as it is."""
    return 1 - mask if invert else mask


def masked(result: np.ndarray, content: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """One picture under a mask, another elsewhere.

    Args:
        result: uint8 (H, W, 3).
        content: uint8 (h, w, 3), of any size.
        mask: float (h, w) in [0, 1], of any size.
    Returns:
        uint8 (H, W, 3).
    """
    content = resized(content, result.shape[:2])
    part = np.clip(resized(mask.astype(np.float32), result.shape[:2]), 0, 1)[..., None]
    return to_bytes(content + part * (result.astype(np.float32) - content))
