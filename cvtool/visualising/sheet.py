"""A sheet of patches: for each unit a block of what excites it most."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from cvtool.pictures.fonts import choose_font, font_of
from cvtool.visualising.layers import Layer
from cvtool.visualising.top_patches import LayerPatches, Patch, UnitPatches
from cvtool.visualising.views import PATCH

_GROUND, _TILE_GROUND = (255, 255, 255), (238, 238, 238)
_INK, _FAINT_INK = (32, 32, 32), (110, 110, 110)
_TITLE_SIZE, _TEXT_SIZE = 22, 15
_EDGE, _BLOCK_GAP, _TILE_GAP = 24, 26, 3
_LABEL, _HEAD = 26, 74
# So that the lines of the head fit over a narrow sheet.
_LEAST_WIDTH = 620


def draw_sheet(
    found: LayerPatches, name: str, *, patches: int, labels: Sequence[str] = ()
) -> np.ndarray:
    """Lay out a layer's patches: a block for each unit, the strongest patch at its top left.

    Small patches are enlarged (bicubic). Where a layer sees the whole picture, that is shown with
    a square round the position.

    Args:
        found: one unit or more.
        name: of the network, for the title.
        patches: how many a block has room for.
        labels: names of all units of the layer, where they have names.
    Returns:
        uint8 (H, W, 3) RGB.
    """
    across = math.ceil(patches**0.5)
    down = -(-patches // across)
    block = tuple(n * (PATCH + _TILE_GAP) - _TILE_GAP for n in (across, down))
    step = block[0] + _BLOCK_GAP, block[1] + _LABEL + _BLOCK_GAP
    # About as wide as high.
    columns = min(len(found.units), max(1, round((len(found.units) * step[1] / step[0]) ** 0.5)))
    rows = -(-len(found.units) // columns)
    width = max(columns * step[0] - _BLOCK_GAP, _LEAST_WIDTH) + 2 * _EDGE
    height = _EDGE + _HEAD + rows * step[1] - _BLOCK_GAP + _EDGE
    sheet = Image.new("RGB", (width, height), _GROUND)
    room = width - 2 * _EDGE
    _write(sheet, f"{name}  {found.layer.name}", (_EDGE, _EDGE + 10), _TITLE_SIZE, _INK, room)
    for number, line in enumerate(caption(found)):
        _write(sheet, line, (_EDGE, _EDGE + 35 + 20 * number), _TEXT_SIZE, _FAINT_INK, room)
    for number, unit in enumerate(found.units):
        row, column = divmod(number, columns)
        left, top = _EDGE + column * step[0], _EDGE + _HEAD + row * step[1]
        label = labels[unit.unit] if labels else ""
        _draw_label(sheet, unit, label, (left, top), block[0])
        for place, patch in enumerate(unit.patches):
            down_by, right_by = (n * (PATCH + _TILE_GAP) for n in divmod(place, across))
            corner = (left + right_by, top + _LABEL + down_by)
            sheet.paste(Image.fromarray(tile_of(patch, found.layer)), corner)
    return np.array(sheet)


def caption(found: LayerPatches) -> tuple[str, str]:
    """Two lines on what a sheet shows."""
    layer = found.layer
    height, width = layer.field.size
    pictures = f"{found.pictures:,} picture{'' if found.pictures == 1 else 's'}"
    first = f"{layer.units:,} units; of each shown, what excites it most in {pictures}"
    if not layer.field.sees_all:
        return first, f"each unit sees {width} x {height} of the picture's {_sides(layer)} pixels"
    if len(layer.shape) == 1:
        return first, f"each unit sees the whole picture, {_sides(layer)} pixels"
    return first, "each unit sees the whole picture; the square marks its position"


def _sides(layer: Layer) -> str:
    height, width = layer.field.picture
    return f"{width} x {height}"


def tile_of(patch: Patch, layer: Layer) -> np.ndarray:
    """A patch in a square of the sheet, uint8 (PATCH, PATCH, 3), with its mark.

    All patches of a layer have one scale: that of a receptive field that lies in the picture as a
    whole. Of one that does not, what is outside is grey.
    """
    tile = np.full((PATCH, PATCH, 3), _TILE_GROUND, np.uint8)
    x1, y1, x2, y2 = layer.shown_box(*patch.position)
    (top, height), (left, width) = (
        _placed(*span, full, side)
        for span, full, side in zip(
            ((y1, y2), (x1, x2)), layer.field.size, layer.field.picture, strict=True
        )
    )
    enlarging = height > patch.pixels.shape[0]
    way = cv2.INTER_CUBIC if enlarging else cv2.INTER_AREA
    tile[top : top + height, left : left + width] = cv2.resize(
        patch.pixels, (width, height), interpolation=way
    )
    if layer.field.sees_all and len(layer.shape) == 3:
        _mark(tile, patch.position, layer.shape[:2])
    return tile


def _placed(start: int, end: int, full: int, side: int) -> tuple[int, int]:
    """Where a span of the picture lies along a side of a tile, and its length there.

    Args:
        start, end: of the span; it may be cut at the picture's edges.
        full: length of the longest span.
        side: of the picture.
    """
    length = max(1, round((end - start) * PATCH / full))
    if start == 0 and end < side:
        return PATCH - length, length
    return (0 if start > 0 else (PATCH - length) // 2), length


def _mark(tile: np.ndarray, position: tuple[int, int], shape: tuple[int, ...]) -> None:
    """Draw a square round a position of a map of that height and width, at least 9 pixels wide."""
    sides = [PATCH / n for n in shape]
    centres = [(at + 0.5) * side for at, side in zip(position, sides, strict=True)]
    half = max(9.0, min(sides)) / 2
    top, left = (round(min(max(c - half, 1), PATCH - 2 - 2 * half)) for c in centres)
    right, bottom = left + round(2 * half), top + round(2 * half)
    cv2.rectangle(tile, (left - 1, top - 1), (right + 1, bottom + 1), (0, 0, 0), 1)
    cv2.rectangle(tile, (left, top), (right, bottom), (255, 255, 255), 1)


def _draw_label(
    sheet: Image.Image, unit: UnitPatches, label: str, corner: tuple[int, int], room: int
) -> None:
    """The unit's number, its name if it has one, and on the right its highest activation."""
    left, top = corner
    middle = top + _LABEL // 2 - 2
    value = f"{unit.activation:.2f}" if unit.patches else ""
    width = font_of(None, _TEXT_SIZE).getlength(value)
    _write(sheet, value, (left + room - width, middle), _TEXT_SIZE, _FAINT_INK, room)
    text = f"unit {unit.unit}  {label}".rstrip()
    _write(sheet, text, (left, middle), _TEXT_SIZE, _INK, room - width - 10)
    if not unit.patches:
        place = (left, top + _LABEL + _TEXT_SIZE)
        _write(sheet, "never active", place, _TEXT_SIZE, _FAINT_INK, room)


def _write(
    sheet: Image.Image,
    text: str,
    place: tuple[float, float],
    size: int,
    ink: tuple[int, int, int],
    room: float,
) -> None:
    """A line of text from its left end and middle, cut at its end where there is no room."""
    text, face = choose_font(text)
    font = font_of(face, size)
    while len(text) > 1 and font.getlength(text) > room:
        text = text.rstrip("…")[:-1].rstrip() + "…"
    ImageDraw.Draw(sheet).text(place, text, font=font, fill=ink, anchor="lm")
