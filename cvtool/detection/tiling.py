"""Overlapping tiles, to find small objects in large pictures."""

from __future__ import annotations

import math

import numpy as np


def tile_boxes(height: int, width: int, tile: int, overlap: float = 0.2) -> np.ndarray:
    """Cover a picture with square tiles.

    The tiles are spread evenly: the first and last of each row and column lie
    flush with the edges, and neighbours share at least the overlap asked for. A
    side shorter than a tile has one tile of that length.

    Args:
        height, width: of the picture, pixels.
        tile: side of a tile, pixels.
        overlap: smallest share of its side that a tile shares with the next, in [0, 1).
    Returns:
        int64 array (T, 4) of x1, y1, x2, y2, row by row.
    Raises:
        ValueError: a side or the tile is below 1, or the overlap is outside [0, 1).
    """
    if min(height, width, tile) < 1:
        raise ValueError(f"cannot cover {width} x {height} pixels with tiles of {tile}")
    if not 0 <= overlap < 1:
        raise ValueError(f"overlap must be in [0, 1), not {overlap}")
    lefts, tops = _starts(width, tile, overlap), _starts(height, tile, overlap)
    top, left = (grid.ravel() for grid in np.meshgrid(tops, lefts, indexing="ij"))
    right, bottom = np.minimum(left + tile, width), np.minimum(top + tile, height)
    return np.stack([left, top, right, bottom], axis=-1)


def _starts(length: int, tile: int, overlap: float) -> np.ndarray:
    """First pixels of the tiles along one side."""
    spare = max(length - tile, 0)
    # A whole step, so that rounding the starts down never stretches one beyond it.
    # The trace added undoes products such as 10 * (1 - 0.9) = 0.99...
    step = max(1, math.floor(tile * (1 - overlap) + 1e-9))
    steps = math.ceil(spare / step)
    return np.arange(steps + 1) * spare // max(steps, 1)
