"""Fit a picture into the square that the network sees, and bring boxes back."""

from __future__ import annotations

import cv2
import numpy as np

from cvtool.detection.boxes import as_float, clip_boxes

# The grey of the padding: near the mean of natural pictures, so it excites little.
FILL = 114


def letterbox(
    pixels: np.ndarray, size: int, *, fill: int = FILL
) -> tuple[np.ndarray, float, tuple[int, int]]:
    """Resize a picture, up or down, to fit a square; keep its shape; centre it on grey.

    Args:
        pixels: uint8 array (H, W, 3).
        size: side of the square, pixels.
        fill: grey level of the padding, 0-255.
    Returns:
        The square, uint8 (size, size, 3); the scale, network pixels per picture
        pixel; and the padding (left, top) in network pixels. A point (x, y) of the
        picture lies at (x * scale + left, y * scale + top), to within half a pixel.
    """
    height, width = pixels.shape[:2]
    scale = size / max(height, width)
    inner_width = max(1, round(width * scale))
    inner_height = max(1, round(height * scale))
    # Area averaging is several times quicker by whole factors, so these go first.
    factor = int(min(height / inner_height, width / inner_width))
    if factor > 1 and height % factor == width % factor == 0:
        pixels = cv2.resize(
            pixels, (width // factor, height // factor), interpolation=cv2.INTER_AREA
        )
    if (inner_height, inner_width) != pixels.shape[:2]:
        shrinking = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        pixels = cv2.resize(pixels, (inner_width, inner_height), interpolation=shrinking)
    left, top = (size - inner_width) // 2, (size - inner_height) // 2
    square = np.full((size, size, 3), fill, np.uint8)
    square[top : top + inner_height, left : left + inner_width] = pixels
    return square, scale, (left, top)


def stretch(
    pixels: np.ndarray, size: int
) -> tuple[np.ndarray, tuple[float, float], tuple[int, int]]:
    """Resize a picture to a square, whatever its shape, as Darknet does: without averaging.

    Args:
        pixels: uint8 array (H, W, 3).
        size: side of the square, pixels.
    Returns:
        The square, uint8 (size, size, 3); the scales of x and y, network pixels per picture
        pixel; and the padding (0, 0), as `letterbox` gives it.
    """
    height, width = pixels.shape[:2]
    square = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_LINEAR)
    return square, (size / width, size / height), (0, 0)


# By the name that a model's description gives.
FITS = {"letterbox": letterbox, "stretch": stretch}


def letterbox_boxes(boxes, scale: float, padding: tuple[float, float]) -> np.ndarray:
    """Boxes (N, 4) xyxy in picture pixels -> in pixels of the letterboxed square."""
    boxes = as_float(boxes)
    return boxes * boxes.dtype.type(scale) + np.array([*padding, *padding], boxes.dtype)


def unletterbox_boxes(
    boxes,
    scale: float | tuple[float, float],
    padding: tuple[float, float],
    height: int,
    width: int,
) -> np.ndarray:
    """Boxes (N, 4) xyxy in pixels of the square -> in picture pixels, cut at the picture's edges.

    Args:
        boxes: float array (N, 4) xyxy, pixels of the square.
        scale, padding: as `letterbox` or `stretch` returned them.
        height, width: of the original picture, pixels.
    """
    boxes = as_float(boxes)
    scales = np.tile(np.broadcast_to(scale, 2), 2).astype(boxes.dtype)
    boxes = (boxes - np.array([*padding, *padding], boxes.dtype)) / scales
    return clip_boxes(boxes, height, width)
