"""Pictures laid out on a sheet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_GROUND = 255
_GAP = 6


def lay_out(squares: Sequence[np.ndarray], side: int) -> np.ndarray:
    """Lay out squares on a sheet about as wide as high.

    Args:
        squares: one or more, uint8 RGB (side, side, 3).
        side: pixels.
    Returns:
        uint8 RGB (H, W, 3).
    """
    columns = int(np.ceil(len(squares) ** 0.5))
    rows = -(-len(squares) // columns)
    step = side + _GAP
    sheet = np.full((rows * step + _GAP, columns * step + _GAP, 3), _GROUND, np.uint8)
    for number, square in enumerate(squares):
        top, left = (_GAP + place * step for place in divmod(number, columns))
        sheet[top : top + side, left : left + side] = square
    return sheet
