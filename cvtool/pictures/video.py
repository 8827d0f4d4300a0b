"""Videos and webcams as streams of frames, and annotated videos out."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cvtool.errors import OutputError, PictureError, SourceError
from cvtool.pictures.reading import MAX_PIXELS
from cvtool.pictures.writing import whole_file

_DEFAULT_FPS = 25.0
# H.264 plays everywhere, but many OpenCV builds have no encoder for it; MPEG-4 they all have.
_CODECS = ("avc1", "mp4v")
_opening = threading.Lock()


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: uint8 pixels (H, W, 3) RGB, its number from 0, and its time in seconds."""

    pixels: np.ndarray
    number: int
    time: float


class Video:
    """An open video file or webcam; iterate over it once for its frames.

    Args:
        source: path of a video file, or the number of a webcam.
        name: what error messages call it; the source when None.
        every: yield frames 0, every, 2 * every ...; the ones between are not converted.
        max_pixels: larger frames are refused.
    Attributes:
        fps: frames a second of the source, None when unknown.
        frames: how many frames the source says it has, None when unknown (webcams).
    Raises:
        PictureError: no video that OpenCV can read; while iterating: ends far too early.
        SourceError: there is no such webcam.
    """

    def __init__(
        self,
        source: str | Path | int,
        *,
        name: str | None = None,
        every: int = 1,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.name = str(source) if name is None else name
        self._every = max(1, every)
        self._live = isinstance(source, int)
        self._capture = _open_webcam(source) if self._live else _open_file(source, self.name)
        import cv2

        fps, frames, width, height = (
            self._capture.get(key)
            for key in (
                cv2.CAP_PROP_FPS,
                cv2.CAP_PROP_FRAME_COUNT,
                cv2.CAP_PROP_FRAME_WIDTH,
                cv2.CAP_PROP_FRAME_HEIGHT,
            )
        )
        self.fps = fps if 0 < fps < 1000 else None
        self.frames = int(frames) if not self._live and 0 < frames < 1e9 else None
        if width * height > max_pixels:
            self.close()
            raise PictureError(
                f"{self.name}: frames of {width:.0f} x {height:.0f} pixels are over the limit of "
                f"{max_pixels / 1e6:g} megapixels; raise it (--max-pixels) if you trust "
                "the file"
            )

    def __iter__(self) -> Iterator[Frame]:
        import cv2

        number = 0
        while self._capture.grab():
            if number % self._every == 0:
                done, pixels = self._capture.retrieve()
                if not done:
                    break
                moment = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                if number and not moment > 0:
                    moment = number / (self.fps or _DEFAULT_FPS)
                yield Frame(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), number, max(moment, 0.0))
            number += 1
        self._check_end(number)

    def close(self) -> None:
        self._capture.release()

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_end(self, number: int) -> None:
        if self._live:
            raise SourceError(f"{self.name}: the webcam stopped sending; check its cable")
        if number == 0:
            raise _unreadable(self.name)
        # The count in a header may be a little off; a tenth missing is a damaged file.
        if self.frames is not None and number < 0.9 * self.frames - 1:
            raise PictureError(
                f"{self.name}: the video is damaged after frame {number} of {self.frames}; "
                "the frames before it were read"
            )


def count_frames(path: str | Path) -> int | None:
    """Return how many frames a video file says it has; None when it does not or is unreadable."""
    try:
        with Video(path) as video:
            return video.frames
    except PictureError:
        return None


