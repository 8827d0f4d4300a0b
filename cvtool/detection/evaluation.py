"""Score a detector on a data set, and save what explains the score."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cvtool.datasets.boxed import DetectionDataset, Example
from cvtool.datasets.boxed_layouts import read_boxed
from cvtool.datasets.faults import Fault, OnFault, refuse
from cvtool.datasets.scored_part import scored_part, split_of
from cvtool.detection.metrics import (
    Curve,
    PictureErrors,
    Prediction,
    evaluate_with_curves,
    worst_pictures,
)
from cvtool.errors import CvtoolError, DatasetError, few
from cvtool.pictures.drawing import draw_boxes
from cvtool.pictures.naming import part_of_name
from cvtool.pictures.reading import read_picture
from cvtool.pictures.sources import read_each
from cvtool.pictures.writing import whole_file, write_json, write_picture

if TYPE_CHECKING:
    from cvtool.detection.detector import Detector

# Average precision takes nearly every box, and COCO's limit of them; boxes are suppressed as
# `cvtool detect` does by default, so that the score is of what a user gets.
MIN_SCORE = 0.001
MAX_IOU = 0.45
MAX_BOXES = 100

WORST = 20
SUMMARY_FILE = "evaluation.json"
CURVES_FILE = "precision_recall.png"
WORST_FOLDER = "worst"
GUTTER = 8  # pixels between the two halves of a drawn picture


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """How a detector did.

    Attributes:
        summary: ready for JSON: what `metrics.evaluate_detections` gives, and split (None where
            the data set names none), unreadable (pictures left out), seconds (spent in the
            detector, all pictures together), model, engine, size.
        curves: by class name, see `metrics.Curve`.
        worst: the pictures with the most errors at the summary's best_score.
        dataset, predictions: what was compared.
    """

    summary: dict[str, Any]
    curves: dict[str, Curve]
    worst: list[PictureErrors]
    dataset: DetectionDataset
    predictions: list[Prediction]


def read_detection_dataset(
    path: str | Path,
    pictures: str | Path | None = None,
    limit: int | None = None,
    split: str | None = None,
    *,
    on_fault: OnFault = refuse,
) -> DetectionDataset:
    """Read a data set to score a detector on.

    Args:
        path: a data set in any layout with boxes, see `read_boxed`.
        pictures: folder of the pictures; None looks near the labels.
        limit: take the first so many pictures only; None for all.
        split: "train", "dev" or "test"; None takes the test pictures if there are any, or else
            dev, or else all.
        on_fault: called with each fault, but for those of other splits or other pictures.
    Raises:
        DatasetError: missing, unreadable, or without pictures of the split.
    """
    faults: list[Fault] = []
    whole = read_boxed(path, pictures, on_fault=faults.append)
    return scored_part(whole, path, split, faults, on_fault, lambda positions: positions[:limit])


def evaluate_detector(
    detector: Detector,
    dataset: DetectionDataset,
    *,
    min_score: float = MIN_SCORE,
    max_iou: float = MAX_IOU,
    on_picture: Callable[[], None] | None = None,
    on_error: Callable[[CvtoolError], object] | None = None,
) -> Evaluation:
    """Run a detector over a data set and score it.

    Classes are matched by name. Of a class that the detector does not know, every
    object counts as missed; what it finds of classes that the data set does not
    label is left out.

    Args:
        detector: the detector.
        dataset: pictures with true boxes.
        min_score: boxes that score less are left out.
        max_iou: of two boxes of a class that overlap more, only the better counts.
        on_picture: called after each picture, for a progress bar.
        on_error: called with the error of each picture that cannot be read, or whose size
            is not the one that the data set states, which is left out; None raises it.
    Raises:
        DatasetError: no class in common, no true boxes, not one picture can be read, or a
            picture of another size, where `on_error` is None.
        PictureError: a picture cannot be read, where `on_error` is None.
    """
    # Boxes of other classes are left out at once, or they would take the places of those counted.
    shared = [label for label in detector.classes if label in dataset.classes]
    if not shared:
        raise DatasetError(
            f'model "{detector.model_name}" knows none of the data set\'s classes '
            f"({few(dataset.classes)}); choose another model or data set"
        )
    predictions, read, seconds = [], [], 0.0
    paths = [example.path for example in dataset.examples]
    for index, picture in read_each(paths, on_error=on_error):
        try:
            check_size(dataset.examples[index], picture.pixels)
        except DatasetError as error:
            if on_error is None:
                raise
            on_error(error)
            continue
        start = time.perf_counter()
        found = detector(
            picture.pixels,
            min_score=min_score,
            max_iou=max_iou,
            max_boxes=MAX_BOXES,
            classes=shared,
        )
        seconds += time.perf_counter() - start
        predictions.append(as_prediction(found, dataset.classes))
        read.append(index)
        if on_picture is not None:
            on_picture()
    if paths and not read:
        raise DatasetError(f"{paths[0]}: not one of {len(paths)} pictures can be read")
    dataset = dataset.subset(read)
    summary, curves = evaluate_with_curves(dataset, predictions)
    worst = worst_pictures(dataset, predictions, WORST, min_score=summary["best_score"])
    summary |= {
        "split": split_of(dataset),
        "unreadable": len(paths) - len(read),
        "seconds": round(seconds, 3),
        "model": detector.model_name,
        "engine": detector.engine_name,
        "size": detector.size,
    }
    return Evaluation(summary, curves, worst, dataset, predictions)


def check_size(example: Example, pixels: np.ndarray) -> None:
    """Refuse a picture that the boxes were not drawn on, such as one turned since."""
    height, width = pixels.shape[:2]
    if (height, width) != (example.height, example.width):
        raise DatasetError(
            f"{example.path}: {width} x {height} pixels, but the data set says "
            f"{example.width} x {example.height}; its boxes do not fit this picture"
        )


def as_prediction(detections, classes) -> Prediction:
    """Detections as arrays with the data set's class ids; those of other classes left out."""
    numbers = {label: number for number, label in enumerate(classes)}
    known = [detection for detection in detections if detection.label in numbers]
    return (
        np.array([d.box for d in known], np.float64).reshape(-1, 4),
        np.array([d.score for d in known], np.float64),
        np.array([numbers[d.label] for d in known], np.int64),
    )


