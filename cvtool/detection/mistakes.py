"""The errors of a detector worth looking at, and the cut-outs that show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from cvtool.datasets.boxed import DetectionDataset
from cvtool.detection.boxes import area
from cvtool.detection.error_types import judge
from cvtool.detection.matching import match
from cvtool.detection.metrics import Prediction
from cvtool.pictures.reading import read_picture

MOST_MISTAKES = 24
# Round a box as much again on each side shows where it is; less than this is a blur.
_CONTEXT = 0.5
_LEAST_SIDE = 48
_WRONG, _TRUE, _EDGE = (255, 64, 64), (64, 255, 96), (0, 0, 0)

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A box that should not be there, or an object without one.

    Attributes:
        path: the picture's file.
        box: x1, y1, x2, y2 of the predicted box, or of the missed object, in pixels.
        label: class of that box.
        score: of the predicted box, in [0, 1]; None for a missed object.
        kind: a key of `error_types.TYPES`.
        words: what is wrong, for a person.
        truth: the true box that the predicted one is about, or None.
    """

    path: Path
    box: Box
    label: str
    score: float | None
    kind: str
    words: str
    truth: Box | None = None


def false_positives(
    dataset: DetectionDataset,
    predictions: Sequence[Prediction],
    min_score: float,
    most: int = MOST_MISTAKES,
) -> list[Mistake]:
    """List the wrong boxes of the highest scores, highest first.

    Args:
        dataset, predictions: as for `metrics.evaluate_detections`.
        min_score: boxes below it do not count.
        most: at most so many.
    Raises:
        ValueError: the predictions do not fit the data set.
    """
    matches = match(dataset, predictions).at_least(min_score)
    judged = judge(dataset, matches)
    mistakes = []
    for row in np.flatnonzero(judged.types)[:most]:
        example = dataset.examples[matches.pictures[row]]
        position = judged.truths[row]
        about = None if position < 0 else dataset.classes[example.class_ids[position]]
        mistakes.append(
            Mistake(
                path=example.path,
                box=_box(matches.boxes[row]),
                label=dataset.classes[matches.class_ids[row]],
                score=float(matches.scores[row]),
                kind=judged.types[row],
                words=_words(judged.types[row], about, judged.overlaps[row]),
                truth=None if position < 0 else _box(example.boxes[position]),
            )
        )
    return mistakes


def missed_objects(
    dataset: DetectionDataset,
    predictions: Sequence[Prediction],
    min_score: float,
    most: int = MOST_MISTAKES,
) -> list[Mistake]:
    """List the missed objects that fill most of their pictures, the largest share first.

    Large ones are the surprising ones. Those that a wrong class or a badly placed box
    explains are left to `false_positives`.

    Args:
        dataset, predictions: as for `metrics.evaluate_detections`.
        min_score: boxes below it do not count.
        most: at most so many.
    Raises:
        ValueError: the predictions do not fit the data set.
    """
    matches = match(dataset, predictions)
    missed = judge(dataset, matches.at_least(min_score)).missed
    found = zip(matches.pictures, matches.truths, matches.scores, strict=True)
    later = {(picture, truth): score for picture, truth, score in found if truth >= 0}

    def share(place: np.ndarray) -> float:
        example = dataset.examples[place[0]]
        return float(area(example.boxes[place[1]])) / max(1, example.width * example.height)

    mistakes = []
    for picture, position in sorted(missed, key=share, reverse=True)[:most]:
        example = dataset.examples[picture]
        mistakes.append(
            Mistake(
                path=example.path,
                box=_box(example.boxes[position]),
                label=dataset.classes[example.class_ids[position]],
                score=None,
                kind="missed",
                words=_found_later(later.get((picture, position))),
            )
        )
    return mistakes


def cut_out(mistake: Mistake, side: int) -> np.ndarray:
    """Show a mistake: its box with what surrounds it, as large as a square of `side` takes.

    A predicted box is red, a true one green.

    Returns:
        uint8 RGB (h, w, 3), the longer of h and w is `side`.
    Raises:
        PictureError: the picture cannot be read.
    """
    pixels = read_picture(mistake.path)
    boxes = np.array([box for box in (mistake.box, mistake.truth) if box is not None])
    left, top, right, bottom = _window(boxes, *pixels.shape[:2])
    part = pixels[top:bottom, left:right]
    scale = side / max(part.shape[:2])
    size = [max(1, round(length * scale)) for length in part.shape[1::-1]]
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = Image.fromarray(cv2.resize(part, size, interpolation=smooth))
    canvas = ImageDraw.Draw(picture)
    placed = (boxes - (left, top, left, top)) * scale
    colours = (_TRUE,) if mistake.score is None else (_WRONG, _TRUE)
    # The box that the mistake is about goes on top.
    for corners, colour in reversed([*zip(placed, colours, strict=False)]):
        x1, y1, x2, y2 = np.round(corners)
        canvas.rectangle((x1 - 1, y1 - 1, max(x2, x1) + 1, max(y2, y1) + 1), None, _EDGE, 4)
        canvas.rectangle((x1, y1, max(x2, x1), max(y2, y1)), None, colour, 2)
    return np.array(picture)


def _window(boxes, height, width) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the square round the boxes, cut at the picture's edges."""
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    half = max((1 + 2 * _CONTEXT) * (high - low).max(), _LEAST_SIDE) / 2
    middle, edges = (low + high) / 2, np.array([width, height])
    # Within the picture whatever the boxes say: it may have been replaced since.
    start = np.clip(np.floor(middle - half), 0, edges - 1).astype(int)
    end = np.clip(np.ceil(middle + half), start + 1, edges).astype(int)
    return *start.tolist(), *end.tolist()


def _box(corners) -> Box:
    return tuple(float(value) for value in corners)


def _found_later(score: float | None) -> str:
    """Whether a missed object has a box of a lower score."""
    if score is None:
        return "no box at any score"
    return f"found only at score {score:.2f}" if score >= 0.01 else "found only below score 0.01"


def _words(kind: str, about: str | None, overlap: float) -> str:
    """What is wrong with a box, given the class that it is about and the IoU with it."""
    return {
        "classification": f"wrong class: it is {about}",
        "localisation": f"badly placed: IoU {overlap:.2f} with the {about}",
        "both": f"wrong class and badly placed: IoU {overlap:.2f} with {about}",
        "duplicate": f"duplicate: the {about} has a box of a higher score",
        "background": "background: no object here",
        "missed": "missed",
    }[kind]
