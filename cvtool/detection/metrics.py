"""How good a detector is: average precision as COCO defines it, and its worst pictures.

The matching and the averages are pycocotools' own (Lin et al. 2014, "Microsoft
COCO"; cocodataset.org, "Detection evaluation"): up to 100 boxes a picture and
class, boxes of any size. Boxes round a crowd are ignored: finding one is neither
right nor wrong.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from cvtool.datasets.boxed import DetectionDataset
from cvtool.detection.boxes import xyxy_to_xywh
from cvtool.errors import DatasetError

# Per picture: boxes (n, 4) xyxy in its pixels, scores (n,), class ids (n,).
Prediction = tuple[np.ndarray, np.ndarray, np.ndarray]

MAX_DETECTIONS = 100
# Scores at which precision, recall and F1 are taken.
THRESHOLDS = np.arange(1001) / 1000


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One class at IoU 0.5.

    Attributes:
        recall: float (101,), 0 to 1 in steps of 0.01.
        precision: float (101,), the best precision at that recall or a higher one;
            0 where the recall is not reached. Its mean is the class's AP50.
        scores: float (101,), the score at which that recall is reached, else 0.
        thresholds: float (1001,), scores from 0 to 1.
        precision_at, recall_at, f1_at: float (1001,), counting the boxes with at
            least that score. Precision without boxes is 0.
    """

    recall: np.ndarray
    precision: np.ndarray
    scores: np.ndarray
    thresholds: np.ndarray
    precision_at: np.ndarray
    recall_at: np.ndarray
    f1_at: np.ndarray


@dataclass(frozen=True, slots=True)
class PictureErrors:
    """What went wrong in one picture.

    Attributes:
        index: position in the data set's examples.
        missed: true boxes that no prediction found.
        false_alarms: predictions that found no true box, doubles among them.
    """

    index: int
    missed: int
    false_alarms: int

    @property
    def errors(self) -> int:
        return self.missed + self.false_alarms


def evaluate_detections(dataset: DetectionDataset, predictions: Sequence[Prediction]) -> dict:
    """Score predictions against the truths.

    Args:
        dataset: the pictures with their true boxes.
        predictions: for each example, in order: boxes float (n, 4) xyxy in pixels of
            the original picture, scores float (n,), class ids int (n,).
    Returns:
        Plain numbers, ready for JSON, each share in [0, 1]:
        mAP50, mAP50_95: average precision at IoU 0.5, and averaged over 0.5 to 0.95,
            mean over the classes that have true boxes;
        per_class: name -> {ap50, ap50_95, truths}; None for a class without truths;
        best_score: the score at which the F1 at IoU 0.5, averaged over classes, is
            highest (each class weighs the same, as in mAP); of equals the highest, and 1
            where nothing was found;
        precision, recall: at best_score, averaged over the classes likewise;
        pictures: how many.
    Raises:
        DatasetError: no true box to compare with.
        ValueError: the predictions do not fit the data set.
    """
    return evaluate_with_curves(dataset, predictions)[0]


def evaluate_with_curves(
    dataset: DetectionDataset, predictions: Sequence[Prediction]
) -> tuple[dict, dict[str, Curve]]:
    """As `evaluate_detections`, with the curves of each class that has true boxes, by name."""
    truths = _count_truths(dataset)
    if not truths.any():
        raise DatasetError("the data set has no true boxes, so there is nothing to score against")
    coco = match_with_coco(dataset, predictions)
    with contextlib.redirect_stdout(io.StringIO()):
        coco.accumulate()
    # (IoU, recall, class, area, max detections) -> (IoU, recall, class).
    precision = coco.eval["precision"][..., 0, 0]
    scores = coco.eval["scores"][..., 0, 0]

    _, class_ids, confidences, right = _judged(coco)
    curves, per_class = {}, {}
    for number, name in enumerate(dataset.classes):
        if not truths[number]:
            per_class[name] = {"ap50": None, "ap50_95": None, "truths": 0}
            continue
        per_class[name] = {
            "ap50": float(precision[0, :, number].mean()),
            "ap50_95": float(precision[:, :, number].mean()),
            "truths": int(truths[number]),
        }
        own = class_ids == number
        curves[name] = Curve(
            np.array(coco.params.recThrs),
            precision[0, :, number],
            scores[0, :, number],
            THRESHOLDS,
            *_by_threshold(confidences[own], right[own], truths[number]),
        )
    mean_f1 = np.mean([curve.f1_at for curve in curves.values()], axis=0)
    best = len(mean_f1) - 1 - int(mean_f1[::-1].argmax())
    seen = [per_class[name] for name in curves]
    summary = {
        "mAP50": float(np.mean([row["ap50"] for row in seen])),
        "mAP50_95": float(np.mean([row["ap50_95"] for row in seen])),
        "per_class": per_class,
        "precision": float(np.mean([curve.precision_at[best] for curve in curves.values()])),
        "recall": float(np.mean([curve.recall_at[best] for curve in curves.values()])),
        "best_score": float(THRESHOLDS[best]),
        "pictures": len(dataset.examples),
    }
    return summary, curves


