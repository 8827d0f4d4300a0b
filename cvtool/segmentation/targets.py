"""What the network is to give for a mask: class ids and the weight of each pixel."""

from __future__ import annotations

import math

import cv2
import numpy as np

from cvtool.datasets.masked import VOID

# So many sigmas from a region, its part of the weight map is below a millionth of the peak.
_REACH = 6


def make_targets(mask, class_weights=None, boundary=0.0, sigma=5.0):
    """Build the targets of one mask.

    Args:
        mask: uint8 (H, W) of class ids, 255 (void) where no class is meant.
        class_weights: float (C,), the weight of each class's pixels; None for all alike.
        boundary: see `boundary_weights`; 0 for none.
        sigma: see `boundary_weights`.
    Returns:
        float32 (H, W, 2): class id (0 in void) and weight (0 in void).
    """
    known = mask != VOID
    class_ids = np.where(known, mask, 0)
    weights = known.astype(np.float32)
    if class_weights is not None:
        weights *= np.asarray(class_weights, np.float32)[class_ids]
    if boundary:
        weights *= 1 + boundary_weights(mask, boundary, sigma)
    return np.stack([class_ids.astype(np.float32), weights], -1)


def boundary_weights(mask, peak=10.0, sigma=5.0):
    """What a pixel between two regions weighs more than others.

    Ronneberger et al. 2015, equation 2: peak x exp(-(d1 + d2)^2 / (2 sigma^2)) on the
    background, d1 and d2 being the distances to the two nearest regions of classes other
    than 0. So thin gaps between neighbours are learnt.

    Args:
        mask: uint8 (H, W) of class ids, 0 the background, 255 void.
        peak: the weight where two regions touch (w0 in the paper).
        sigma: how far it reaches, pixels.
    Returns:
        float32 (H, W), 0 outside the background.
    """
    objects = ((mask != 0) & (mask != VOID)).astype(np.uint8)
    count, regions, stats, _ = cv2.connectedComponentsWithStats(objects, connectivity=8)
    first, second = np.full((2, *mask.shape), np.inf, np.float32)
    reach = math.ceil(_REACH * sigma)
    for number in range(1, count):
        left, top, width, height = stats[number, :4]
        near = (
            slice(max(0, top - reach), top + height + reach),
            slice(max(0, left - reach), left + width + reach),
        )
        distance = cv2.distanceTransform(
            (regions[near] != number).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
        )
        second[near] = np.minimum(second[near], np.maximum(first[near], distance))
        first[near] = np.minimum(first[near], distance)
    weights = peak * np.exp(-((first + second) ** 2) / (2 * sigma**2))
    return np.where(mask == 0, weights, 0).astype(np.float32)


def balanced_weights(pixels, power=0.5, largest=10.0):
    """Weights that make rare classes count more.

    Args:
        pixels: int (C,), the number of pixels of each class in the training masks.
        power: 1 gives every class the same total weight, 0 every pixel; 0.5 lies between.
        largest: no weight is more than so many times that of a class of mean size.
    Returns:
        float32 (C,); over the pixels their mean is about 1. 1 for a class without pixels.
    """
    pixels = np.asarray(pixels, np.float64)
    share = pixels / max(pixels.sum(), 1)
    found = share > 0
    weights = np.ones(len(pixels))
    weights[found] = np.minimum((share[found] * found.sum()) ** -power, largest)
    mean = (weights * share).sum() if found.any() else 1.0
    weights[found] /= mean
    return weights.astype(np.float32)
