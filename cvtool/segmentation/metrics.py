"""How well masks agree with the truth.

All figures but the boundary F-score come from one confusion matrix of pixels, so a data set
is scored picture by picture in little memory, and void pixels count nowhere.
"""

from __future__ import annotations

import cv2
import numpy as np

from cvtool.datasets.masked import VOID


def confusion_matrix(truth, predicted, num_classes):
    """Count pixels by their true and their predicted class.

    Args:
        truth: uint8 array (H, W) of class ids, 255 for void, which is left out.
        predicted: int array (H, W) of class ids below `num_classes`.
        num_classes: C.
    Returns:
        int64 (C, C): rows are the truth, columns the prediction.
    Raises:
        ValueError: the shapes differ, or a class id is out of range.
    """
    if truth.shape != predicted.shape:
        raise ValueError(f"masks of {truth.shape} and {predicted.shape} cannot be compared")
    known = truth != VOID
    rows, columns = truth[known].astype(np.int64), predicted[known].astype(np.int64)
    for ids in (rows, columns):
        if ids.size and (ids.min() < 0 or ids.max() >= num_classes):
            raise ValueError(f"class ids must be below {num_classes}, not {ids.max()}")
    counts = np.bincount(rows * num_classes + columns, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


def iou_per_class(confusion):
    """Intersection over union of each class.

    Returns:
        float (C,) in [0, 1]; NaN for a class that is neither in the truth nor predicted.
    """
    hits = np.diag(confusion).astype(float)
    return ratio(hits, confusion.sum(0) + confusion.sum(1) - hits)


def dice_per_class(confusion):
    """Dice coefficient (the F1 of the pixels) of each class, float (C,), NaN as for the IoU."""
    hits = np.diag(confusion).astype(float)
    return ratio(2 * hits, confusion.sum(0) + confusion.sum(1))


def mean_iou(confusion):
    """Mean IoU over the classes that the truth shows, in [0, 1]; NaN if it shows none."""
    present = confusion.sum(1) > 0
    return float(iou_per_class(confusion)[present].mean()) if present.any() else float("nan")


def foreground_iou(confusion):
    """IoU of all classes but 0 as one, against class 0, the background; NaN without any."""
    hits = confusion[1:, 1:].sum()
    return float(ratio(hits, confusion.sum() - confusion[0, 0]))


def pixel_accuracy(confusion):
    """Share of pixels of the right class; NaN without pixels."""
    return float(ratio(np.trace(confusion), confusion.sum()))


def boundary_f_score(truth, predicted, class_id, tolerance=None):
    """How well the outline of one class is met.

    Csurka et al. 2013, "What is a good evaluation measure for semantic segmentation?",
    section 2.2: a boundary pixel counts as met if the other mask's boundary passes within
    `tolerance`.

    A void pixel may be anything, so the truth is taken to have there what is predicted: an
    outline anywhere inside a void rim, as many data sets draw it round each object, is met.
    A patch of void that does not touch the class in the truth does not count.

    Args:
        truth, predicted: uint8 (H, W) of class ids; 255 in `truth` is void.
        class_id: the class.
        tolerance: pixels; None for 0.75 % of the diagonal, as in the paper.
    Returns:
        float in [0, 1]; NaN where neither mask has an outline of the class that counts.
    """
    if tolerance is None:
        tolerance = 0.0075 * float(np.hypot(*truth.shape))
    known = truth != VOID
    counts = known | touching(~known, truth == class_id)
    filled = np.where(known, truth, predicted)
    outlines = [outline(mask == class_id) for mask in (filled, predicted)]
    if not any((one & counts).any() for one in outlines):
        return float("nan")
    met = [
        share(one & counts, near(other, tolerance)) for one, other in (outlines, reversed(outlines))
    ]
    return 2 * met[0] * met[1] / (met[0] + met[1]) if sum(met) else 0.0


def outline(region):
    """The pixels of a region that touch its outside, bool (H, W); the picture's edge is none."""
    padded = np.pad(region.astype(np.uint8), 1, mode="edge")
    inner = cv2.erode(padded, np.ones((3, 3), np.uint8))[1:-1, 1:-1]
    return region & (inner == 0)


def touching(patches, region):
    """The connected patches that touch a region, bool (H, W)."""
    _, numbers = cv2.connectedComponents(patches.astype(np.uint8), connectivity=8)
    beside = cv2.dilate(region.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return patches & np.isin(numbers, np.unique(numbers[beside]))


def near(region, distance):
    """Which pixels lie within `distance` pixels of a region, bool (H, W)."""
    if not region.any():
        return region
    away = cv2.distanceTransform((~region).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return away <= distance


def share(region, other):
    """Share of a region's pixels that another one has too; 0 of none."""
    return float(other[region].mean()) if region.any() else 0.0


def ratio(parts, wholes):
    """parts / wholes, NaN where the whole is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(wholes) > 0, np.divide(parts, wholes), np.nan)
