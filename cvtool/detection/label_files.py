"""Detections in the layouts that other tools read: YOLO's text files and COCO's JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cvtool.detection.detector import Detection


def yolo_text(
    detections: Iterable[Detection], classes: Sequence[str], height: int, width: int
) -> str:
    """Detections of one picture as the text of a YOLO label file.

    A line a box: class number from 0, midpoint x and y, width and height, the last four
    as fractions of the picture, in [0, 1]. Nothing found gives an empty text, which in
    this layout says just that.

    Args:
        detections: with boxes in pixels of the picture.
        classes: labels in the order of the class numbers.
        height, width: of the picture, pixels.
    """
    numbers = {label: number for number, label in enumerate(classes)}
    lines = []
    for detection in detections:
        x1, y1, x2, y2 = detection.box
        fractions = (
            (x1 + x2) / 2 / width,
            (y1 + y2) / 2 / height,
            (x2 - x1) / width,
            (y2 - y1) / height,
        )
        lines.append(f"{numbers[detection.label]} " + " ".join(f"{f:.6f}" for f in fractions))
    return "".join(f"{line}\n" for line in lines)


def coco_annotations(
    detections: Iterable[Detection], classes: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Detections of one picture as annotations of a COCO file, each with its score.

    Args:
        detections: with boxes in pixels of the picture.
        classes: labels in the order of the class numbers; "category_id" counts from 1.
    Yields:
        dicts with category_id, bbox as left, top, width, height in pixels, area, iscrowd 0,
        score, and track_id where objects are tracked; "id" and "image_id" are left to the file.
    """
    categories = {label: number for number, label in enumerate(classes, 1)}
    for detection in detections:
        x1, y1, x2, y2 = detection.box
        annotation = {
            "category_id": categories[detection.label],
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": (x2 - x1) * (y2 - y1),
            "iscrowd": 0,
            "score": detection.score,
        }
        yield annotation if detection.id is None else annotation | {"track_id": detection.id}
