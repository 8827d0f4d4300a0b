"""Faces for people to look at."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from cvtool.pictures.drawing import text_colour
from cvtool.pictures.fonts import choose_font, font_of

_GREEN, _RED = (34, 139, 34), (190, 30, 45)
_SIDE, _GAP, _BAR = 224, 8, 36


def side_by_side(faces: Sequence[np.ndarray], same: bool, words: str) -> np.ndarray:
    """Two aligned faces beside each other over a bar that says what they are.

    Args:
        faces: two uint8 RGB arrays (S, S, 3).
        same: colours the bar green, or red.
        words: what stands in it.
    Returns:
        uint8 RGB, 260 x 456 pixels.
    """
    colour = _GREEN if same else _RED
    sheet = np.full((_SIDE + _BAR, 2 * _SIDE + _GAP, 3), 255, np.uint8)
    for number, face in enumerate(faces):
        left = number * (_SIDE + _GAP)
        sheet[:_SIDE, left : left + _SIDE] = cv2.resize(
            face, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC
        )
    sheet[_SIDE:] = colour
    text, font = choose_font(words)
    image = Image.fromarray(sheet)
    middle = sheet.shape[1] / 2, _SIDE + _BAR / 2
    ImageDraw.Draw(image).text(
        middle, text, fill=text_colour(colour), font=font_of(font, 16), anchor="mm"
    )
    return np.asarray(image)
