"""Put the network's maps of one or more tiles together at the picture's own size.

The maps of a tile are enlarged bilinearly. Where tiles overlap, they are averaged with
weights that fall smoothly to 0 before a tile's edge: there the network sees the object cut,
and a step of the weights would show as a seam. Everything is done in bands of rows, so that
a large picture never has all its classes at all its pixels in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from cvtool.pictures.tiling import enlarge_rows, row_bands, row_places, tile_boxes

# Smallest share of its side that a tile shares with the next.
OVERLAP = 0.25
# Along each inner edge, the share of a tile that counts for nothing, and up to which the
# weight rises from there. They meet those of a neighbour that overlaps by exactly OVERLAP.
_BLIND, _FULL = 0.2 * OVERLAP, 0.8 * OVERLAP

Box = tuple[int, int, int, int]
Maps = np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """What the network said of a part of the picture.

    Attributes:
        box: x1, y1, x2, y2 of the part in pixels of the picture.
        maps: float (P, h, w), its maps at a size of their own.
        rows, columns: float32 (y2 - y1,) and (x2 - x1,), the weight of each row and column.
        gone: rows of the maps that were cut off at the top, as nobody needs them any more.
    """

    box: Box
    maps: Maps
    rows: np.ndarray
    columns: np.ndarray
    gone: int = 0


def blend_tiles(
    look: Callable[[Box], Maps], height: int, width: int, tile: int
) -> Iterator[tuple[slice, Maps]]:
    """Look at a picture tile by tile and yield its maps, a band of rows at a time.

    Args:
        look: gives the maps of a part x1, y1, x2, y2: float (P, h, w), no larger than it.
        height, width: of the picture, pixels.
        tile: side of a tile, pixels.
    Yields:
        the rows, and float32 (P, rows, width), the weighted mean over the tiles. Rows of
        tiles are looked at when their turn comes and forgotten when it is over.
    """
    boxes = tile_boxes(height, width, tile, OVERLAP).tolist()
    tops = sorted({box[1] for box in boxes})
    active: list[Tile] = []
    for top, end in zip(tops, [*tops[1:], height], strict=True):
        for box in boxes:
            if box[1] == top:
                maps = look(tuple(box))
                # Half precision is plenty for a mean of probabilities, and a row of tiles is many.
                maps = maps if len(boxes) == 1 else maps.astype(np.float16)
                active.append(weighted_tile(tuple(box), maps, height, width))
        planes = len(active[0].maps)
        for rows in row_bands(end, 4 * width * (planes + 2), start=top):
            yield rows, _blend(active, rows, width)
        active = [_shortened(t, end) for t in active if t.box[3] > end]


def weighted_tile(box: Box, maps: Maps, height: int, width: int) -> Tile:
    """A tile with its weights: 1, falling towards each edge that is not one of the picture."""
    x1, y1, x2, y2 = box
    rows = side_weights(y2 - y1, y1 > 0, y2 < height)
    columns = side_weights(x2 - x1, x1 > 0, x2 < width)
    return Tile(box, maps, rows, columns)


def side_weights(length: int, before: bool, after: bool) -> np.ndarray:
    """Weights along one side of a tile.

    Args:
        length: of the side, pixels.
        before, after: whether another tile is there, so that the weights fall to that end.
    Returns:
        float32 (length,) in (0, 1]; never 0, so that a tile of few pixels counts as well.
    """
    place = (np.arange(length) + 0.5) / length
    weights = np.ones(length)
    for wanted, distance in ((before, place), (after, 1 - place)):
        if wanted:
            share = np.clip((distance - _BLIND) / (_FULL - _BLIND), 0, 1)
            weights *= share * share * (3 - 2 * share)
    return np.maximum(weights, 1e-6).astype(np.float32)


def _shortened(tile: Tile, done: int) -> Tile:
    """The tile without the maps that only rows of the picture before `done` need."""
    y1, y2 = tile.box[1], tile.box[3]
    height = tile.maps.shape[1] + tile.gone
    first = int(row_places(slice(done - y1, done - y1 + 1), height, y2 - y1)[0])
    return replace(tile, maps=tile.maps[:, first - tile.gone :].copy(), gone=first)


def _blend(tiles: list[Tile], rows: slice, width: int) -> Maps:
    """The weighted mean of the tiles in a band of rows, float32 (P, rows, width)."""
    if len(tiles) == 1:
        return _enlarged(tiles[0], rows)
    planes = len(tiles[0].maps)
    total = np.zeros((planes, rows.stop - rows.start, width), np.float32)
    weights = np.zeros(total.shape[1:], np.float32)
    for tile in tiles:
        x1, y1, x2, y2 = tile.box
        shared = slice(max(rows.start, y1), min(rows.stop, y2))
        if shared.start >= shared.stop:
            continue
        weight = tile.rows[shared.start - y1 : shared.stop - y1, None] * tile.columns
        where = np.s_[shared.start - rows.start : shared.stop - rows.start, x1:x2]
        weights[where] += weight
        maps = _enlarged(tile, shared)
        maps *= weight
        total[(slice(None), *where)] += maps
    total /= weights
    return total


def _enlarged(tile: Tile, rows: slice) -> Maps:
    """The tile's maps in a band of the picture's rows, float32 (P, rows, x2 - x1)."""
    x1, y1, x2, y2 = tile.box
    rows = slice(rows.start - y1, rows.stop - y1)
    return enlarge_rows(tile.maps, rows, y2 - y1, x2 - x1, gone=tile.gone)
