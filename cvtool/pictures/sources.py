"""The stream of pictures: whatever a user names, read ahead of whoever works on it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath

import numpy as np

from cvtool.errors import CvtoolError
from cvtool.pictures.ahead import WorkAhead
from cvtool.pictures.contents import VIDEO_SUFFIXES
from cvtool.pictures.finding import Found, find
from cvtool.pictures.loading import Limits, Loaded, loading_job
from cvtool.pictures.naming import OutputNames
from cvtool.pictures.reading import MAX_PIXELS
from cvtool.pictures.urls import URL_MAX_BYTES, URL_TIMEOUT, output_name

# Pictures decoded ahead of whoever works on them.
READ_AHEAD = 4


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a stream.

    Attributes:
        name: the path as given, the URL, "stdin" or "webcam 0".
        pixels: uint8 (H, W, 3) RGB.
        relative: where an output made from it goes below an output folder. Different for every
            picture and video of a stream, even when only the ending differs; always of a kind
            that can be written; .mp4, and the same for all frames, for a video.
        frame: number of a video's frame, from 0; None for still pictures, like the rest.
        time: seconds since the beginning of the video.
        fps: frames a second of the video, before `every`.
        frames: how many frames the video has, where known.
    """

    name: str
    pixels: np.ndarray
    relative: Path
    frame: int | None = None
    time: float | None = None
    fps: float | None = None
    frames: int | None = None


def read_pictures(
    sources: Iterable[str | Path],
    *,
    on_error: Callable[[CvtoolError], None] | None = None,
    max_pixels: int = MAX_PIXELS,
    every: int = 1,
    read_ahead: int = READ_AHEAD,
    url_timeout: float = URL_TIMEOUT,
    url_max_bytes: int = URL_MAX_BYTES,
) -> Iterator[Picture]:
    """Yield the pictures of all sources in order, decoding ahead in threads.

    At most `read_ahead` pictures wait decoded (of a video, one frame), so memory stays flat
    however many there are. Closing the iterator ends the threads.

    Args:
        sources: files, folders (searched to the bottom), globs, http(s) URLs, .txt lists,
            videos, webcam numbers, "-" for the bytes of one picture on stdin.
        on_error: called with the error of each picture or source that cannot be read, and the
            stream goes on; None raises it.
        max_pixels: larger pictures and frames are errors.
        every: of videos and webcams, take each so-many-th frame.
        read_ahead: pictures decoded ahead, and threads; 0 decodes on demand, without threads.
        url_timeout: seconds to wait for a server each time; ten times that for the whole.
        url_max_bytes: limit of a download, and of stdin.
    Raises:
        PictureError, SourceError: where `on_error` is None.
    """
    if every < 1 or read_ahead < 0:
        raise ValueError(f"every ({every}) must be at least 1, read_ahead ({read_ahead}) 0")
    limits = Limits(max_pixels, every, url_timeout, url_max_bytes)
    found = find([sources] if isinstance(sources, str | Path) else sources)
    return _stream(found, limits, on_error, read_ahead)


def _stream(
    found: Iterator[Found | CvtoolError],
    limits: Limits,
    on_error: Callable[[CvtoolError], None] | None,
    read_ahead: int,
) -> Iterator[Picture]:
    names = OutputNames()
    work = WorkAhead(read_ahead)
    waiting: deque[Future] = deque()
    try:
        while True:
            # One more than are to wait, since the first of them is about to be yielded.
            while len(waiting) <= read_ahead and (item := next(found, None)) is not None:
                waiting.append(_begin(item, limits, work))
            if not waiting:
                return
            try:
                yield from _pictures(waiting.popleft(), names, work)
            except CvtoolError as error:
                if on_error is None:
                    raise
                on_error(error)
    finally:
        # A download may come to its end after the stream; its video is closed even then.
        for future in waiting:
            future.add_done_callback(_discard)
        work.close()


def read_each(
    paths: Sequence[str | Path], *, on_error: Callable[[CvtoolError], None] | None = None
) -> Iterator[tuple[int, Picture]]:
    """Yield the still pictures of a list of files with their positions in it.

    Args:
        paths: picture files.
        on_error: as for `read_pictures`; a picture that cannot be read is left out.
    Raises:
        PictureError: where `on_error` is None.
    """
    # As they stand: a folder's name, or a number, stands for nothing else here.
    files = (Found("picture", os.fspath(path), PurePath(Path(path).name)) for path in paths)
    limits = Limits(MAX_PIXELS, 1, URL_TIMEOUT, URL_MAX_BYTES)
    position = 0
    for picture in _stream(files, limits, on_error, READ_AHEAD):
        # In order, so whatever lies between was left out.
        while str(paths[position]) != picture.name:
            position += 1
        yield position, picture
        position += 1


def count_pictures(sources: Iterable[str | Path], *, every: int = 1) -> int | None:
    """Count what `read_pictures` will yield or report, for a progress bar.

    Cheap: folders and lists are read, videos asked for their number of frames, no picture is
    opened. Errors count as one each, since the stream reports them one by one.

    Returns:
        the number, or None where it cannot be known (webcam, URL of a video, odd video).
    """
    total = 0
    for item in find([sources] if isinstance(sources, str | Path) else sources):
        count = 1 if isinstance(item, CvtoolError) else _count(item, every)
        if count is None:
            return None
        total += count
    return total


def _count(item: Found, every: int) -> int | None:
    if item.kind == "url":
        suffix = PurePath(output_name(item.source)).suffix.lower()
        return None if suffix in VIDEO_SUFFIXES else 1
    if item.kind == "webcam":
        return None
    if item.kind == "video":
        from cvtool.pictures.video import count_frames

        frames = count_frames(item.source)
        return None if frames is None else -(-frames // every)
    return 1


def _begin(item: Found | CvtoolError, limits: Limits, work: WorkAhead) -> Future:
    """Submit the loading of an item; an error becomes a future that raises it in its turn."""
    try:
        if isinstance(item, CvtoolError):
            raise item
        return work.submit(loading_job(item, limits, work.closing.is_set))
    except CvtoolError as error:
        future: Future = Future()
        future.set_exception(error)
        return future


def _pictures(job: Future, names: OutputNames, work: WorkAhead) -> Iterator[Picture]:
    loaded = job.result()
    del job  # the future holds the pixels too
    if loaded.video is not None:
        yield from _frames(loaded, names, work)
        return
    picture = Picture(loaded.name, loaded.pixels, names.claim(loaded.below, ".png"))
    del loaded
    yield picture


def _frames(loaded: Loaded, names: OutputNames, work: WorkAhead) -> Iterator[Picture]:
    """Yield a video's frames; the next is decoded while the last one is worked on."""
    video = loaded.video
    relative = names.claim(loaded.below, ".mp4")
    frames = iter(video)
    following = work.submit(partial(next, frames, None))
    try:
        while (frame := following.result()) is not None:
            following = work.submit(partial(next, frames, None))
            picture = Picture(
                loaded.name,
                frame.pixels,
                relative,
                frame=frame.number,
                time=frame.time,
                fps=video.fps,
                frames=video.frames,
            )
            del frame
            yield picture
            del picture
    finally:
        # Never under a thread that still decodes: at the end of its frame.
        following.add_done_callback(lambda _: loaded.close())


def _discard(future: Future) -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().close()