def worst_pictures(
    dataset: DetectionDataset,
    predictions: Sequence[Prediction],
    count: int = 20,
    *,
    min_score: float | None = None,
) -> list[PictureErrors]:
    """The pictures with the most errors at IoU 0.5: missed boxes and false alarms together.

    Args:
        dataset, predictions: as for `evaluate_detections`.
        count: most pictures to return; those without an error are left out.
        min_score: predictions below it do not count. None takes `best_score`, at the
            price of a full evaluation.
    Returns:
        Most errors first; of equal ones the more missed, then the earlier.
    """
    if min_score is None:
        min_score = evaluate_detections(dataset, predictions)["best_score"]
    coco = match_with_coco(dataset, predictions, min_ious=np.array([0.5]))
    pictures, _, scores, right = _judged(coco)
    sure = scores >= min_score
    total = len(dataset.examples)
    found = np.bincount(pictures[sure & right], minlength=total)
    false_alarms = np.bincount(pictures[sure & ~right], minlength=total)
    truths = np.array([np.count_nonzero(~example.crowd) for example in dataset.examples])
    errors = [
        PictureErrors(index, int(truths[index] - found[index]), int(false_alarms[index]))
        for index in range(total)
    ]
    ranked = sorted(errors, key=lambda error: (-error.errors, -error.missed, error.index))
    return [error for error in ranked[:count] if error.errors]


def match_with_coco(dataset, predictions, min_ious=None) -> COCOeval:
    """Run pycocotools' matching in memory. Its ids are positions here, plus one for boxes."""
    if len(predictions) != len(dataset.examples):
        raise ValueError(f"{len(predictions)} predictions for {len(dataset.examples)} pictures")
    truths, found = [], []
    for index, (example, prediction) in enumerate(zip(dataset.examples, predictions, strict=True)):
        truths += _records(index, example.boxes, example.class_ids, iscrowd=example.crowd)
        boxes, scores, class_ids = prediction
        _check(dataset, index, boxes, scores, class_ids)
        found += _records(index, boxes, class_ids, score=scores)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCOeval(_index(dataset, truths), _index(dataset, found), "bbox")
        coco.params.maxDets = [MAX_DETECTIONS]
        coco.params.areaRng, coco.params.areaRngLbl = [[0, float("inf")]], ["all"]
        if min_ious is not None:
            coco.params.iouThrs = min_ious
        coco.evaluate()
    return coco


def _check(dataset, index, boxes, scores, class_ids) -> None:
    if not len(boxes) == len(scores) == len(class_ids):
        raise ValueError(f"prediction {index}: boxes, scores and class ids differ in number")
    class_ids = np.asarray(class_ids)
    if len(class_ids) and not (class_ids.min() >= 0 and class_ids.max() < len(dataset.classes)):
        raise ValueError(f"prediction {index}: a class id is outside 0-{len(dataset.classes) - 1}")


def _records(index, boxes, class_ids, *, iscrowd=None, score=None) -> list[dict]:
    """COCO annotations of one picture."""
    rows = xyxy_to_xywh(boxes).astype(np.float64).reshape(-1, 4)
    areas = rows[:, 2] * rows[:, 3]
    records = [
        {"image_id": index, "category_id": category, "bbox": row, "area": size, "iscrowd": 0}
        for category, row, size in zip(
            np.asarray(class_ids).tolist(), rows.tolist(), areas.tolist(), strict=True
        )
    ]
    for key, values in (("iscrowd", iscrowd), ("score", score)):
        if values is not None:
            for record, value in zip(records, np.asarray(values).tolist(), strict=True):
                record[key] = value
    return records


def _index(dataset, records) -> COCO:
    # Ids start at 1 because pycocotools reads a match with box 0 as no match.
    for number, record in enumerate(records, 1):
        record["id"] = number
    coco = COCO()
    coco.dataset = {
        "images": [{"id": index} for index in range(len(dataset.examples))],
        "categories": [{"id": number} for number in range(len(dataset.classes))],
        "annotations": records,
    }
    coco.createIndex()
    return coco


def _count_truths(dataset) -> np.ndarray:
    """True boxes of each class, crowds apart; int (classes,)."""
    class_ids = [example.class_ids[~example.crowd] for example in dataset.examples]
    class_ids = np.concatenate([np.zeros(0, np.int64), *class_ids])
    return np.bincount(class_ids, minlength=len(dataset.classes))


def _judged(coco: COCOeval) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Every prediction that counts: its picture, class, score, and if it is right at IoU 0.5.

    Matching goes by falling score, so leaving out low scores later changes no
    match among the rest.
    """
    pictures, class_ids, scores, right = ([np.zeros(0)] for _ in range(4))
    for result in coco.evalImgs:
        if result is None:
            continue
        counts = ~result["dtIgnore"][0].astype(bool)
        pictures.append(np.full(counts.sum(), result["image_id"]))
        class_ids.append(np.full(counts.sum(), result["category_id"]))
        scores.append(np.array(result["dtScores"], np.float64)[counts])
        right.append(result["dtMatches"][0][counts] > 0)
    return (
        np.concatenate(pictures).astype(np.int64),
        np.concatenate(class_ids).astype(np.int64),
        np.concatenate(scores),
        np.concatenate(right).astype(bool),
    )


def _by_threshold(scores, right, truths) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 of one class at every threshold."""
    hits = _at_least(scores[right])
    alarms = _at_least(scores[~right])
    precision = hits / np.maximum(hits + alarms, 1)
    return precision, hits / truths, 2 * hits / (hits + alarms + truths)


def _at_least(scores) -> np.ndarray:
    """How many scores reach each threshold."""
    return len(scores) - np.searchsorted(np.sort(scores), THRESHOLDS, side="left")
