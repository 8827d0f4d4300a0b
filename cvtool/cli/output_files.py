"""What commands write of each picture: where it may go, and what it must not touch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtool.cli import console
from cvtool.errors import CvtoolError, OutputError
from cvtool.pictures.writing import free_name, same_file, write_picture, write_text

if TYPE_CHECKING:
    import numpy as np

    from cvtool.datasets.coco_results import CocoFile
    from cvtool.pictures.sources import Picture


CLASSES_FILE = "classes.txt"


class OutputFiles:
    """Annotated pictures and videos below a folder; a context, which ends the last video.

    Args:
        out: the folder; None writes none.
        every: which frames of a video come, to give the written one its speed.
        inputs: files named as sources, which are never written to.
        overwrite: replace files that are there.
        number: where an annotated picture or video is there already, write "name-2.jpg"
            beside it instead of reporting it.
        several: a picture has several results in one folder, so that one may have the name
            of another's, as "a-mask.png" may also be an input.
        on_error: gets the error of each file that cannot be written; the rest goes on.
    """

    def __init__(
        self,
        *,
        out: Path | None,
        every: int,
        inputs: Iterable[str],
        overwrite: bool,
        on_error: Callable[[CvtoolError], None],
        number: bool = False,
        several: bool = False,
    ):
        self.out = out
        self.overwrite = overwrite
        self.number = number
        self._every = every
        self._inputs = frozenset(os.path.realpath(path) for path in inputs)
        self._on_error = on_error
        self._given: set[Path] | None = set() if several else None
        self._video: _OpenVideo | None = None
        self._refused_video: Path | None = None

    def __enter__(self) -> OutputFiles:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None or self._video is None:
            self.end_video()
            return
        path = self._video.path
        # Ctrl-C is the way to end a webcam's stream, so what it showed is kept.
        if self._video.live and issubclass(kind, KeyboardInterrupt | SystemExit):
            self.end_video()
            console.say(f"{path}: written up to here")
        else:
            self._video.stack.__exit__(kind, error, trace)
            console.say(f"{path}: not written, for its video did not come to its end")

    def allowed(self, path: Path, picture: Picture, number: bool = False) -> Path | None:
        """The path, if a result of this picture may be written there; else it is reported.

        Args:
            path: where it is to go.
            picture: whose result it is.
            number: choose another name where that one is taken.
        """
        if number and not self.overwrite:
            path = free_name(path)
        if os.path.realpath(path) in self._inputs or same_file(path, picture.name):
            problem = "is an input, never overwritten; use another --out"
        elif not self.overwrite and os.path.lexists(path):
            problem = "already exists; use --overwrite or another --out"
        elif self._given is not None and path in self._given:
            problem = "just written for another input; rename the input"
        else:
            if self._given is not None:
                self._given.add(path)
            return path
        self.report(OutputError(f"{path}: {problem}"))
        return None

    def report(self, error: CvtoolError) -> None:
        """List a file that was not written."""
        self._on_error(error)

    def annotated(self, picture: Picture) -> Path | None:
        """Where the annotated picture goes, or the video of which it is a frame."""
        if self.out is None:
            return None
        if picture.frame is not None:
            return self.video_of(picture)
        self.end_video()
        return self.allowed(self.out / picture.relative, picture, self.number)

    def write_annotated(self, path: Path, picture: Picture, pixels: np.ndarray) -> None:
        """Write the annotated picture, or the frame into its video.

        Raises:
            OutputError: it cannot be written.
        """
        if picture.frame is None:
            self.write_picture(path, picture, pixels)
            return
        try:
            self._video.writer.write(pixels)
        except OutputError as error:
            video, self._video = self._video, None
            self._refused_video = video.asked
            video.stack.__exit__(type(error), error, None)
            raise

    def write_picture(self, path: Path, picture: Picture, pixels: np.ndarray) -> None:
        """Write a picture that was made from one of the sources.

        Raises:
            OutputError: it cannot be written.
        """
        write_picture(path, pixels, overwrite=self.overwrite, source=picture.name)

    def attempt(self, action: Callable, *arguments: Any) -> bool:
        """Call a function that writes something; whether it could, for an error is reported."""
        try:
            action(*arguments)
        except OutputError as error:
            self.report(error)
            return False
        return True

    def written(self, action: Callable, path: Path | None, *arguments: Any) -> str | None:
        """The path, if there is one and the action wrote it."""
        if path is None or not self.attempt(action, path, *arguments):
            return None
        return str(path)

    def video_of(self, picture: Picture) -> Path | None:
        """Where the annotated video goes of which this is a frame; opens it with the first."""
        path = self.out / picture.relative
        if self._video is not None and self._video.asked == path:
            return self._video.path
        self.end_video()
        if self._refused_video == path:
            return None
        allowed = self.allowed(path, picture, self.number)
        if allowed is not None:
            from cvtool.pictures.video import VideoWriter

            speed = picture.fps / self._every if picture.fps else None
            stack = ExitStack()
            writer = VideoWriter(allowed, speed, overwrite=self.overwrite)
            if self.attempt(stack.enter_context, writer):
                live = picture.frames is None
                self._video = _OpenVideo(path, allowed, writer, stack, live=live)
                return allowed
        self._refused_video = path
        return None

    def end_video(self) -> None:
        """Finish the annotated video, if there is one that is not."""
        if self._video is not None:
            video, self._video = self._video, None
            self.attempt(video.stack.close)


@dataclass
class _OpenVideo:
    asked: Path
    path: Path
    writer: Any
    stack: ExitStack
    live: bool


def frame_path(picture: Picture) -> Path:
    """Its own relative path for each frame; for a still picture its relative path."""
    if picture.frame is None:
        return picture.relative
    return picture.relative.with_name(f"{picture.relative.stem}-{picture.frame:06}.jpg")


def write_classes(folder: Path, classes: Sequence[str], *, overwrite: bool) -> None:
    """Write the names that the numbers in labels or masks stand for, unless they are there.

    Raises:
        OutputError: others are there, or the file cannot be written.
    """
    path = folder / CLASSES_FILE
    text = "".join(f"{label}\n" for label in classes)
    if path.is_file() and path.read_bytes() == text.encode():
        return
    write_text(path, text, overwrite=overwrite)


def label_in_name(label: str) -> str:
    """A label as a part of a file's name."""
    return label.replace(" ", "-").replace("/", "-")


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


def open_coco(
    stack: ExitStack, path: Path | None, classes: Sequence[str], inputs: list[str], overwrite: bool
) -> CocoFile | None:
    """The file of --save-coco, or None.

    Raises:
        OutputError: it is an input, or is there.
    """
    if path is None:
        return None
    from cvtool.datasets.coco_results import CocoFile

    if any(same_file(path, source) for source in inputs):
        raise OutputError(f"{path}: is an input, never overwritten; name another file")
    return stack.enter_context(CocoFile(path, classes, overwrite=overwrite))


def add_to_coco(coco: CocoFile, picture: Picture, annotations: Iterable[dict[str, Any]]) -> None:
    """One picture for --save-coco; frames of a video are told apart by their number."""
    height, width = picture.pixels.shape[:2]
    more = {}
    if picture.frame is not None:
        more = {"frame": picture.frame, "time": round(picture.time or 0.0, 4)}
    coco.add(picture.name, height, width, annotations, **more)
