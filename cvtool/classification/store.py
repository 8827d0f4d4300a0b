"""Decoded pictures for training, kept in memory as long as they fit."""

from __future__ import annotations

import os
import threading

import cv2

from cvtool.classification.views import centre_view
from cvtool.pictures.reading import read_picture

# Kept a little larger than the network's input, so that a random crop loses no detail.
MARGIN = 8 / 7

# Bytes of decoded pictures to keep at most, whatever the memory of the machine.
MOST_BYTES = 4 << 30


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
        self.budget = default_budget() if budget is None else budget
        self.kept, self.views = {}, {}
        self.bytes = 0
        self._lock = threading.Lock()

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
            self._keep(self.kept, index, pixels)
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
        view = self.views.get(index)
        if view is None:
            pixels = read_picture(self.paths[index])
            view = centre_view(pixels, self.side)
            if keep:
                self._keep(self.views, index, view)
            else:
                # The training asks for it next.
                self._keep(self.kept, index, shrink(pixels, self.short_side))
        return view

    def _keep(self, home, index, pixels):
        with self._lock:
            if index not in home and self.bytes + pixels.nbytes <= self.budget:
                home[index] = pixels
                self.bytes += pixels.nbytes


def shrink(pixels, short_side):
    """Scale a picture down to a short side, in its own aspect; smaller ones stay as they are."""
    height, width = pixels.shape[:2]
    scale = short_side / min(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def default_budget():
    """A quarter of the free memory in bytes, at most 4 GiB."""
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        free = 4 << 30  # not told by every system
    return min(MOST_BYTES, free // 4)
