"""Jobs that load one found item, whatever it is; they run in the threads of a stream."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from cvtool.errors import PictureError
from cvtool.pictures.contents import HEAD_BYTES, PICTURE_SUFFIXES, kind_of
from cvtool.pictures.finding import Found
from cvtool.pictures.reading import read_picture
from cvtool.pictures.urls import fetch, output_name

if TYPE_CHECKING:
    from cvtool.pictures.video import Video


@dataclass(frozen=True, slots=True)
class Limits:
    """What a stream allows: see `sources.read_pictures`."""

    max_pixels: int
    every: int
    url_timeout: float
    url_max_bytes: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a job brings back: a picture's pixels or an open video.

    `below` is its path below the output folder, not yet claimed; `temporary` a downloaded file
    that goes when the video is closed.
    """

    name: str
    below: PurePath
    pixels: np.ndarray | None = None
    video: Video | None = None
    temporary: str | None = None

    def close(self) -> None:
        """Release the video and its downloaded file; nothing to do for a picture."""
        if self.video is not None:
            self.video.close()
        if self.temporary is not None:
            with suppress(OSError):
                os.unlink(self.temporary)


def loading_job(item: Found, limits: Limits, stop: Callable[[], bool]) -> Callable[[], Loaded]:
    """Return the job that loads `item`; downloads give up when `stop` says so.

    Raises:
        PictureError: stdin cannot be read. It is read here and now: a thread that waits for
            stdin could not be stopped. All other errors are raised by the job.
    """
    match item.kind:
        case "picture":
            return partial(_load_file, item, limits)
        case "video" | "webcam":
            return partial(_load_video, item, limits)
        case "url":
            return partial(_load_url, item, limits, stop)
        case _:
            return partial(_load_bytes, _read_stdin(limits), "stdin", item.below, limits)


def _load_file(item: Found, limits: Limits) -> Loaded:
    pixels = read_picture(item.source, max_pixels=limits.max_pixels)
    return Loaded(item.source, item.below, pixels)


def _load_bytes(data: bytes, name: str, below: PurePath, limits: Limits) -> Loaded:
    return Loaded(name, below, read_picture(data, name=name, max_pixels=limits.max_pixels))


def _load_video(item: Found, limits: Limits) -> Loaded:
    from cvtool.pictures.video import Video

    live = item.kind == "webcam"
    name = f"webcam {int(item.source)}" if live else item.source
    video = Video(
        int(item.source) if live else item.source,
        name=name,
        every=limits.every,
        max_pixels=limits.max_pixels,
    )
    return Loaded(name, item.below, video=video)


def _load_url(item: Found, limits: Limits, stop: Callable[[], bool]) -> Loaded:
    url = item.source
    body, kind = fetch(url, timeout=limits.url_timeout, max_bytes=limits.url_max_bytes, stop=stop)
    below = PurePath(output_name(url))
    if kind != "video":
        if below.suffix.lower() not in PICTURE_SUFFIXES and body.startswith(b"\xff\xd8"):
            below = below.with_name(below.name + ".jpg")
        return _load_bytes(body, url, below, limits)
    from cvtool.pictures.video import Video

    handle, path = tempfile.mkstemp(suffix=below.suffix or ".mp4", prefix="cvtool-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(body)
        video = Video(path, name=url, every=limits.every, max_pixels=limits.max_pixels)
    except BaseException:
        os.unlink(path)
        raise
    return Loaded(url, below, video=video, temporary=path)


def _read_stdin(limits: Limits) -> bytes:
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None or stream.isatty():
        raise PictureError("stdin: nothing is piped in; use cvtool ... - < picture.jpg")
    data = stream.read(limits.url_max_bytes + 1)
    if len(data) > limits.url_max_bytes:
        raise PictureError(
            f"stdin: larger than the limit of {limits.url_max_bytes / 1e6:g} MB; name a file"
        )
    if kind_of(data[:HEAD_BYTES]) == "video":
        raise PictureError("stdin: a video, which cannot be piped in; save it and name the file")
    return data
