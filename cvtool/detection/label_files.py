"""Detections in the layouts that other tools read: YOLO's text files and COCO's JSON."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from cvtool.pictures.writing import whole_file

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


class CocoFile:
    """A COCO JSON file of detections, written as they come, whole or not at all.

    The layout is that of a data set (cocodataset.org, "Data format") with a score in
    each annotation: "images" (id, file_name as the source was named, width, height, and
    for a video frame and time), "annotations" (id, image_id, category_id, bbox as left,
    top, width, height in pixels, area, iscrowd, score, and track_id where objects are
    tracked) and "categories" (id from 1 in
    the order of the model's classes, name). Memory does not grow with the pictures.

    Args:
        path: the file.
        classes: labels in the order of the class numbers.
        overwrite: replace a file that is there.
    Raises:
        OutputError: on entering, if the file is there; at the end, if it cannot be written.
    """

    def __init__(self, path: str | Path, classes: Sequence[str], *, overwrite: bool = False):
        self._path = path
        self._classes = classes
        self._overwrite = overwrite
        self._categories = {label: number for number, label in enumerate(classes, 1)}
        self._images = 0
        self._annotations = 0
        self._open_files = ExitStack()

    def __enter__(self) -> CocoFile:
        temporary = self._open_files.enter_context(
            whole_file(self._path, overwrite=self._overwrite)
        )
        # JSON has one list after the other, but both grow together.
        self._spool = self._open_files.enter_context(TemporaryFile("w+", encoding="utf-8"))
        self._stream = self._open_files.enter_context(temporary.open("w", encoding="utf-8"))
        categories = [{"id": number, "name": label} for label, number in self._categories.items()]
        self._stream.write(f'{{"categories": {json.dumps(categories)},\n"images": [')
        return self

    def add(
        self,
        file_name: str,
        height: int,
        width: int,
        detections: Iterable[Detection],
        **more: Any,
    ) -> None:
        """Add one picture and its detections; `more` are further keys of the image."""
        self._images += 1
        image = {"id": self._images, "file_name": file_name, "width": width, "height": height}
        self._stream.write("\n" if self._images == 1 else ",\n")
        self._stream.write(json.dumps(image | more))
        for detection in detections:
            x1, y1, x2, y2 = detection.box
            self._annotations += 1
            annotation = {
                "id": self._annotations,
                "image_id": self._images,
                "category_id": self._categories[detection.label],
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "area": (x2 - x1) * (y2 - y1),
                "iscrowd": 0,
                "score": detection.score,
            }
            if detection.id is not None:
                annotation["track_id"] = detection.id
            self._spool.write("\n" if self._annotations == 1 else ",\n")
            self._spool.write(json.dumps(annotation))

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self._stream.write('],\n"annotations": [')
            self._spool.seek(0)
            shutil.copyfileobj(self._spool, self._stream)
            self._stream.write("]}\n")
        self._open_files.__exit__(kind, error, trace)
