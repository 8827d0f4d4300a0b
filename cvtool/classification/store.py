"""Decoded pictures for training, kept in memory as long as they fit."""

from __future__ import annotations

import cv2

from cvtool.classification.views import centre_view
from cvtool.pictures.reading import read_picture
from cvtool.training.memory import BoundedCache

# Kept a little larger than the network's input, so that a random crop loses no detail.
MARGIN = 8 / 7


class PictureStore:
    """Pictures by index, scaled for an input size.

    Decoding takes several times as long as augmenting, so what was decoded once is kept,
    up to a quarter of the memory that is free.

    Args:
        paths: the files.
        side: side of the network's input, pixels.
        budget: bytes to keep; None for a quarter of the free memory, at most 4 GiB.
    """

    def __init__(self, paths, side, budget=None):
        self.paths = list(paths)
        self.side = side
        self.short_side = round(side * MARGIN)
        self.kept = BoundedCache(budget)

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        """The picture, uint8 (H, W, 3), with its short side at most 8/7 of the input's.

        Raises:
            PictureError: it cannot be read any more.
        """
        pixels = self.kept.get(index)
        if pixels is None:
            pixels = shrink(read_picture(self.paths[index]), self.short_side)
            self.kept[index] = pixels
        return pixels

    def view(self, index, *, keep=False):
        """The centre view, uint8 (side, side, 3), as the trained model will be given it.

        From the file and not from what is kept: scaling twice gives other pixels.

        Args:
            index: which picture.
            keep: it will be asked for again.
        Raises:
            PictureError: as above.
        """
        view = self.kept.get(("view", index))
        if view is None:
            pixels = read_picture(self.paths[index])
            view = centre_view(pixels, self.side)
            if keep:
                self.kept["view", index] = view
            else:
                # The training asks for it next.
                self.kept[index] = shrink(pixels, self.short_side)
        return view


def shrink(pixels, short_side):
    """Scale a picture down to a short side, in its own aspect; smaller ones stay as they are."""
    height, width = pixels.shape[:2]
    scale = short_side / min(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
