"""From coarse to fine: the sizes that a style transfer goes through."""

from __future__ import annotations

import cv2
import numpy as np

from cvtool.errors import OptionError

# A scale has half the side of the next; the first has at least this longer side.
COARSEST = 128
MOST_SCALES = 3
# The shortest side of a picture at any scale: the deepest layers see a sixteenth of it, and mirror
# two of their pixels.
SHORTEST = 32
# Pixels that a picture is extended by on each side while it is optimised: those at its very edge
# are seen by fewer filters, and would make a frame.
MARGIN = 8


def scale_sizes(height, width, longer_side):
    """The sizes of a picture from the coarsest scale to the last.

    Args:
        height, width: of the content picture, pixels.
        longer_side: of the result, pixels.
    Returns:
        list of (height, width), each about twice the one before.
    Raises:
        OptionError: the picture is so long and narrow that its short side would be too small.
    """
    size = scaled(height, width, longer_side)
    if min(size) < SHORTEST:
        raise OptionError(
            f"a picture of {width} x {height} pixels would be {size[1]} x {size[0]}; its short "
            f"side must be {SHORTEST} or more: take a larger --size, or a part of the picture"
        )
    sizes = [size]
    while len(sizes) < MOST_SCALES:
        size = scaled(height, width, max(size) // 2)
        if max(size) < COARSEST or min(size) < SHORTEST:
            break
        sizes.insert(0, size)
    return sizes


def optimised_sizes(height, width, longer_side):
    """The sizes, with the margin, at which a picture is optimised, coarsest first.

    Args, Raises: as for `scale_sizes`.
    Returns:
        list of (height, width); the last is the result's with `MARGIN` on each side.
    """
    extended_size = [side + 2 * MARGIN for side in scale_sizes(height, width, longer_side)[-1]]
    return scale_sizes(*extended_size, max(extended_size))


def scaled(height, width, longer_side):
    """(height, width) of a picture with that longer side, each 1 or more."""
    factor = longer_side / max(height, width)
    return max(1, round(height * factor)), max(1, round(width * factor))


def iterations_of(total, scales):
    """How many of all iterations each scale gets, coarsest first, each 1 or more.

    A third more at each scale than at the one before: the coarse ones place the large forms, but
    the style is judged at the last.
    """
    reached = np.cumsum([0.0, *((4 / 3) ** np.arange(scales))])
    shares = np.diff(np.round(total * reached / reached[-1]).astype(int))
    return [max(1, int(share)) for share in shares]


def resized(pixels, size):
    """A picture or mask at a size (height, width): averaged when smaller, cubic when larger."""
    height, width = size
    if pixels.shape[:2] == (height, width):
        return pixels
    smaller = height * width < pixels.shape[0] * pixels.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return cv2.resize(pixels, (width, height), interpolation=method)


def extended(pixels):
    """A picture or mask with a mirrored margin, (H + 2 MARGIN, W + 2 MARGIN, ...)."""
    return cv2.copyMakeBorder(pixels, *[MARGIN] * 4, cv2.BORDER_REFLECT_101)


def without_margin(pixels, size):
    """A picture without its margin.

    Args:
        pixels: (h, w, ...), at any scale.
        size: (height, width) of the extended picture at full size.
    """
    margin = round(MARGIN * max(pixels.shape[:2]) / max(size))
    return pixels[margin : pixels.shape[0] - margin, margin : pixels.shape[1] - margin]
