"""Parts of a large picture: overlapping tiles, and bands of rows."""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np

# Bytes of working memory that a band of rows may take.
BAND_BYTES = 32 * 2**20


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


def row_bands(height: int, row_bytes: int, *, start: int = 0) -> Iterator[slice]:
    """Cut rows into bands that need little memory at a time.

    Args:
        height: where the last band ends.
        row_bytes: what one row takes while it is worked on.
        start: where the first band begins.
    Yields:
        slices of rows, from the top, of at least one row each.
    """
    step = max(1, BAND_BYTES // max(row_bytes, 1))
    for top in range(start, height, step):
        yield slice(top, min(top + step, height))


def enlarge_rows(
    maps: np.ndarray, rows: slice, height: int, width: int, *, gone: int = 0
) -> np.ndarray:
    """Some rows of maps enlarged to a picture's size, as if all of them had been.

    Args:
        maps: float (P, h, w), no larger than the picture.
        rows: of the picture.
        height, width: of the picture, pixels.
        gone: rows that were cut off at the top of the maps.
    Returns:
        float32 (P, rows, width), bilinear as by cv2.resize.
    """
    left = maps.shape[1]
    places = row_places(rows, left + gone, height) - gone
    upper = places.astype(int)
    lower = np.minimum(upper + 1, left - 1)
    share = (places - upper).astype(np.float32)[:, None]
    result = np.empty((len(maps), len(places), width), np.float32)
    for plane, target in zip(maps, result, strict=True):
        mixed = plane[upper] * (1 - share) + plane[lower] * share
        target[:] = cv2.resize(mixed, (width, len(places)), interpolation=cv2.INTER_LINEAR)
    return result


def row_places(rows: slice, height: int, larger: int) -> np.ndarray:
    """Where rows of a picture of `larger` rows lie among `height` ones, 0 to height - 1."""
    places = (np.arange(rows.start, rows.stop) + 0.5) * (height / larger) - 0.5
    return np.clip(places, 0, height - 1)


def _starts(length: int, tile: int, overlap: float) -> np.ndarray:
    """First pixels of the tiles along one side."""
    spare = max(length - tile, 0)
    # A whole step, so that rounding the starts down never stretches one beyond it.
    # The trace added undoes products such as 10 * (1 - 0.9) = 0.99...
    step = max(1, math.floor(tile * (1 - overlap) + 1e-9))
    steps = math.ceil(spare / step)
    return np.arange(steps + 1) * spare // max(steps, 1)