def save_evaluation(
    evaluation: Evaluation, folder: str | Path, *, overwrite: bool = False
) -> list[Path]:
    """Write the summary, the precision-recall curves and the worst pictures.

    Each of the worst pictures is shown twice: with its true boxes on the left, with
    the predictions that score at least best_score on the right.

    Args:
        evaluation: from `evaluate_detector`.
        folder: written: evaluation.json, precision_recall.png, worst/*.jpg.
        overwrite: replace files that are there.
    Returns:
        the paths written: the summary, the curves, the folder of the worst pictures
        if there are any.
    Raises:
        OutputError: a file is there already or cannot be written.
    """
    from cvtool.detection.plots import plot_precision_recall

    folder = Path(folder)
    write_json(folder / SUMMARY_FILE, evaluation.summary, overwrite=overwrite)
    written = [folder / SUMMARY_FILE, folder / CURVES_FILE]
    with whole_file(folder / CURVES_FILE, overwrite=overwrite) as temporary:
        plot_precision_recall(evaluation.curves, temporary)
    worst = folder / WORST_FOLDER
    if overwrite:
        # Those of an earlier, longer list would pass for this one's.
        for old in worst.glob("[0-9][0-9]-*.jpg"):
            old.unlink()
    for rank, errors in enumerate(evaluation.worst, 1):
        stem = part_of_name(evaluation.dataset.examples[errors.index].path.stem)
        pixels = draw_comparison(evaluation, errors.index)
        write_picture(worst / f"{rank:02}-{stem}.jpg", pixels, overwrite=overwrite)
    return written + ([worst] if evaluation.worst else [])


def draw_comparison(evaluation: Evaluation, index: int) -> np.ndarray:
    """One picture with its true boxes, and beside it with the predicted ones.

    Returns:
        uint8 array (H, 2 W + 8, 3), RGB.
    """
    example = evaluation.dataset.examples[index]
    classes = evaluation.dataset.classes
    pixels = read_picture(example.path)
    boxes, scores, class_ids = evaluation.predictions[index]
    sure = scores >= evaluation.summary["best_score"]
    truth = draw_boxes(pixels, example.boxes, [classes[c] for c in example.class_ids])
    found = draw_boxes(pixels, boxes[sure], [classes[c] for c in class_ids[sure]], scores[sure])
    gutter = np.full((pixels.shape[0], GUTTER, 3), 255, np.uint8)
    return np.hstack([truth, gutter, found])
