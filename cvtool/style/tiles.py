"""Tiles of a picture, and where their activations lie in a layer."""

from __future__ import annotations

from typing import NamedTuple

# Pixels round a tile that its activations depend on: VGG-19's block5_conv1 sees 70, and its
# four pooling layers shift that by up to 15. Like a tile's own side a multiple of the stride
# of the deepest layers, so that the pooling grids agree.
HALO = 96
STRIDE = 16


class Span(NamedTuple):
    """Rows, or columns, of a tile: those it owns and, with its halo, those it is shown."""

    start: int
    end: int
    outer_start: int
    outer_end: int
    last: bool

    def within_picture(self, stride):
        """Where its own activations lie in a layer of the whole picture."""
        # Pooling rounds down: the last tile has what there is.
        return slice(self.start // stride, None if self.last else self.end // stride)

    def within_tile(self, stride):
        """Where they lie in the layer's activations of what it is shown."""
        first = (self.start - self.outer_start) // stride
        return slice(first, None if self.last else first + (self.end - self.start) // stride)


class Tile(NamedTuple):
    """A tile of a picture."""

    rows: Span
    columns: Span

    @property
    def outer(self):
        """Index of what it is shown, in the picture."""
        return tuple(slice(span.outer_start, span.outer_end) for span in self)

    def within_picture(self, stride):
        """Index of its own activations in a layer (h, w, ...) of the whole picture."""
        return tuple(span.within_picture(stride) for span in self)

    def within_tile(self, stride):
        """Index of its own activations in those (h, w, ...) of what it is shown."""
        return tuple(span.within_tile(stride) for span in self)


def tiles_of(height, width, side):
    """Cover a picture with tiles.

    Args:
        height, width: of the picture, pixels.
        side: of a tile, pixels, a multiple of STRIDE. The last of a row or column may have
            less, or up to half as much again.
    Returns:
        list of Tile.
    """
    return [Tile(rows, columns) for rows in spans(height, side) for columns in spans(width, side)]


def spans(length, side):
    """Cover a length; a short rest goes to the last span."""
    starts = list(range(0, length, side))
    if len(starts) > 1 and length - starts[-1] < side // 2:
        starts.pop()
    ends = [*starts[1:], length]
    return [
        Span(start, end, max(0, start - HALO), min(length, end + HALO), end == length)
        for start, end in zip(starts, ends, strict=True)
    ]
