"""What the network is shown of a picture, and the way back to the picture's own pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from cvtool.pictures.sources import Picture

# Sides in pixels: of the square that patches are cut from, at most, and of a patch.
DETAIL = 1024
PATCH = 112

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The square in the middle of a picture.

    Attributes:
        picture: the picture's name.
        frame: number of a video's frame; None for a still picture.
        left, top, side: of the square, in the picture's pixels.
        detail: uint8 (n, n, 3), the square as it is, or shrunk to DETAIL.
        pixels: uint8 (size, size, 3), the square as the network is shown it.
    """

    picture: str
    frame: int | None
    left: int
    top: int
    side: int
    detail: np.ndarray
    pixels: np.ndarray

    def box(self, box: Box) -> tuple[float, float, float, float]:
        """A box in the network's pixels, x1, y1, x2, y2, in the picture's own."""
        scale = self.side / len(self.pixels)
        x1, y1, x2, y2 = (edge * scale for edge in box)
        return self.left + x1, self.top + y1, self.left + x2, self.top + y2

    def patch(self, box: Box) -> np.ndarray:
        """The pixels in a box of the network's pixels, uint8 (h, w, 3), at most PATCH a side."""
        scale = len(self.detail) / len(self.pixels)
        x1, y1, x2, y2 = (round(edge * scale) for edge in box)
        part = self.detail[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)]
        shrink = PATCH / max(part.shape[:2])
        if shrink >= 1:
            return part.copy()  # a part of it would keep the whole square alive
        height, width = (max(1, round(n * shrink)) for n in part.shape[:2])
        return cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)


def view_of(picture: Picture, size: int) -> View:
    """The square in the middle of a picture, for a network that sees `size` x `size` pixels."""
    height, width = picture.pixels.shape[:2]
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    square = picture.pixels[top : top + side, left : left + side]
    detail = _scaled(square, min(side, max(DETAIL, size)))
    return View(picture.name, picture.frame, left, top, side, detail, _scaled(detail, size))


def _scaled(square: np.ndarray, side: int) -> np.ndarray:
    if len(square) == side:
        return square.copy()
    way = cv2.INTER_AREA if len(square) > side else cv2.INTER_LINEAR
    return cv2.resize(square, (side, side), interpolation=way)
