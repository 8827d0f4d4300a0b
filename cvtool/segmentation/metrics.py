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

    Args:
        truth, predicted: uint8 (H, W) of class ids; 255 in `truth` is void, where
            boundaries count in neither.
        class_id: the class.
        tolerance: pixels; None for 0.75 % of the diagonal, as in the paper.
    Returns:
        float in [0, 1]; NaN where neither mask has the class.
    """
    if tolerance is None:
        tolerance = 0.0075 * float(np.hypot(*truth.shape))
    known = truth != VOID
    outlines = [outline(mask == class_id) & known for mask in (truth, predicted)]
    if not any(one.any() for one in outlines):
        return float("nan")
    met = [share_near(one, other, tolerance) for one, other in (outlines, reversed(outlines))]
    return 2 * met[0] * met[1] / (met[0] + met[1]) if sum(met) else 0.0


def outline(region):
    """The pixels of a region that touch its outside, bool (H, W); the picture's edge is none."""
    padded = np.pad(region.astype(np.uint8), 1, mode="edge")
    inner = cv2.erode(padded, np.ones((3, 3), np.uint8))[1:-1, 1:-1]
    return region & (inner == 0)


def share_near(boundary, other, tolerance):
    """Share of a boundary's pixels with the other one within `tolerance` pixels."""
    if not boundary.any() or not other.any():
        return 0.0
    distance = cv2.distanceTransform((~other).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float((distance[boundary] <= tolerance).mean())


def ratio(parts, wholes):
    """parts / wholes, NaN where the whole is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(wholes) > 0, np.divide(parts, wholes), np.nan)
