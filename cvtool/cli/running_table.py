"""A line a picture, for people who run a command on many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from cvtool.cli import console
from cvtool.cli.records import Record, milliseconds, size_text


class Tally(Protocol):
    """What was found in the frames of a video so far."""

    def add(self, record: Record) -> None:
        """One more frame."""

    def text(self) -> str:
        """The whole in a few words, for the video's line."""


class RunningTable:
    """Lines printed as pictures come; a video gets one line at its end.

    Args:
        heading: of the column of what was found.
        summarise: what was found in a picture, in a few words.
        new_tally: makes the tally of a video.
        paths: keys of the record under which the paths of results are; of a video only the
            first is named.
    """

    def __init__(
        self,
        heading: str,
        summarise: Callable[[Record], str],
        new_tally: Callable[[], Tally],
        paths: Sequence[str],
    ):
        self._heading = heading
        self._summarise = summarise
        self._new_tally = new_tally
        self._paths = paths

    def __enter__(self) -> RunningTable:
        self._headed = False
        self._video: Record | None = None
        return self

    def add(self, record: Record) -> None:
        if self._video and self._video["picture"] != record["picture"]:
            self._end_video(self._paths[:1])
        if "frame" in record:
            self._add_frame(record)
        else:
            paths = [record[key] for key in self._paths if record.get(key)]
            self._line(record, milliseconds(record), self._summarise(record), paths)

    def __exit__(self, kind: Any, *_: object) -> None:
        if self._video and (kind is None or not issubclass(kind, BrokenPipeError)):
            # Whether the file of a video that was stopped is kept, is not known here.
            self._end_video(self._paths[:1] if kind is None else ())

    def _add_frame(self, record: Record) -> None:
        if self._video is None:
            self._video = record | {"frames": 0, "seconds": 0.0}
            self._tally = self._new_tally()
        self._video["frames"] += 1
        self._video["seconds"] += record["seconds"]
        self._tally.add(record)

    def _end_video(self, keys: Sequence[str]) -> None:
        video, self._video = self._video, None
        frames = video["frames"]
        each = f"{1000 * video['seconds'] / frames:.0f}"
        paths = [video[key] for key in keys if video[key]]
        count = "1 frame" if frames == 1 else f"{frames} frames"
        self._line(video, each, f"{count}: {self._tally.text()}", paths)

    def _line(self, record: Record, duration: str, found: str, paths: Sequence[str]) -> None:
        if not self._headed:
            print(f"{'picture':40}  {'size':>11}  {'ms':>5}  {self._heading}")
            self._headed = True
        name = console.visible(record["picture"])
        line = f"{name:40}  {size_text(record):>11}  {duration:>5}  {found}"
        if paths:
            line += f"  -> {console.visible(', '.join(paths))}"
        print(line)