class VideoWriter:
    """Write frames to an .mp4 file, which appears under its name when the block ends well.

    Frames of odd width or height are extended by one repeated row or column, since the codecs
    need even ones.

    Args:
        path: ends in .mp4.
        fps: frames a second; 25 where it is None or no positive number.
        overwrite, source: as for `writing.whole_file`.
    Raises:
        OutputError: another ending, no codec, no frame written, a full disk, or as for
            `whole_file`.
    """

    def __init__(
        self,
        path: str | Path,
        fps: float | None,
        *,
        overwrite: bool = False,
        source: str | Path | None = None,
    ) -> None:
        self.path = Path(path)
        if self.path.suffix.lower() != ".mp4":
            raise OutputError(f"{path}: videos are written as .mp4; end the output's name so")
        self.fps = fps if fps and math.isfinite(fps) and 0 < fps < 1000 else _DEFAULT_FPS
        self._file = whole_file(path, overwrite=overwrite, source=source)
        self._open_files = ExitStack()
        self._writer: Any = None
        self._size: tuple[int, int] | None = None

    def __enter__(self) -> VideoWriter:
        self._temporary = self._open_files.enter_context(self._file)
        return self

    def write(self, pixels: np.ndarray) -> None:
        """Add one frame: uint8 (H, W, 3) RGB, of the same size as the first.

        Raises:
            ValueError: a frame of another size or type.
        """
        import cv2

        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            raise ValueError(f"a frame must be uint8 (H, W, 3), not {pixels.dtype} {pixels.shape}")
        height, width = pixels.shape[:2]
        if self._writer is None:
            self._size = (height, width)
            self._writer = self._open_writer(width + width % 2, height + height % 2)
        elif (height, width) != self._size:
            raise ValueError(f"a frame of {width} x {height} in a video that began with another")
        frame = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        if height % 2 or width % 2:
            edges = (0, height % 2, 0, width % 2)
            frame = cv2.copyMakeBorder(frame, *edges, cv2.BORDER_REPLICATE)
        self._writer.write(frame)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if self._writer is not None:
            self._writer.release()
        problem = self._problem() if kind is None else "the video was not finished"
        if problem is None:
            self._open_files.close()
            return
        # Not the error itself: `whole_file` would take one of stdout for one of the file.
        refusal = OutputError(f"{self.path}: {problem}")
        self._open_files.__exit__(OutputError, refusal, None)
        if kind is None:
            raise refusal

    def _problem(self) -> str | None:
        """Why the file is not what it should be; None if it is."""
        if self._writer is None:
            return "no frame to write; check the input video"
        # OpenCV says nothing of a full disk; without its end, no player can read the file.
        if count_frames(self._temporary) is None:
            return "could not be written whole; make room on the disk"
        return None

    def _open_writer(self, width: int, height: int) -> Any:
        with _quiet_opencv() as cv2:
            for codec in _CODECS:
                writer = cv2.VideoWriter(
                    str(self._temporary),
                    cv2.CAP_FFMPEG,
                    cv2.VideoWriter_fourcc(*codec),
                    self.fps,
                    (width, height),
                )
                if writer.isOpened():
                    return writer
                writer.release()
        raise OutputError(
            f"{self.path}: this OpenCV cannot write mp4 of {width} x {height}; "
            "install the opencv-python wheel or write pictures"
        )


@contextmanager
def _quiet_opencv() -> Iterator[Any]:
    """Lend cv2 with its own log, and that of the FFmpeg inside it, turned off."""
    # FFmpeg's level is read when the first video is opened; -8 is AV_LOG_QUIET.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    import cv2

    with _opening:
        log = cv2.utils.logging
        level = log.getLogLevel()
        log.setLogLevel(log.LOG_LEVEL_SILENT)
        try:
            yield cv2
        finally:
            log.setLogLevel(level)


def _open_file(path: str | Path, name: str) -> Any:
    if not os.path.exists(path):
        raise PictureError(f"{name}: no such file; check the path")
    if os.path.getsize(path) == 0:
        raise PictureError(f"{name}: the file is empty; make or download it again")
    with _quiet_opencv() as cv2:
        # Whole path and named backend: else FFmpeg could take "a:b.mp4" for a protocol, and
        # OpenCV "%02d" for a series of files.
        capture = cv2.VideoCapture(os.path.abspath(path), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise _unreadable(name)
        return capture


def _open_webcam(number: int) -> Any:
    with _quiet_opencv() as cv2:
        capture = cv2.VideoCapture(number)
        if not capture.isOpened():
            raise SourceError(
                f"{number}: no webcam of this number and no file of this name; "
                "check that it is connected and free, or try another number"
            )
        return capture


def _unreadable(name: str) -> PictureError:
    return PictureError(
        f"{name}: damaged, or not a video that OpenCV can read; convert it to .mp4 (H.264)"
    )
