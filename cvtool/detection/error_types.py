"""What kind of errors a detector makes, and what each kind costs.

Bolya et al. 2020, "TIDE: A General Toolbox for Identifying Object Detection Errors",
sections 2.2 (the types) and 2.3 (mending one type at a time). Where a box fits two types,
the first of localisation, classification, duplicate, background, both is taken, as the
paper's own program does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cvtool.datasets.boxed import DetectionDataset
from cvtool.detection.boxes import iou
from cvtool.detection.matching import (
    MIN_IOU,
    Matches,
    count_truths,
    match,
    mean_average_precision,
)
from cvtool.detection.metrics import Prediction
from cvtool.errors import DatasetError

BACKGROUND_IOU = 0.1
TYPES = {
    "classification": "a box in the right place, of the wrong class",
    "localisation": "a box of the right class, badly placed",
    "both": "a box badly placed, of the wrong class",
    "duplicate": "a second box of an object found before",
    "background": "a box where no object is",
    "missed": "an object without a box",
}


@dataclass(frozen=True, slots=True, eq=False)
class Judgements:
    """What is wrong with each prediction, and what was missed.

    Attributes:
        types: str (N,), keys of `TYPES`, "" for a right one.
        truths: int (N,), the true box that a wrong prediction comes closest to, by its
            position in the picture; the one it found for a right one; -1 for background.
        overlaps: float (N,), the IoU with that box.
        missed: int (M, 2), picture and position of the true boxes that no prediction found
            and none would find were only its class or its place right.
    """

    types: np.ndarray
    truths: np.ndarray
    overlaps: np.ndarray
    missed: np.ndarray


def error_types(
    dataset: DetectionDataset, predictions: Sequence[Prediction], min_score: float
) -> dict[str, dict[str, float]]:
    """Count the errors of each type, and tell what mending that type alone would bring.

    Mended, a classification or localisation error becomes right, or is dropped if a higher
    score has found the same object; of two boxes of one object the lower is dropped. (The
    paper's own program drops a mended box even where its score is the higher one, and so
    shows smaller gains of these two.) Boxes of the other types are dropped, and missed
    objects are no longer asked for.

    Args:
        dataset, predictions: as for `metrics.evaluate_detections`.
        min_score: the working threshold, in [0, 1].
    Returns:
        type (the keys of `TYPES`) -> {count, gain}: how many at `min_score`, and how much
        mAP50, which counts every score, would rise, in [-1, 1].
    Raises:
        DatasetError: no true box to compare with.
        ValueError: the predictions do not fit the data set.
    """
    truths = count_truths(dataset).sum(axis=0)
    if not truths.any():
        raise DatasetError("the data set has no true boxes, so there are no errors to tell")
    matches = match(dataset, predictions)
    shown = judge(dataset, matches.at_least(min_score))
    judged = judge(dataset, matches)
    before = mean_average_precision(matches.class_ids, matches.right, truths)
    return {
        kind: {
            "count": int((shown.types == kind).sum() if kind != "missed" else len(shown.missed)),
            "gain": _mended(dataset, matches, judged, truths, kind) - before,
        }
        for kind in TYPES
    }


def judge(dataset: DetectionDataset, matches: Matches) -> Judgements:
    """Tell the type of every wrong prediction, and which objects were missed.

    Args:
        dataset: the pictures with their true boxes.
        matches: by class, of all predictions or of those `at_least` a score.
    """
    types = np.full(len(matches.scores), "", dtype=object)
    truths, overlaps = matches.truths.copy(), np.zeros(len(types))
    missed = []
    rows_of = matches.by_picture(len(dataset.examples))
    for number, (example, rows) in enumerate(zip(dataset.examples, rows_of, strict=True)):
        counted = np.flatnonzero(~example.crowd)
        uncovered = np.ones(len(counted), bool)
        shares = iou(matches.boxes[rows], example.boxes[counted])
        same = matches.class_ids[rows][:, None] == example.class_ids[counted]
        for row, share, own in zip(rows, shares, same, strict=True):
            if matches.truths[row] >= 0:
                target = int(np.searchsorted(counted, matches.truths[row]))
                uncovered[target] = False
            else:
                types[row], target = _type_of(share, own)
                if types[row] in ("classification", "localisation"):
                    uncovered[target] = False
            if target >= 0:
                truths[row], overlaps[row] = counted[target], share[target]
        missed += [(number, position) for position in counted[uncovered]]
    return Judgements(types, truths, overlaps, np.array(missed, int).reshape(-1, 2))


def _type_of(overlaps, own) -> tuple[str, int]:
    """The type of a wrong prediction and the true box it is about, or -1.

    Args:
        overlaps: float (M,), its IoU with every true box of the picture.
        own: bool (M,), which of them are of its class.
    """
    if not len(overlaps):
        return "background", -1
    right_class, wrong_class = np.where(own, overlaps, 0), np.where(own, 0, overlaps)
    if BACKGROUND_IOU <= right_class.max() < MIN_IOU:
        return "localisation", int(right_class.argmax())
    if wrong_class.max() >= MIN_IOU:
        return "classification", int(wrong_class.argmax())
    if right_class.max() >= MIN_IOU:
        return "duplicate", int(right_class.argmax())
    if overlaps.max() <= BACKGROUND_IOU:
        return "background", -1
    return "both", int(wrong_class.argmax())


def _mended(dataset, matches, judged, truths, kind) -> float:
    """mAP50 with the errors of one type mended."""
    class_ids, right = matches.class_ids, matches.right
    if kind == "missed":
        left = truths - _classes_of(dataset, judged.missed, len(truths))
        return mean_average_precision(class_ids, right, left)
    wrong = judged.types == kind
    if kind not in ("classification", "localisation"):
        return mean_average_precision(class_ids[~wrong], right[~wrong], truths)
    # One box may find an object: the highest score, of equal ones that which found it before.
    claims = np.flatnonzero(wrong | right)
    order = claims[np.lexsort([wrong[claims], -matches.scores[claims]])]
    objects = np.stack([matches.pictures[order], judged.truths[order]], axis=1)
    _, first = np.unique(objects, axis=0, return_index=True)
    keep = ~(wrong | right)
    keep[order[first]] = True
    mended = class_ids.copy()
    for row in np.flatnonzero(wrong):
        mended[row] = dataset.examples[matches.pictures[row]].class_ids[judged.truths[row]]
    return mean_average_precision(mended[keep], (right | wrong)[keep], truths)


def _classes_of(dataset, objects, classes) -> np.ndarray:
    """How many of these objects, rows of picture and position, are of each class."""
    ids = [dataset.examples[picture].class_ids[position] for picture, position in objects]
    return np.bincount(np.array(ids, int), minlength=classes)
