"""The files that `cvtool detect` writes of each picture, and what it must not touch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtool.errors import CvtoolError, OutputError
from cvtool.pictures.writing import free_name, same_file, write_picture, write_text

if TYPE_CHECKING:
    import numpy as np

    from cvtool.detection.detector import Detection
    from cvtool.pictures.sources import Picture

CLASSES_FILE = "classes.txt"


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


class ResultFiles:
    """Annotated pictures and videos, grids, crops and label files, below one folder each.

    Args:
        out, crops, labels: the folders; None writes nothing of the kind.
        classes: labels in the order of the class numbers, for the label files.
        every: which frames of a video come, to give the written one its speed.
        inputs: files named as sources, which are never written to.
        overwrite: replace files that are there.
        number: where an annotated picture or video is there already, write "name-2.jpg"
            beside it instead of reporting it.
        draw_grid: makes of a picture's pixels the one to write as "name-grid.jpg" beside the
            annotated one; None writes none.
        on_error: gets the error of each file that cannot be written; the rest goes on.
    """

    def __init__(
        self,
        *,
        out: Path | None,
        crops: Path | None,
        labels: Path | None,
        classes: Sequence[str],
        every: int,
        inputs: Iterable[str],
        overwrite: bool,
        on_error: Callable[[CvtoolError], None],
        number: bool = False,
        draw_grid: Callable[[np.ndarray], np.ndarray] | None = None,
    ):
        self._out, self._crops, self._labels = out, crops, labels
        self._classes = classes
        self._every = every
        self._inputs = frozenset(os.path.realpath(path) for path in inputs)
        self._overwrite = overwrite
        self._number = number
        self._on_error = on_error
        self._draw_grid = draw_grid
        # "a-grid.jpg" may also be an input; without grids no two results have one name.
        self._given: set[Path] | None = None if draw_grid is None else set()
        self._video: _OpenVideo | None = None
        self._refused_video: Path | None = None

    def __enter__(self) -> ResultFiles:
        if self._labels is not None:
            self._write_classes()
        return self

    def targets(self, picture: Picture) -> Targets:
        """Where this picture's results go, found out before any work is done for them.

        What is there already, and the input itself, is reported and left out.
        """
        labels = None
        if self._labels is not None:
            path = self._labels / _frame_path(picture).with_suffix(".txt")
            labels = self._allowed(path, picture)
        if self._out is None:
            return Targets(None, labels, None)
        path = self._out / picture.relative
        if picture.frame is not None:
            video = self._open_video(path, picture)
            return Targets(video, labels, self._grid_of(self._out / _frame_path(picture), picture))
        self._end_video()
        annotated = self._allowed(path, picture, self._number)
        return Targets(annotated, labels, self._grid_of(annotated, picture))

    def write(self, picture: Picture, detections: Sequence[Detection], targets: Targets) -> Written:
        """Write them; return the paths of the annotated picture or video and of the grid."""
        if targets.labels is not None:
            self._try(self._write_labels, targets.labels, picture, detections)
        if self._crops is not None:
            self._try(self._write_crops, self._crops, picture, detections)
        return Written(
            self._written(self._write_annotated, targets.picture, picture, detections),
            self._written(self._write_grid, targets.grid, picture),
        )

    def _written(self, action: Callable, path: Path | None, *arguments: Any) -> str | None:
        """The path, if there is one and the action wrote it."""
        if path is None or not self._try(action, path, *arguments):
            return None
        return str(path)

    def _grid_of(self, annotated: Path | None, picture: Picture) -> Path | None:
        """Where the grid of an annotated picture goes."""
        if self._draw_grid is None or annotated is None:
            return None
        path = annotated.with_name(f"{annotated.stem}-grid{annotated.suffix}")
        return self._allowed(path, picture, self._number)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        # Ctrl-C is the way to end a webcam's stream, so what it showed is kept.
        wanted = kind is KeyboardInterrupt and self._video is not None and self._video.live
        if kind is None or wanted:
            self._end_video()
        elif self._video is not None:
            self._video.stack.__exit__(kind, error, trace)

    def _allowed(self, path: Path, picture: Picture, number: bool = False) -> Path | None:
        if number and not self._overwrite:
            path = free_name(path)
        if os.path.realpath(path) in self._inputs or same_file(path, picture.name):
            self._on_error(
                OutputError(f"{path}: is an input, never overwritten; use another --out")
            )
        elif self._labels is not None and path == self._labels / CLASSES_FILE:
            self._on_error(OutputError(f"{path}: holds the names of the classes; rename the input"))
        elif not self._overwrite and os.path.lexists(path):
            self._on_error(OutputError(f"{path}: already exists; use --overwrite or another --out"))
        elif self._given is not None and path in self._given:
            self._on_error(OutputError(f"{path}: just written for another input; rename the input"))
        else:
            if self._given is not None:
                self._given.add(path)
            return path
        return None

    def _open_video(self, path: Path, picture: Picture) -> Path | None:
        if self._video is not None and self._video.asked == path:
            return self._video.path
        self._end_video()
        if self._refused_video == path:
            return None
        allowed = self._allowed(path, picture, self._number)
        if allowed is not None:
            from cvtool.pictures.video import VideoWriter

            speed = picture.fps / self._every if picture.fps else None
            stack = ExitStack()
            writer = VideoWriter(allowed, speed, overwrite=self._overwrite)
            if self._try(stack.enter_context, writer):
                live = picture.frames is None
                self._video = _OpenVideo(path, allowed, writer, stack, live=live)
                return allowed
        self._refused_video = path
        return None

    def _end_video(self) -> None:
        if self._video is not None:
            video, self._video = self._video, None
            self._try(video.stack.close)

    def _write_annotated(self, path: Path, picture: Picture, detections) -> None:
        import numpy as np

        from cvtool.pictures.drawing import draw_boxes

        boxes = np.array([d.box for d in detections], np.float64).reshape(-1, 4)
        if any(d.id is not None for d in detections):
            # Two numbers in a label would be taken for each other. Objects of a video are told
            # apart by their colours too, as a colour goes with a text.
            labels, scores = [f"{d.label} {d.id}" for d in detections], None
        else:
            labels, scores = [d.label for d in detections], [d.score for d in detections]
        pixels = draw_boxes(picture.pixels, boxes, labels, scores)
        if picture.frame is None:
            write_picture(path, pixels, overwrite=self._overwrite, source=picture.name)
            return
        try:
            self._video.writer.write(pixels)
        except OutputError as error:
            video, self._video = self._video, None
            self._refused_video = video.asked
            video.stack.__exit__(type(error), error, None)
            raise

    def _write_grid(self, path: Path, picture: Picture) -> None:
        pixels = self._draw_grid(picture.pixels)
        write_picture(path, pixels, overwrite=self._overwrite, source=picture.name)

    def _write_labels(self, path: Path, picture: Picture, detections) -> None:
        from cvtool.detection.label_files import yolo_text

        text = yolo_text(detections, self._classes, *picture.pixels.shape[:2])
        write_text(path, text, overwrite=self._overwrite, source=picture.name)

    def _write_crops(self, folder: Path, picture: Picture, detections) -> None:
        height, width = picture.pixels.shape[:2]
        below = _frame_path(picture)
        suffix = below.suffix if picture.frame is None else ".jpg"
        for number, detection in enumerate(detections, 1):
            left, top, right, bottom = detection.box
            # Whole pixels, at least one, whatever the box.
            left, top = min(max(int(left), 0), width - 1), min(max(int(top), 0), height - 1)
            right, bottom = max(left + 1, round(right)), max(top + 1, round(bottom))
            pixels = picture.pixels[top:bottom, left:right]
            label = detection.label.replace(" ", "-").replace("/", "-")
            path = folder / below.with_name(f"{below.stem}-{number}-{label}{suffix}")
            write_picture(path, pixels, overwrite=self._overwrite, source=picture.name)

    def _write_classes(self) -> None:
        """The names that the numbers in the label files stand for."""
        path = self._labels / CLASSES_FILE
        text = "".join(f"{label}\n" for label in self._classes)
        if path.is_file() and path.read_bytes() == text.encode():
            return
        write_text(path, text, overwrite=self._overwrite)

    def _try(self, action: Callable, *arguments: Any) -> bool:
        try:
            action(*arguments)
        except OutputError as error:
            self._on_error(error)
            return False
        return True


@dataclass
class _OpenVideo:
    asked: Path
    path: Path
    writer: Any
    stack: ExitStack
    live: bool


def _frame_path(picture: Picture) -> Path:
    """Its own relative path for each frame; for a still picture its relative path."""
    if picture.frame is None:
        return picture.relative
    return picture.relative.with_name(f"{picture.relative.stem}-{picture.frame:06}.jpg")


def own_results(sources: Iterable[str], folders: Iterable[Path | None]) -> Callable[[str], bool]:
    """Tell pictures that this or an earlier run wrote from those to look at.

    A folder source may hold the output folder, as in `cvtool detect .`, and is still being
    listed while results appear in it.

    Args:
        sources: as given.
        folders: where results go.
    Returns:
        a function of a picture's name: True for a file inside one of the folders, unless a
        source lies in that folder itself and so asks for it.
    """
    asked = [os.path.abspath(source) + os.sep for source in sources]
    inside = [os.path.abspath(folder) + os.sep for folder in folders if folder is not None]
    inside = [folder for folder in inside if not any(a.startswith(folder) for a in asked)]

    def is_own(name: str) -> bool:
        return bool(inside) and os.path.abspath(name).startswith(tuple(inside))

    return is_own


def refuse_source_as_output(sources: Iterable[str], folder: Path | None) -> None:
    """Refuse a folder that is both read and written: results could replace what is yet to come.

    Raises:
        OutputError: naming it.
    """
    if folder is None:
        return
    for source in sources:
        if os.path.isdir(source) and same_file(source, folder):
            raise OutputError(f"{folder}: holds the input pictures; use another --out")
