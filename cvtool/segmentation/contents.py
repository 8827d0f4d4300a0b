"""What masks show: how much of each class, and how thin it is."""

from __future__ import annotations

import numpy as np

# Share of a class's pictures in which its objects may be thinner than what is told of it.
THINNER = 0.25
# Fewer pictures of a class say too little of it.
FEW_PICTURES = 5


def count_pixels(mask, num_classes):
    """Pixels of each class, int64 (num_classes,); void counts nowhere.

    Args:
        mask: uint8 (H, W) of class ids, 255 for void.
    """
    return np.bincount(mask.ravel(), minlength=256)[:num_classes]


def widths(mask, num_classes):
    """How wide the regions of each class are, as a share of the mask's longer side.

    Four times the area by the perimeter: the side of a square, twice the width of a long
    strip, and the same for one region as for many alike. The mask's edge is no border.

    Args:
        mask: uint8 (H, W) of class ids, 255 for void.
    Returns:
        float (num_classes,) in (0, 1]; NaN for a class that is not there.
    """
    perimeters = np.zeros(256, np.int64)
    for one, other in ((mask[1:], mask[:-1]), (mask[:, 1:], mask[:, :-1])):
        border = one != other
        for side in (one, other):
            perimeters += np.bincount(side[border], minlength=256)
    areas = count_pixels(mask, num_classes)
    shares = 4 * areas / np.maximum(perimeters[:num_classes], 1) / max(mask.shape)
    return np.where(areas > 0, np.minimum(shares, 1), np.nan)


def detail_of(rows):
    """The width of the thin regions of the class with the thinnest ones.

    Thin is the lower quartile within a class. Classes of fewer than five pictures say too
    little, unless there are no others; the background, class 0, nothing.

    Args:
        rows: float (N, C), `widths` of N masks.
    Returns:
        a share in (0, 1]; 1 where there is nothing but background.
    """
    columns = [column[~np.isnan(column)] for column in np.asarray(rows).T[1:]]
    usual = [column for column in columns if len(column) >= FEW_PICTURES]
    found = usual or [column for column in columns if len(column)]
    return float(min((np.quantile(column, THINNER) for column in found), default=1.0))
