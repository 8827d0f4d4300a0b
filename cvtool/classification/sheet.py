"""A picture of what augmentation does, so that a person can judge it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from cvtool.classification.views import centre_view
from cvtool.pictures.fonts import choose_font, font_of

_GROUND = (255, 255, 255)
_INK = (32, 32, 32)
_GAP = 4
# The original stands apart from what was made of it.
_WIDE_GAP = 12


def augmentation_sheet(
    pictures: Sequence[np.ndarray],
    labels: Sequence[str],
    augment_one: Callable[[np.ndarray, np.random.Generator], np.ndarray],
    columns: int = 8,
    side: int = 128,
    seed: int = 0,
) -> np.ndarray:
    """Lay out pictures beside variants of them, one row a picture, its label above the row.

    Args:
        pictures: uint8 RGB (H, W, 3) of any sizes.
        labels: as many texts; one too long for the sheet is cut short.
        augment_one: called as augment_one(pixels, rng) for each variant; gives uint8
            (h, w, 3), shown at `side`.
        columns: variants a picture, to the right of the original.
        side: of each picture on the sheet, pixels.
        seed: of the rng that augment_one is given.
    Returns:
        uint8 (H, W, 3).
    Raises:
        ValueError: no picture, or pictures and labels that differ in number.
    """
    if not len(pictures) or len(pictures) != len(labels):
        raise ValueError(f"{len(pictures)} pictures with {len(labels)} labels: nothing to lay out")
    rng = np.random.default_rng(seed)
    text_size = max(11, side // 9)
    title = round(1.6 * text_size)
    row = title + side + _GAP
    lefts = [_GAP] + [_GAP + side + _WIDE_GAP + n * (side + _GAP) for n in range(columns)]
    width = lefts[-1] + side + _GAP
    sheet = np.full((len(pictures) * row, width, 3), _GROUND, np.uint8)
    for number, pixels in enumerate(pictures):
        top = number * row + title
        for column, left in enumerate(lefts):
            shown = augment_one(pixels, rng) if column else pixels
            sheet[top : top + side, left : left + side] = centre_view(shown, side)
    picture = Image.fromarray(sheet)
    canvas = ImageDraw.Draw(picture)
    for number, label in enumerate(labels):
        text, font = _fitted(label, text_size, width - 2 * _GAP)
        middle = number * row + title // 2
        canvas.text((_GAP, middle), text, font=font, fill=_INK, anchor="lm")
    return np.array(picture)


def _fitted(label: str, size: int, room: int) -> tuple:
    """The label on one line, cut at its end where there is no room, and its font."""
    text, face = choose_font(" ".join(label.split()))
    font = font_of(face, size)
    whole = text
    while text and font.getlength(text) > room:
        whole = whole[:-1].rstrip()
        text = whole + "…" if whole else ""
    return text, font
