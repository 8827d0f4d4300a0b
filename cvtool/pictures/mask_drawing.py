"""Masks laid over a picture, a colour a class."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from cvtool.pictures.drawing import (
    Rect,
    class_colours,
    draw_tag,
    fit_tag,
    line_width,
    overlap,
    place_tag,
)
from cvtool.pictures.palette import VOC_VOID
from cvtool.pictures.tiling import row_bands

_VOID = 255
# Places for names are looked for in a mask of at most this longer side.
_LARGEST = 800


def draw_mask(
    pixels: np.ndarray, mask: np.ndarray, classes: Sequence[str], opacity: float = 0.5
) -> np.ndarray:
    """Tint each class of a mask in its colour, with an edge and its name, on a copy of a picture.

    The first class, the background, stays as it is. The name stands in the widest part of the
    class, or beside it where that is narrow. Beyond the new picture, little memory is taken.

    Args:
        pixels: uint8 (H, W, 3) RGB.
        mask: uint8 (H, W) class ids, 255 for void.
        classes: names, in the order of the ids.
        opacity: of the tint, 0 to 1.
    Returns:
        uint8 (H, W, 3), a new array.
    """
    height, width = mask.shape
    named = class_colours(tuple(classes[1:]))
    colours = np.zeros((_VOID + 1, 3), np.float32)
    alphas = np.zeros((_VOID + 1, 1), np.float32)
    colours[1 : len(named) + 1], alphas[1 : len(named) + 1] = np.reshape(named, (-1, 3)), opacity
    colours[_VOID], alphas[_VOID] = VOC_VOID, opacity
    line = line_width(height, width)
    around = np.ones((2 * line + 1, 2 * line + 1), np.uint8)
    result = np.empty_like(pixels)
    for rows in row_bands(height, 4 * 16 * width):
        # An edge where another class is near, in this band or beyond it.
        top = max(rows.start - line, 0)
        wider = mask[top : rows.stop + line]
        edges = cv2.morphologyEx(wider, cv2.MORPH_GRADIENT, around)[rows.start - top :] > 0
        part = mask[rows]
        alpha = alphas[part]
        alpha[edges[: len(part), :, None] & (alpha > 0)] = 1
        result[rows] = pixels[rows] * (1 - alpha) + colours[part] * alpha + 0.5
    return _named(result, mask, dict(enumerate(zip(classes[1:], named, strict=True), 1)))


def _named(
    pixels: np.ndarray, mask: np.ndarray, names: dict[int, tuple[str, tuple[int, int, int]]]
) -> np.ndarray:
    """Write the names of the classes, given with their colours by id, into the picture."""
    height, width = mask.shape
    scale = min(1.0, _LARGEST / max(height, width))
    sides = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(mask, sides, interpolation=cv2.INTER_NEAREST)
    picture = Image.fromarray(pixels)
    canvas = ImageDraw.Draw(picture)
    taken: list[Rect] = []
    for number in np.unique(small).tolist():
        if number not in names or not names[number][0]:
            continue
        tag = fit_tag(names[number][0], height, width)
        if tag is not None:
            place = _place(small == number, tag[2], height, width, taken)
            taken.append(place)
            draw_tag(canvas, place, tag, names[number][1])
    return np.array(picture)


def _place(
    where: np.ndarray, size: tuple[int, int], height: int, width: int, taken: list[Rect]
) -> Rect:
    """Find the place for the name of a class.

    Args:
        where: bool (h, w), its pixels in a smaller picture.
        size: width and height of the name's tag, pixels.
        height, width: of the picture, pixels.
        taken: places of other names.
    """
    # With a border, so that the middle of a class that fills the picture is in the middle.
    depth = cv2.distanceTransform(np.pad(where, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    deepest = np.argwhere(depth == depth.max())
    # Of a long strip, all of its middle line is.
    y, x = deepest[np.abs(deepest - deepest.mean(axis=0)).sum(axis=1).argmin()].tolist()
    scale = max(height, width) / max(where.shape)
    wide, tall = size
    if depth.max() * scale >= tall:
        left = min(max(round((x + 0.5) * scale - wide / 2), 0), width - wide)
        top = min(max(round((y + 0.5) * scale - tall / 2), 0), height - tall)
        place = (left, top, left + wide - 1, top + tall - 1)
        if not any(overlap(place, other) for other in taken):
            return place
    numbers = cv2.connectedComponentsWithStats(where.astype(np.uint8))
    part = numbers[2][numbers[1][y, x]] * scale
    left, top, across, down = (round(float(value)) for value in part[:4])
    box = (left, top, min(left + across, width) - 1, min(top + down, height) - 1)
    return place_tag(box, size, line_width(height, width), height, width, taken)
