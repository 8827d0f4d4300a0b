"""The files that `cvtool stylize` writes: results, intermediate pictures, and the film."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvtool.cli.output_files import OutputFiles
from cvtool.errors import OutputError

if TYPE_CHECKING:
    import numpy as np

    from cvtool.pictures.sources import Picture
    from cvtool.style.transfer import Step

# A film lasts about so many seconds, has at most so many frames in each, and then shows the
# result for a while.
FILM_SECONDS, FILM_FPS, FILM_END = 10, 30, 1.5
SLOWEST_FPS = 5


def is_file_name(out: Path | None) -> bool:
    """Whether --out names one result, by its ending, and not a folder."""
    from cvtool.pictures.contents import PICTURE_SUFFIXES, VIDEO_SUFFIXES

    if out is None or out.is_dir():
        return False
    return out.suffix.lower() in PICTURE_SUFFIXES | VIDEO_SUFFIXES


class StylizeFiles(OutputFiles):
    """Results below a folder, with the intermediate pictures beside them.

    Args:
        marks: the iterations after which an intermediate picture is written.
        options: as for `OutputFiles`.
    """

    def __init__(self, *, marks: range, **options: Any):
        # "a-iteration-50.jpg" may also be an input.
        super().__init__(several=len(marks) > 0, **options)
        self.marks = marks

    def target(self, picture: Picture) -> Path | None:
        """Where the result of a picture goes, or the video of which it is a frame.

        Found out before any work is done for it. What is there already, and an input, is
        reported; then there is none.
        """
        if picture.frame is not None:
            return self.video_of(picture)
        self.end_video()
        self._broken = False
        path = self._free(self.out / picture.relative)
        paths = (path, *self._intermediates(path).values())
        # All of them are looked at before, so that no optimisation is for half of them.
        return path if all(self.allowed(p, picture) for p in paths) else None

    def write(
        self, target: Path, picture: Picture, pixels: np.ndarray, description: str
    ) -> str | None:
        """Write a result, or a frame into its video; return its path if it could be."""
        if picture.frame is not None:
            return self.written(self.write_annotated, target, picture, pixels)
        return self.written(self._write_described, target, picture, pixels, description)

    def write_intermediate(
        self, target: Path, picture: Picture, iteration: int, pixels: np.ndarray, description: str
    ) -> str | None:
        """Write the picture after one of the marks; return its path if it could be."""
        # On a full disk one line is enough.
        if self._broken:
            return None
        path = self._intermediates(target)[iteration]
        written = self.written(self._write_described, path, picture, pixels, description)
        self._broken = written is None
        return written

    def _intermediates(self, path: Path) -> dict[int, Path]:
        """The paths of the intermediate pictures: "photo-iteration-050.jpg" beside "photo.jpg"."""
        digits = len(str(self.marks.stop))
        return {
            mark: path.with_name(f"{path.stem}-iteration-{mark:0{digits}}{path.suffix}")
            for mark in self.marks
        }

    def _free(self, path: Path) -> Path:
        """The path, numbered where it or one of its intermediate pictures' is taken."""
        free, number = path, 1
        while self.number and not self.overwrite and self._taken(free):
            number += 1
            free = path.with_name(f"{path.stem}-{number}{path.suffix}")
        return free

    def _taken(self, path: Path) -> bool:
        return any(map(os.path.lexists, (path, *self._intermediates(path).values())))

    def _write_described(
        self, path: Path, picture: Picture, pixels: np.ndarray, description: str
    ) -> None:
        from cvtool.pictures.writing import write_picture

        options = {"overwrite": self.overwrite, "source": picture.name}
        write_picture(path, pixels, description=description, **options)


class Film:
    """The optimisation as a video; a context, in which the file is made whole at the end.

    Args:
        path: ends in .mp4.
        height, width: of the result, pixels; what is smaller is enlarged.
        iterations: of the whole optimisation.
        overwrite: replace a file that is there.
    """

    def __init__(self, path: Path, height: int, width: int, iterations: int, *, overwrite: bool):
        from cvtool.pictures.video import VideoWriter

        self._size = height, width
        self._every = math.ceil(iterations / (FILM_SECONDS * FILM_FPS))
        frames = iterations / self._every
        self._fps = min(FILM_FPS, max(SLOWEST_FPS, frames / FILM_SECONDS))
        self._writer = VideoWriter(path, self._fps, overwrite=overwrite)

    def __enter__(self) -> Film:
        self._writer.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._writer.__exit__(*error)

    def add(self, step: Step) -> None:
        """One more iteration."""
        if step.iteration % self._every == 0:
            self._write(step.pixels())

    def finish(self, pixels: np.ndarray) -> None:
        """Show the result for a while."""
        for _ in range(math.ceil(FILM_END * self._fps)):
            self._write(pixels)

    def _write(self, pixels: np.ndarray) -> None:
        from cvtool.style.scales import resized

        self._writer.write(resized(pixels, self._size))


def check_file(path: Path, option: str, inputs: Iterable[str], *, overwrite: bool) -> None:
    """Refuse a file that cannot be written, before any work is done for it.

    Args:
        path: of the result or the film.
        option: that names it.
        inputs: files named as sources.
        overwrite: replace a file that is there.
    Raises:
        OutputError: naming it.
    """
    from cvtool.pictures.writing import check_output_folder, same_file

    if any(same_file(path, source) for source in inputs):
        raise OutputError(f"{path}: is an input, never overwritten; name another {option}")
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file for {option}")
    if not overwrite and os.path.lexists(path):
        raise OutputError(f"{path}: already exists; use --overwrite or another {option}")
    check_output_folder(path.parent, f"name another {option}")


def write_to_stdout(pixels: np.ndarray, description: str) -> None:
    """Write a result to stdout as PNG."""
    from cvtool.pictures.writing import write_png

    write_png(sys.stdout.buffer, pixels, description=description)
    sys.stdout.buffer.flush()
