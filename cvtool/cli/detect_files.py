"""The files that `cvtool detect` writes of each picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtool.cli.output_files import (
    CLASSES_FILE,
    OutputFiles,
    frame_path,
    label_in_name,
    write_classes,
)
from cvtool.errors import OutputError
from cvtool.pictures.writing import write_text

if TYPE_CHECKING:
    import numpy as np

    from cvtool.detection.detector import Detection
    from cvtool.pictures.sources import Picture


@dataclass(frozen=True, slots=True)
class Targets:
    """Where results of one picture go; None where none is wanted or allowed."""

    picture: Path | None
    labels: Path | None
    grid: Path | None


@dataclass(frozen=True, slots=True)
class Written:
    """Paths of what was written of one picture; None where there is none."""

    picture: str | None
    grid: str | None


class ResultFiles(OutputFiles):
    """Annotated pictures and videos, grids, crops and label files, below one folder each.

    Args:
        crops, labels: the folders; None writes nothing of the kind.
        classes: labels in the order of the class numbers, for the label files.
        draw_grid: makes of a picture's pixels the one to write as "name-grid.jpg" beside the
            annotated one; None writes none.
        options: as for `OutputFiles`.
    """

    def __init__(
        self,
        *,
        crops: Path | None,
        labels: Path | None,
        classes: Sequence[str],
        draw_grid: Callable[[np.ndarray], np.ndarray] | None = None,
        **options: Any,
    ):
        # "a-grid.jpg" may also be an input; without grids no two results have one name.
        super().__init__(several=draw_grid is not None, **options)
        self._crops, self._labels = crops, labels
        self._classes = classes
        self._draw_grid = draw_grid

    def __enter__(self) -> ResultFiles:
        if self._labels is not None:
            write_classes(self._labels, self._classes, overwrite=self.overwrite)
        return self

    def targets(self, picture: Picture) -> Targets:
        """Where this picture's results go, found out before any work is done for them.

        What is there already, and the input itself, is reported and left out.
        """
        annotated = self.annotated(picture)
        return Targets(annotated, self._labels_of(picture), self._grid_of(annotated, picture))

    def write(self, picture: Picture, detections: Sequence[Detection], targets: Targets) -> Written:
        """Write them; return the paths of the annotated picture or video and of the grid."""
        if targets.labels is not None:
            self.attempt(self._write_labels, targets.labels, picture, detections)
        if self._crops is not None:
            self.attempt(self._write_crops, self._crops, picture, detections)
        return Written(
            self.written(self._write_boxes, targets.picture, picture, detections),
            self.written(self._write_grid, targets.grid, picture),
        )

    def _labels_of(self, picture: Picture) -> Path | None:
        """Where the label file of a picture goes."""
        if self._labels is None:
            return None
        path = self._labels / frame_path(picture).with_suffix(".txt")
        if path == self._labels / CLASSES_FILE:
            self.report(OutputError(f"{path}: holds the names of the classes; rename the input"))
            return None
        return self.allowed(path, picture)

    def _grid_of(self, annotated: Path | None, picture: Picture) -> Path | None:
        """Where the grid of an annotated picture goes."""
        if self._draw_grid is None or self.out is None:
            return None
        if picture.frame is not None:
            annotated = self.out / frame_path(picture)
        elif annotated is None:
            return None
        path = annotated.with_name(f"{annotated.stem}-grid{annotated.suffix}")
        return self.allowed(path, picture, self.number)

    def _write_boxes(self, path: Path, picture: Picture, detections) -> None:
        import numpy as np

        from cvtool.pictures.drawing import draw_boxes

        boxes = np.array([d.box for d in detections], np.float64).reshape(-1, 4)
        if any(d.id is not None for d in detections):
            # Two numbers in a label would be taken for each other. Objects of a video are told
            # apart by their colours too, as a colour goes with a text.
            labels, scores = [f"{d.label} {d.id}" for d in detections], None
        else:
            labels, scores = [d.label for d in detections], [d.score for d in detections]
        self.write_annotated(path, picture, draw_boxes(picture.pixels, boxes, labels, scores))

    def _write_grid(self, path: Path, picture: Picture) -> None:
        self.write_picture(path, picture, self._draw_grid(picture.pixels))

    def _write_labels(self, path: Path, picture: Picture, detections) -> None:
        from cvtool.detection.label_files import yolo_text

        text = yolo_text(detections, self._classes, *picture.pixels.shape[:2])
        write_text(path, text, overwrite=self.overwrite, source=picture.name)

    def _write_crops(self, folder: Path, picture: Picture, detections) -> None:
        height, width = picture.pixels.shape[:2]
        below = frame_path(picture)
        suffix = below.suffix if picture.frame is None else ".jpg"
        for number, detection in enumerate(detections, 1):
            left, top, right, bottom = detection.box
            # Whole pixels, at least one, whatever the box.
            left, top = min(max(int(left), 0), width - 1), min(max(int(top), 0), height - 1)
            right, bottom = max(left + 1, round(right)), max(top + 1, round(bottom))
            name = f"{below.stem}-{number}-{label_in_name(detection.label)}{suffix}"
            pixels = picture.pixels[top:bottom, left:right]
            self.write_picture(folder / below.with_name(name), picture, pixels)
